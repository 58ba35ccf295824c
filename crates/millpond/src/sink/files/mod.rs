//! Files, exactly once.
//!
//! Within an epoch a subtask writes one file, which goes through three names:
//!
//! ```text
//!  .part-JOB-RUN-SUBTASK.jsonl.writing               while the epoch lasts
//!  .part-JOB-RUN-EPOCH-SUBTASK.jsonl.pending         prepared: whole and durable, named by the snapshot
//!   part-JOB-RUN-EPOCH-SUBTASK.jsonl                 committed: what readers see
//! ```
//!
//! Each step is one rename, so a file is under exactly one name whenever the process dies. Names have the run in them,
//! so that no two runs write to one file.
//!
//! What is left behind: a `.writing` file of an earlier run is in no snapshot and is removed when the next run opens. A
//! `.pending` file of an earlier run may be named by a snapshot that somebody kept and was never committed, because the
//! process died in between; the sink cannot know, and losing it would lose output. It is left alone. At most one a subtask
//! and failure stays.
//!
//! Somebody may go back: start from a savepoint after which more was committed. A sink that
//! [follows history](FileSink::follow_history) then hides what came after it, so that readers see one history.
//!
//! * [`sink`]: what the user says, and the two phases.
//! * [`names`]: the names, made and read.
//! * [`encode`]: JSON Lines and CSV.
//! * [`directory`]: what is done to the directory, and what is wrong with it.

mod directory;
mod encode;
mod names;
mod sink;
#[cfg(test)]
mod tests;

pub use sink::{FileSink, PreparedFile};
