//! A job: its definition, its plan, and the program around it.

pub(crate) mod plan;
