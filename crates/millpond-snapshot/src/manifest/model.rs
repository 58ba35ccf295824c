//! The shape of a manifest.

use serde::{Deserialize, Serialize};

use super::{FORMAT_VERSION, SchemaFields};
use crate::chunk::{ChunkRef, StateKind};
use crate::ids::{Epoch, JobName, OperatorUid, StateName};

/// Everything that a job knew at the end of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the manifest format.
    pub format_version: u64,
    /// The job whose state it is.
    pub job: JobName,
    /// The last epoch whose records are in it.
    pub epoch: Epoch,
    /// The operators, each once.
    pub operators: Vec<OperatorSnapshot>,
}

/// What one operator knew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorSnapshot {
    /// What identifies it from one version of the program to the next.
    pub uid: OperatorUid,
    /// How it came by its uid.
    pub uid_source: UidSource,
    /// Its name, for people.
    pub name: String,
    /// What sort of operator it is, for people and for matching renamed operators.
    pub kind: String,
    /// Its states, each once.
    pub states: Vec<StateSnapshot>,
}

/// How an operator came by its uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UidSource {
    /// The program gives it.
    Given,
    /// Derived from the operator's kind and its inputs: changing those loses it.
    Derived,
}

/// One state of an operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateSnapshot {
    /// What identifies it within its operator.
    pub name: StateName,
    /// What sort of state it is.
    pub kind: StateKind,
    /// The columns of the key; keyed states only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_schema: Option<SchemaFields>,
    /// The columns of the key within a map; map states only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_key_schema: Option<SchemaFields>,
    /// The columns of the value; all states but timers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_schema: Option<SchemaFields>,
    /// How long a row lives after it was written, in milliseconds; `None` for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Its rows, oldest chunk first; keyed states only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<ChunkRef>,
    /// Its rows; operator states only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_inline: Option<Vec<serde_json::Value>>,
}

impl Manifest {
    /// An empty manifest of the current format version.
    pub fn new(job: JobName, epoch: Epoch) -> Self {
        Manifest { format_version: FORMAT_VERSION, job, epoch, operators: Vec::new() }
    }

    /// All chunks of all states.
    pub fn chunks(&self) -> impl Iterator<Item = &ChunkRef> {
        self.states().flat_map(|(_, state)| &state.chunks)
    }

    /// All states, each with its operator.
    pub fn states(&self) -> impl Iterator<Item = (&OperatorSnapshot, &StateSnapshot)> {
        self.operators.iter().flat_map(|op| op.states.iter().map(move |state| (op, state)))
    }

    /// The operator with this uid.
    pub fn operator(&self, uid: &OperatorUid) -> Option<&OperatorSnapshot> {
        self.operators.iter().find(|operator| operator.uid == *uid)
    }

    /// The size of all chunks together, in bytes.
    pub fn bytes(&self) -> u64 {
        ChunkRef::bytes_of(self.chunks())
    }
}

impl StateSnapshot {
    /// As many rows as the state has, or more: its chunks may have several for one key.
    pub fn rows(&self) -> u64 {
        let inline = self.rows_inline.as_ref().map_or(0, Vec::len) as u64;
        self.chunks.iter().fold(inline, |rows, chunk| rows.saturating_add(chunk.rows))
    }

    /// The size of its chunks together, in bytes.
    pub fn bytes(&self) -> u64 {
        ChunkRef::bytes_of(&self.chunks)
    }
}

impl OperatorSnapshot {
    /// The state with this name.
    pub fn state(&self, name: &StateName) -> Option<&StateSnapshot> {
        self.states.iter().find(|state| state.name == *name)
    }
}
