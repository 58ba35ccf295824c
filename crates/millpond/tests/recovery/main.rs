//! The recovery matrix: every kind of state, run whole, crashed after each snapshot, and stopped and started again, at
//! other parallelisms each time. The output is compared with what plain Rust makes of the same records.

mod alignment;
#[path = "../common/buckets.rs"]
mod buckets;
mod harness;
mod idle;
#[path = "../common/on_disk.rs"]
mod on_disk;
mod sink;
mod source;
mod store;
mod stretches;
#[path = "../common/waiting.rs"]
mod waiting;

mod backpressure;
mod broadcast;
mod changed;
mod connected;
mod consumed;
mod failing;
mod keyed;
mod larger;
mod operator_state;
mod redistribution;
mod timers;
mod ttl;
mod turns;
