//! Numbers that count different things.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of an entry in a job's log, from 1. It orders the history of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first entry of every log.
    pub const FIRST: Sequence = Sequence(1);

    /// The number after this one. The last number has no successor and gives itself, which a log
    /// then refuses as taken.
    pub fn next(self) -> Sequence {
        Sequence(self.0.saturating_add(1))
    }
}

/// The number of a snapshot interval within a job: records of epoch `e` are in snapshot `e`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
