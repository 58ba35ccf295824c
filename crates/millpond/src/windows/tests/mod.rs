//! Windows without a job: arithmetic, triggers, and what is kept.

mod assigner;
mod panes;
mod triggers;
