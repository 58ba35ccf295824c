//! A job: its definition, its plan, and the program around it.
//!
//! * [`definition`]: what defines it; [`plan`]: its operators and states, known before anything runs.
//! * [`restore_plan`]: whether a snapshot fits, and what becomes of each state (pure).
//! * [`options`]: how it is run; [`job`]: running it from a program.
//! * [`program`]: the `main` of a job: its command line ([`cli`]), [`check`], and the line of [`progress`].

pub(crate) mod check;
pub(crate) mod cli;
pub(crate) mod definition;
#[allow(clippy::module_inception)]
pub(crate) mod job;
pub(crate) mod options;
pub(crate) mod plan;
pub(crate) mod program;
pub(crate) mod progress;
pub(crate) mod restore_plan;
pub(crate) mod uids;
