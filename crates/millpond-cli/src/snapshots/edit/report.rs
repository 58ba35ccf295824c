//! What an edit changes, for people and for programs.

use millpond_snapshot::edit::Change;
use serde_json::{Value, json};

use crate::snapshots::words::{count, table};

/// A line for each change.
pub(super) fn text(changes: &[Change]) -> String {
    let lines = changes.iter().map(|change| {
        let (what, how, rows) = match change {
            Change::OperatorRenamed { from, to } => (from.to_string(), format!("renamed to {to}"), None),
            Change::StateRenamed { from, to } => (from.to_string(), format!("renamed to {to}"), None),
            Change::StateDeleted { state, rows } => (state.to_string(), "deleted".to_owned(), Some(*rows)),
            Change::KeysDeleted { state, rows } => (state.to_string(), "rows deleted".to_owned(), Some(*rows)),
            other => (String::new(), other.to_string(), None),
        };
        [what, how, rows.map(count).unwrap_or_default()]
    });
    table(["OPERATOR/STATE", "CHANGE", "ROWS"], lines.collect(), &[2])
}

/// An object for each change.
pub(super) fn json(changes: &[Change]) -> Value {
    let changes = changes.iter().map(|change| match change {
        Change::OperatorRenamed { from, to } => {
            json!({ "change": "operator-renamed", "operator": from, "to": to })
        }
        Change::StateRenamed { from, to } => {
            json!({ "change": "state-renamed", "operator": from.operator, "state": from.state, "to": to })
        }
        Change::StateDeleted { state, rows } => {
            json!({ "change": "state-deleted", "operator": state.operator, "state": state.state, "rows": rows })
        }
        Change::KeysDeleted { state, rows } => {
            json!({ "change": "rows-deleted", "operator": state.operator, "state": state.state, "rows": rows })
        }
        other => json!({ "change": "other", "words": other.to_string() }),
    });
    changes.collect()
}
