//! Reads a state that an older program wrote with other types.
//!
//! Each merge unit is read once, in its newest version and under its old key: what one old key has lost must not be lost to
//! another that becomes the same. Where keys may have moved, every subtask reads everything and keeps what is now its own.

use arrow_array::RecordBatch;
use millpond_snapshot::Store;
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::manifest::StateSnapshot;
use millpond_snapshot::state::{StateReader, Tombstones};
use millpond_snapshot::typed;
use tokio::runtime::Handle;

use crate::error::Error;
use crate::state::codec::StateValue;
use crate::state::evolution::{Outcome, Trouble};
use crate::state::keyed::KeyedStates;

/// Reads the rows of state number `index` that belong into `range`.
pub(crate) fn evolved<K: StateValue + Eq>(
    store: &Store,
    state: &StateSnapshot,
    outcome: &Outcome,
    index: usize,
    range: HashRange,
    states: &mut KeyedStates<K>,
    handle: &Handle,
) -> Result<(), Error> {
    states.rewrite(index);
    let wanted = if outcome.moves { HashRange::FULL } else { range };
    let open = || StateReader::new(store, state.kind, &state.chunks, wanted, Tombstones::Drop);
    let mut reader = open();
    while let Some(batch) = handle.block_on(reader.next())? {
        match states.restore_evolved(index, &batch, outcome, range) {
            Ok(()) => {}
            Err(Trouble::Other(error)) => return Err(error),
            Err(Trouble::Row(row, why)) => return Err(Error::snapshot(format!("{}: {why}", name(&batch, row)))),
            Err(Trouble::Collision(row)) => {
                let other = find_other(open(), &batch, row, outcome, states, handle)?;
                let other = other.unwrap_or_else(|| "another entry of the same key".to_owned());
                return Err(Error::snapshot(format!(
                    "{other} and {} become one and the same, and nothing says how their values make one: declare the \
                     state with .merge(|a, b| …)",
                    name(&batch, row)
                )));
            }
        }
    }
    Ok(())
}

/// A cell as people write it.
fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let value = typed::decode_column::<serde_json::Value>(&batch.slice(row, 1), column).ok()?.pop()?;
    Some(value.to_string())
}

/// The key of a row as people write it; in a map, with the map key.
fn name(batch: &RecordBatch, row: usize) -> String {
    let key = text(batch, "key", row).unwrap_or_else(|| "?".to_owned());
    match text(batch, "map_key", row) {
        Some(map_key) => format!("key {key}, map key {map_key}"),
        None => format!("key {key}"),
    }
}

/// An earlier row, under another key, that has become the same as a row of `batch`. Rows were not remembered when they
/// were read: it is looked for only when it is needed.
fn find_other<K: StateValue + Eq>(
    mut reader: StateReader,
    batch: &RecordBatch,
    row: usize,
    outcome: &Outcome,
    states: &KeyedStates<K>,
    handle: &Handle,
) -> Result<Option<String>, Error> {
    let Some(key) = states.evolved_key(batch, outcome, row) else { return Ok(None) };
    let this = text(batch, "key", row);
    while let Some(earlier) = handle.block_on(reader.next())? {
        for at in 0..earlier.num_rows() {
            if states.evolved_key(&earlier, outcome, at).as_ref() == Some(&key)
                && text(&earlier, "key", at) != this
            {
                return Ok(Some(name(&earlier, at)));
            }
        }
    }
    Ok(None)
}
