//! What a subtask has on disk.

use std::sync::Arc;

use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::hash::HashRange;

use super::backend::SpillSetting;
use super::changes::Changes;
use super::residents::Residents;
use super::row::Victims;
use super::table::Table;
use super::timers::TimerIndex;
use crate::state::slot_table::Slot;
use crate::state::store::Registered;

/// So few are folded at little cost: a snapshot takes them as they are, whatever else there is.
const FEW_CHANGES: usize = 64 << 10;
/// So many times as much may be written to spare the folding.
const MOST_TIMES: usize = 6;

/// What a subtask has on disk, and what it knows of the keys that are resident.
pub(crate) struct Spill {
    pub(super) setting: SpillSetting,
    /// By hash and packed key. Made when the first key is evicted.
    pub(super) rows: Option<Table>,
    /// Keys that have a row there, about: those that have expired may be gone.
    pub(super) keys_on_disk: usize,
    pub(super) changes: Changes,
    pub(super) residents: Residents,
    /// The number of each timer state, and its timers on disk; in the order of declaration.
    pub(super) timers: Vec<(usize, TimerIndex)>,
    pub(super) victims: Victims,
    /// Counts freezes.
    pub(super) generation: u32,
    /// How many keys there were when a snapshot took everything, and how many rows those after it have had.
    pub(super) last_everything: (usize, usize),
    /// Whether rows were written that may be waste some time, though nobody touches their keys.
    pub(super) may_waste: bool,
    /// A key on disk: the hash, then the packed key. For its room.
    pub(super) key: Vec<u8>,
    pub(super) buffer: Vec<u8>,
}

impl Spill {
    /// For the keys of a `range`.
    pub(crate) fn new(setting: &SpillSetting, states: &[Registered], range: HashRange) -> Self {
        let is_timers = |(_, state): &(usize, &Registered)| state.declaration.kind == StateKind::Timers;
        let index = |(number, _)| (number, TimerIndex::new(Arc::clone(&setting.scratch)));
        Spill {
            rows: None,
            keys_on_disk: 0,
            changes: Changes::new(Arc::clone(&setting.scratch)),
            residents: Residents::new(setting.resident, range),
            timers: states.iter().enumerate().filter(is_timers).map(index).collect(),
            victims: Victims::default(),
            generation: 0,
            last_everything: (0, 0),
            may_waste: false,
            key: Vec::new(),
            buffer: Vec::new(),
            setting: setting.clone(),
        }
    }

    /// Whether a row on disk speaks of the key in `slot`, which must then stay until it is evicted.
    pub(crate) fn has_row(&self, slot: Slot) -> bool {
        self.residents.has_row(slot)
    }

    /// The key in `slot`, with this hash, is there.
    pub(crate) fn came(&mut self, slot: Slot, hash: u64) {
        self.residents.touch(slot, hash);
    }

    /// The key in `slot` is forgotten.
    pub(crate) fn left(&mut self, slot: Slot) {
        self.residents.left(slot);
    }

    /// Whether the next snapshot is to take everything, given how many keys are `resident`. Each of them may have changed.
    pub(super) fn is_mostly_changed(&self, resident: usize) -> bool {
        takes_everything(self.changes.len() + resident, self.last_everything, self.keys_on_disk)
    }

    /// The next snapshot will have nothing of what has been written so far.
    pub(super) fn next_generation(&mut self) {
        self.generation += 1;
    }
}

/// Whether a snapshot had better take all `keys` than the rows that have `changed`: if those are half of them, or if with the rows `since`
/// everything was taken, with `then` so many keys, they are half of that, as that is when they are folded. Not if it makes
/// this one many times longer.
fn takes_everything(changed: usize, (then, since): (usize, usize), keys: usize) -> bool {
    let is_much = |rows: usize, times: usize, of: usize| rows.saturating_mul(times) >= of;
    let is_folded = is_much(since + changed, 2, then) && is_much(changed, MOST_TIMES, keys);
    changed >= FEW_CHANGES && (is_much(changed, 2, keys) || is_folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_taken_once_it_would_be_folded_unless_little_of_it_has_changed() {
        let few = FEW_CHANGES;
        assert!(!takes_everything(few - 1, (0, 0), 1), "a few rows are folded at little cost");
        assert!(takes_everything(few, (4 * few, 0), 2 * few) && !takes_everything(few, (4 * few, 0), 3 * few));
        assert!(takes_everything(few, (4 * few, few), 4 * few));
        assert!(takes_everything(few, (0, 0), MOST_TIMES * few), "there was no everything yet");
        assert!(!takes_everything(few, (4 * few, 9 * few), MOST_TIMES * few + 1), "it would be many times longer");
    }
}
