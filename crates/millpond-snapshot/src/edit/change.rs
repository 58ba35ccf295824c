//! What an edit changes, in words.

use std::fmt;

use crate::chunk::StateKind;
use crate::ids::{OperatorUid, StateName};
use crate::repository::StateId;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// An operator has another uid. All that it had is named again.
    OperatorRenamed {
        /// Its uid before.
        from: OperatorUid,
        /// Its uid now.
        to: OperatorUid,
    },
    /// A state has another name. Its chunks are named again.
    StateRenamed {
        /// The state before.
        from: StateId,
        /// Its name now.
        to: StateName,
    },
    /// A state is left out.
    StateDeleted {
        /// The state.
        state: StateId,
        /// The rows of its chunks: as many as it had, or more if some had changed since they were written.
        rows: u64,
    },
    /// Rows of some keys are taken out of a state.
    KeysDeleted {
        /// The state.
        state: StateId,
        /// The rows that are gone.
        rows: u64,
    },
    /// The rows of a state were read, changed and written.
    Rewritten {
        /// The state.
        state: StateId,
        /// Rows that were read.
        read: u64,
        /// Rows that were written.
        written: u64,
    },
    /// A state is new.
    Created {
        /// The state.
        state: StateId,
        /// Its kind.
        kind: StateKind,
        /// Its rows.
        rows: u64,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::OperatorRenamed { from, to } => write!(f, "operator {from} renamed to {to}"),
            Change::StateRenamed { from, to } => write!(f, "state {from} renamed to {to}"),
            Change::StateDeleted { state, rows } => write!(f, "state {state} deleted ({rows} rows)"),
            Change::KeysDeleted { state, rows } => write!(f, "{rows} rows deleted from {state}"),
            Change::Rewritten { state, read, written } => {
                write!(f, "state {state} rewritten ({read} rows read, {written} written)")
            }
            Change::Created { state, kind, rows } => write!(f, "{kind} state {state} created ({rows} rows)"),
        }
    }
}
