//! What sort of state a chunk belongs to, and what a chunk says about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of state that an operator may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// One value a key.
    Value,
    /// A list of values a key, replaced as a whole.
    List,
    /// A map of values a key, changed entry by entry.
    Map,
    /// One value a key, folded by a reduce function.
    Reducing,
    /// One accumulator a key.
    Aggregating,
    /// A set of timestamps a key.
    Timers,
    /// Rows that belong to the operator and are dealt out evenly over its subtasks.
    OperatorList,
    /// Rows that belong to the operator and are given whole to each subtask.
    OperatorUnion,
    /// Rows that are the same on each subtask.
    Broadcast,
}

impl StateKind {
    /// Whether the state belongs to keys, and so stands in chunks sorted by hash. The others belong
    /// to the operator and stand in the manifest itself.
    pub fn is_keyed(self) -> bool {
        !matches!(self, StateKind::OperatorList | StateKind::OperatorUnion | StateKind::Broadcast)
    }

    /// The kind's name, as in manifests and chunks.
    pub fn as_str(self) -> &'static str {
        match self {
            StateKind::Value => "value",
            StateKind::List => "list",
            StateKind::Map => "map",
            StateKind::Reducing => "reducing",
            StateKind::Aggregating => "aggregating",
            StateKind::Timers => "timers",
            StateKind::OperatorList => "operator-list",
            StateKind::OperatorUnion => "operator-union",
            StateKind::Broadcast => "broadcast",
        }
    }
}

/// What a chunk says about the rows of earlier chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChunkKind {
    /// Everything that there is in the chunk's hash range. Hides every earlier row there, also of
    /// keys that the chunk does not have. Has no tombstones.
    Base,
    /// What changed. A row takes the place of an earlier row for the same key (map: key and map key;
    /// timers: key and timestamp), and a tombstone removes it.
    Delta,
}

impl ChunkKind {
    /// The kind's name, as in manifests and chunks.
    pub fn as_str(self) -> &'static str {
        match self {
            ChunkKind::Base => "base",
            ChunkKind::Delta => "delta",
        }
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for ChunkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
