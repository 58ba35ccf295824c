//! What coordinator and workers say to each other.

use millpond_snapshot::StateName;
use millpond_snapshot::chunk::ChunkRef;
use serde::{Deserialize, Serialize};

use super::failure::FailureReport;
use crate::time::EventTime;

/// From a worker to the coordinator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ToCoordinator {
    /// The worker has built its dataflow and restored its state.
    Ready {
        /// The worker.
        worker: usize,
    },
    /// A subtask's part of a snapshot is durable.
    Acknowledged(Acknowledgement),
    /// A subtask could not write its part.
    Declined {
        /// The epoch of the snapshot.
        epoch: u64,
        /// The operator's uid.
        operator: String,
        /// Why.
        reason: String,
    },
    /// A subtask has passed on the end of time.
    Drained,
    /// A sink subtask has committed all up to this epoch.
    Committed {
        /// The operator's place in the plan.
        operator: usize,
        /// The epoch of the snapshot.
        epoch: u64,
    },
    /// A source subtask's event time.
    Event(SourceStatus),
    /// User code or an operator failed.
    Failed(FailureReport),
    /// Records that the sources of a worker have read so far in this run.
    Counted {
        /// The worker.
        worker: usize,
        /// Its count.
        read: u64,
    },
}

impl ToCoordinator {
    /// The failure that it reports, if it reports one.
    pub(crate) fn into_failure(self) -> Option<FailureReport> {
        match self {
            ToCoordinator::Failed(report) => Some(report),
            _ => None,
        }
    }
}

/// A subtask's part of the snapshot of an epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Acknowledgement {
    pub(crate) epoch: u64,
    /// The operator's place in the plan.
    pub(crate) operator: usize,
    pub(crate) subtask: usize,
    pub(crate) states: Vec<StatePart>,
}

/// What a subtask adds to one state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StatePart {
    pub(crate) name: StateName,
    /// Chunks of keyed state that are new since the last part that this subtask sent.
    pub(crate) chunks: Vec<ChunkRef>,
    /// Rows of operator state, each as JSON text; all of them, every time.
    pub(crate) rows: Vec<String>,
}

/// Where a source subtask stands in event time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SourceStatus {
    pub(crate) operator: usize,
    pub(crate) subtask: usize,
    pub(crate) watermark: EventTime,
    pub(crate) idle: bool,
}

/// From the coordinator to workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// Move the root to this epoch. Meant for worker 0.
    BeginEpoch(u64),
    /// To operators.
    Notice(Notice),
    /// How another process stands.
    Elsewhere {
        /// The process that says so.
        process: usize,
        /// How it stands.
        standing: Standing,
    },
    /// The job is over: end the dataflows in order.
    Finish,
    /// The attempt is over: drop everything. Whether another one follows.
    Abort {
        /// Whether the processes meet again for another attempt.
        again: bool,
    },
}

/// What the sources of other processes need to know of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Records sent in it less records processed in it.
    pub(crate) balance: i64,
    /// How far the slowest of its aligned sources has come.
    pub(crate) aligned: EventTime,
}

/// What operators may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// The snapshot of this epoch has been published: what was prepared up to it is committed.
    Completed(u64),
    /// Sources: read nothing that would be part of an epoch after this one.
    StopAfter(u64),
    /// Sources: read on after all; the stop did not come about.
    Resume,
    /// Sources: read no more, and pass on the end of time.
    Drain,
    /// Idle sources: event time elsewhere has come this far.
    AdvanceIdle(EventTime),
}
