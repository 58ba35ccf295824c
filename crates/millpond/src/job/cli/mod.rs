//! The command line of a job: `JOB run`, `JOB plan` and `JOB check`.
//!
//! ```text
//!   arguments ──▶ command (verbs) ──▶ flags (what may be given) ──▶ RunOptions, and the job's own options
//!                                       └── values (one value each, checked where it enters)
//! ```
//!
//! Nothing here runs anything: what is wrong is said in one message, and what is right becomes a [`Command`].

mod command;
mod flags;
pub(crate) mod plan;
#[cfg(test)]
mod plan_tests;
mod restart;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use command::{Command, Program, parse};
pub(crate) use flags::CheckOptions;
