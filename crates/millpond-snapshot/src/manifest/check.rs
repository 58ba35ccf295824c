//! What must hold in a manifest beyond its shape.

use std::collections::BTreeSet;

use super::{Manifest, StateSnapshot};
use crate::chunk::{MAX_CHUNK_BYTES, MAX_CHUNK_ROWS, StateKind};

impl Manifest {
    /// Checks what serde cannot; the error names the field and says what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let mut uids = BTreeSet::new();
        for operator in &self.operators {
            let at = format!("operator {}", operator.uid);
            if !uids.insert(&operator.uid) {
                return Err((at, "appears twice".to_owned()));
            }
            let mut names = BTreeSet::new();
            for state in &operator.states {
                let at = format!("{at}, state {}", state.name);
                if !names.insert(&state.name) {
                    return Err((at, "appears twice".to_owned()));
                }
                check_state(state).map_err(|problem| (at, problem))?;
            }
        }
        Ok(())
    }
}

fn check_state(state: &StateSnapshot) -> Result<(), String> {
    let kind = state.kind;
    // A broadcast state is a map of its own: it may say what its keys are.
    let keyed = if kind == StateKind::Broadcast { state.key_schema.is_some() } else { kind.is_keyed() };
    let has = [
        ("key_schema", state.key_schema.is_some(), keyed),
        ("map_key_schema", state.map_key_schema.is_some(), kind == StateKind::Map),
        ("rows_inline", state.rows_inline.is_some(), !kind.is_keyed()),
    ];
    for (field, found, expected) in has {
        match (found, expected) {
            (true, false) => return Err(format!("{kind} state has no {field}, found one")),
            (false, true) => return Err(format!("{kind} state has a {field}, found none")),
            _ => {}
        }
    }
    if kind.is_keyed() && state.value_schema.is_some() == (kind == StateKind::Timers) {
        return Err(format!("value_schema does not go with {kind} state"));
    }
    if !kind.is_keyed() && !state.chunks.is_empty() {
        return Err(format!("{kind} state has no chunks, found {}", state.chunks.len()));
    }
    for chunk in &state.chunks {
        let limits = [("bytes", chunk.bytes, MAX_CHUNK_BYTES), ("rows", chunk.rows, MAX_CHUNK_ROWS)];
        for (what, found, limit) in limits {
            if found > limit {
                return Err(format!("chunk {} has at most {limit} {what}, found {found}", chunk.hash));
            }
        }
    }
    Ok(())
}
