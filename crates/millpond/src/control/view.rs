//! What is known of a running job. The coordinator publishes a new view each time something changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use millpond_snapshot::Sequence;
use millpond_snapshot::log::SnapshotId;

use crate::job::plan::Plan;

/// Where a run stands. The names are Flink's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobStatus {
    /// Workers are starting and restoring state.
    Initializing,
    Running,
    /// Failed, and waiting to start again.
    Restarting,
    /// A stop was asked for: the savepoint is under way.
    Suspending,
    Cancelled,
    Finished,
    Failed,
}

impl JobStatus {
    /// Flink's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            JobStatus::Initializing => "INITIALIZING",
            JobStatus::Running | JobStatus::Suspending => "RUNNING",
            JobStatus::Restarting => "RESTARTING",
            JobStatus::Cancelled => "CANCELED",
            JobStatus::Finished => "FINISHED",
            JobStatus::Failed => "FAILED",
        }
    }
}

/// A checkpoint or savepoint of this run.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotView {
    /// The epoch that it is of; Flink's checkpoint id.
    pub(crate) epoch: u64,
    pub(crate) savepoint: bool,
    pub(crate) outcome: Outcome,
    pub(crate) triggered: Timestamp,
    pub(crate) duration_ms: u64,
    pub(crate) bytes_new: u64,
    pub(crate) bytes_total: u64,
    /// Subtasks that have acknowledged, and how many there are.
    pub(crate) acknowledged: usize,
    pub(crate) subtasks: usize,
}

/// What became of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    InProgress,
    /// Published, as this entry of the log.
    Completed(SnapshotId),
    Failed(String),
}

/// What was asked for, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct RequestView {
    pub(crate) outcome: Outcome,
}

/// A running job, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct JobView {
    /// 32 hexadecimal digits, like Flink's; another one each time the program is started.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The sequence of the run's start entry.
    pub(crate) run: Sequence,
    pub(crate) status: JobStatus,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) parallelism: usize,
    pub(crate) store: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) restarts: u32,
    /// The newest failure.
    pub(crate) failure: Option<String>,
    /// Records that sources have read in this run.
    pub(crate) records_read: u64,
    /// The snapshot that the run started from.
    pub(crate) restored_from: Option<SnapshotId>,
    pub(crate) counts: SnapshotCounts,
    /// The newest snapshots, newest first; bounded.
    pub(crate) snapshots: Vec<SnapshotView>,
    /// What was asked for, by request id.
    pub(crate) requests: BTreeMap<String, RequestView>,
}

/// How many snapshots of this run came to what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SnapshotCounts {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) in_progress: u64,
    pub(crate) savepoints: u64,
    pub(crate) restored: u64,
}
