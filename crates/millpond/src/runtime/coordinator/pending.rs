//! A snapshot under way: who has acknowledged, since when, and what for.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::Timestamp;
use millpond_snapshot::Tag;

/// Why a snapshot is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The clock says so.
    Checkpoint,
    /// It was asked for.
    Savepoint(Asked),
    /// The run is to end after it.
    Stop { asked: Asked, drained: bool },
    /// The run is to be cancelled after it.
    Cancel(Asked),
    /// The input has ended.
    Finish,
}

/// A request for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) request_id: String,
    pub(crate) requested_by: Option<String>,
    pub(crate) tag: Option<Tag>,
    pub(crate) reason: &'static str,
}

impl Purpose {
    pub(crate) fn asked(&self) -> Option<&Asked> {
        match self {
            Purpose::Savepoint(asked) | Purpose::Stop { asked, .. } | Purpose::Cancel(asked) => Some(asked),
            Purpose::Checkpoint | Purpose::Finish => None,
        }
    }

    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Purpose::Checkpoint => "interval",
            Purpose::Finish => "end of input",
            Purpose::Savepoint(asked) | Purpose::Stop { asked, .. } | Purpose::Cancel(asked) => asked.reason,
        }
    }
}

/// A snapshot that has been begun.
#[derive(Debug)]
pub(crate) struct PendingSnapshot {
    pub(crate) epoch: u64,
    pub(crate) purpose: Purpose,
    pub(crate) begun: Instant,
    pub(crate) triggered: Timestamp,
    acknowledged: BTreeSet<(usize, usize)>,
    wanted: usize,
}

impl PendingSnapshot {
    /// A snapshot that `wanted` subtasks must acknowledge.
    pub(crate) fn begin(epoch: u64, purpose: Purpose, wanted: usize) -> Self {
        PendingSnapshot {
            epoch,
            purpose,
            begun: Instant::now(),
            triggered: Timestamp::now(),
            acknowledged: BTreeSet::new(),
            wanted,
        }
    }

    /// Notes a subtask's acknowledgement. `true` when all have acknowledged.
    pub(crate) fn acknowledge(&mut self, operator: usize, subtask: usize) -> bool {
        self.acknowledged.insert((operator, subtask));
        self.acknowledged.len() == self.wanted
    }

    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.acknowledged.len(), self.wanted)
    }
}
