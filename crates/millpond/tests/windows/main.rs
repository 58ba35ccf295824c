//! Windows and joins as a user has them: whole jobs, against an oracle in plain Rust that knows nothing of the engine.

mod aligned;
mod collect;
mod interval_join;
mod late;
mod leftovers;
#[path = "../common/on_disk.rs"]
mod on_disk;
mod oracle;
mod other_clocks;
mod script;
mod session;
mod support;
mod window_join;
