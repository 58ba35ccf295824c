//! What differs between two snapshots: by operator, by state, and by key.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::Resolved;
use crate::Result;
use crate::hash::HashRange;
use crate::ids::{OperatorUid, StateName};
use crate::manifest::StateSnapshot;
use crate::state::{DiffCounts, RowChange, StateReader, Tombstones, diff_states};
use crate::store::Store;

/// A state of an operator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateId {
    /// The operator.
    pub operator: OperatorUid,
    /// The state.
    pub state: StateName,
}

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.operator, self.state)
    }
}

/// What differs in a state that both snapshots have.
#[derive(Debug, Clone, PartialEq)]
pub enum StateDiff {
    /// Both name the same chunks, or hold the same rows.
    Same,
    /// The rows of keyed state differ so.
    Rows(DiffCounts),
    /// The rows of operator state differ: those that are gone, and those that are new.
    Operator {
        /// Rows then and not now.
        removed: Vec<Value>,
        /// Rows now and not then.
        added: Vec<Value>,
    },
    /// The rows cannot be compared, for this reason.
    Incomparable(String),
}

/// What differs between two snapshots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SnapshotDiff {
    /// States that only the first has.
    pub removed: Vec<StateId>,
    /// States that only the second has.
    pub added: Vec<StateId>,
    /// States that both have.
    pub common: BTreeMap<StateId, StateDiff>,
}

/// Compares two snapshots and tells `on_change` of each key that differs. Chunks that both name are not
/// skipped within a state that changed, but a state whose chunks are all the same is not read.
///
/// ```no_run
/// use millpond_snapshot::repository::{StateDiff, diff, resolve};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let (before, after) = (resolve(&store, "flights@41").await?, resolve(&store, "flights@42").await?);
/// let found = diff(&before, &after, |state, change| println!("{state}: {:?}", change.after)).await?;
/// for (state, differs) in &found.common {
///     if let StateDiff::Rows(counts) = differs {
///         println!("{state}: {} keys added, {} changed, {} removed", counts.added, counts.changed, counts.removed);
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub async fn diff(
    before: &Resolved,
    after: &Resolved,
    mut on_change: impl FnMut(&StateId, RowChange),
) -> Result<SnapshotDiff> {
    let (old, new) = (states(before)?, states(after)?);
    let mut diff = SnapshotDiff {
        removed: old.keys().filter(|id| !new.contains_key(id)).cloned().collect(),
        added: new.keys().filter(|id| !old.contains_key(id)).cloned().collect(),
        common: BTreeMap::new(),
    };
    for (id, then) in old {
        if let Some(now) = new.get(&id) {
            let sides = [(&before.store, then), (&after.store, *now)];
            let found = diff_state(sides, |change| on_change(&id, change)).await?;
            diff.common.insert(id, found);
        }
    }
    Ok(diff)
}

fn states(snapshot: &Resolved) -> Result<BTreeMap<StateId, &StateSnapshot>> {
    let states = snapshot.record()?.manifest.states();
    let id =
        |operator: &OperatorUid, state: &StateName| StateId { operator: operator.clone(), state: state.clone() };
    Ok(states.map(|(operator, state)| (id(&operator.uid, &state.name), state)).collect())
}

async fn diff_state(
    [(old_store, old), (new_store, new)]: [(&Store, &StateSnapshot); 2],
    on_change: impl FnMut(RowChange),
) -> Result<StateDiff> {
    if old.kind != new.kind {
        return Ok(StateDiff::Incomparable(format!("it was {} state and is {} state", old.kind, new.kind)));
    }
    if let (Some(old), Some(new)) = (&old.rows_inline, &new.rows_inline) {
        let removed: Vec<_> = old.iter().filter(|row| !new.contains(row)).cloned().collect();
        let added: Vec<_> = new.iter().filter(|row| !old.contains(row)).cloned().collect();
        let same = removed.is_empty() && added.is_empty();
        return Ok(if same { StateDiff::Same } else { StateDiff::Operator { removed, added } });
    }
    if old.chunks.iter().map(|c| c.hash).eq(new.chunks.iter().map(|c| c.hash)) {
        return Ok(StateDiff::Same);
    }
    if !same_keys(old, new) {
        return Ok(StateDiff::Incomparable("its key is of another type".to_owned()));
    }
    let reader = |store: &Store, state: &StateSnapshot| {
        StateReader::new(store, state.kind, &state.chunks, HashRange::FULL, Tombstones::Drop)
    };
    let counts = diff_states(old.kind, reader(old_store, old), reader(new_store, new), on_change).await?;
    let same = DiffCounts { same: counts.same, ..DiffCounts::default() } == counts;
    Ok(if same { StateDiff::Same } else { StateDiff::Rows(counts) })
}

fn same_keys(old: &StateSnapshot, new: &StateSnapshot) -> bool {
    let types = |state: &StateSnapshot| {
        [&state.key_schema, &state.map_key_schema].map(|s| s.as_ref().and_then(|s| s.data_type().cloned()))
    };
    types(old) == types(new)
}
