//! A job: its definition, its plan, and the program around it.

pub(crate) mod cli;
pub(crate) mod options;
pub(crate) mod plan;
pub(crate) mod progress;
