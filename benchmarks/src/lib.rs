//! Millpond beside its peers, on the same work in one run.
//!
//! * [`work`]: the input and the checks over the output; the same for everybody.
//! * [`jobs`]: the jobs on Millpond, on its public API; [`peers`]: the same on other ground; `../flink`: on Apache Flink.
//! * [`suite`]: the benchmarks; [`harness`]: how they are run and told.
//! * [`flink`], [`rest`]: Flink beside us, and how to speak to it and to a job of ours.
//! * [`outcome`], [`tally`], [`latency`], [`stall`], [`machine`]: what is measured, and told.

pub mod flink;
pub mod harness;
pub mod jobs;
pub mod latency;
pub mod machine;
pub mod outcome;
pub mod peers;
pub mod rest;
pub mod stall;
pub mod suite;
pub mod tally;
pub mod work;
