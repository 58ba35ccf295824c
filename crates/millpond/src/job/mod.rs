//! A job: its definition, its plan, and the program around it.

pub(crate) mod definition;
pub(crate) mod options;
pub(crate) mod job;
pub(crate) mod plan;
pub(crate) mod restore_plan;
