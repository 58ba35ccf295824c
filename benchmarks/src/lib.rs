//! Millpond beside its peers, on the same work in one run.
//!
//! * [`work`]: the input and the checks over the output; the same for everybody.
//! * [`jobs`]: the jobs on Millpond, on its public API; [`peers`]: the same on other ground; `../flink`: on Apache Flink.
//! * [`suite`]: the benchmarks; [`harness`]: how they are run and told.
//! * [`flink`], [`rest`]: Flink beside us, and how to speak to it and to a job of ours.
//! * [`machine`], [`outcome`]: what a measurement is told with.

pub mod flink;
pub mod harness;
pub mod jobs;
pub mod machine;
pub mod outcome;
pub mod peers;
pub mod rest;
pub mod suite;
pub mod work;
