//! What runs a job: workers, the mailbox that ties operators to the coordinator, checkpoints, recovery.
//!
//! ```text
//!   coordinator (process 0) ──▶ control dataflow ──▶ mailbox of each worker ──▶ operators
//!        ▲                                                                       │
//!        └───────────────── acknowledgements, failures, drained ◀────────────────┘
//! ```

pub(crate) mod attempt;
mod chunks;
pub(crate) mod claim;
pub(crate) mod cluster;
pub(crate) mod context;
pub(crate) mod control;
pub(crate) mod coordinator;
pub(crate) mod directions;
pub(crate) mod evolved;
pub(crate) mod failure;
mod fit;
mod ids;
pub(crate) mod launch;
pub(crate) mod lost;
pub(crate) mod mailbox;
pub(crate) mod message;
pub(crate) mod past;
#[cfg(test)]
mod protocol_tests;
pub(crate) mod reporter;
pub(crate) mod restart;
pub(crate) mod restore;
mod run;
pub(crate) mod session;
pub(crate) mod whole;
pub(crate) mod worker;
pub(crate) mod writer;
