//! A job's history: numbered entries, each created once and never changed.
//!
//! Everything that happens to a job is an entry: a start, a checkpoint, a savepoint, a failure, a stop.
//! An entry's number belongs to whoever creates its object first. That one rule makes the log the
//! catalogue of snapshots, the durable answer to every request, and the fence: a run that was
//! thought dead and wakes up finds its next number taken, and knows that it has a successor.
//! Specified in `docs/format/log.md`.

mod codec;
mod decide;
mod entry;
mod job_log;

pub use codec::MAX_ENTRY_BYTES;
pub use decide::{ContinueDecision, continue_from, passed_over};
pub use entry::{CopiedFrom, Edited, Entry, EntryBody, SnapshotId, SnapshotRecord};
pub use job_log::{AppendOutcome, JobLog};

/// The version of the log format that this code writes.
pub const FORMAT_VERSION: u64 = 1;
