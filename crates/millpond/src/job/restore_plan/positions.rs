//! Sources that begin where they are told to, and not where the snapshot stands.

use millpond_snapshot::manifest::OperatorSnapshot;
use serde_json::Value;

use super::super::plan::OperatorPlan;
use crate::operators::source::{FOUND, SPLITS};
use crate::source::SourcePosition;

/// Positions that are shown one by one; of more, how many there are.
const SHOWN: usize = 3;
/// The longest position that is shown whole.
const SHOWN_CHARS: usize = 200;

/// A source with a position of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PositionPlan {
    pub(crate) uid: String,
    /// Where the snapshot stands, in words.
    pub(crate) old: String,
    pub(crate) new: String,
}

impl PositionPlan {
    pub(super) fn new(
        operator: &OperatorPlan,
        snapshot: Option<&OperatorSnapshot>,
        position: &SourcePosition,
    ) -> Self {
        let old = snapshot.map_or_else(|| "its beginning".to_owned(), stands);
        PositionPlan { uid: operator.uid.to_string(), old, new: position.to_string() }
    }
}

/// Whether a source's state says how far it has read.
pub(super) fn is_position(state: &str) -> bool {
    state == FOUND || state == SPLITS
}

/// How far a source of a snapshot has read.
fn stands(snapshot: &OperatorSnapshot) -> String {
    let rows = |name: &str| {
        let state = snapshot.states.iter().find(|state| state.name.as_str() == name);
        state.and_then(|state| state.rows_inline.as_deref()).unwrap_or_default()
    };
    let (found, reading) = (rows(FOUND), rows(SPLITS));
    let mut text = match found.len() {
        1 => "1 split found".to_owned(),
        n => format!("{n} splits found"),
    };
    if reading.is_empty() {
        text.push_str(", all read to their end");
        return text;
    }
    let shown: Vec<String> = reading.iter().take(SHOWN).map(position).collect();
    text.push_str(&format!(", {} being read: {}", reading.len(), shown.join("; ")));
    if reading.len() > SHOWN {
        text.push_str("; …");
    }
    text
}

/// A split with its position, as the source writes it down.
fn position(row: &Value) -> String {
    let text = row.get("split").unwrap_or(row).to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
