//! All the keyed states of one subtask together.
//!
//! * [`copy`]: what a snapshot takes of them, in slices.
//! * [`restore`]: from the rows of a snapshot to the states.

pub(crate) mod copy;
mod restore;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use arrow_schema::FieldRef;
use millpond_snapshot::hash::HashRange;

use self::copy::Copying;
use super::codec::StateValue;
use super::cursor::Cursor;
use super::descriptor::StateDeclaration;
use super::evolution::Values;
use super::keys::KeyTable;
use super::slabs::Spare;
use super::slot_table::Slot;
use super::spill::evicted::Spill;
use super::spill::part::SpilledPart;
use super::store::Registered;
use super::stretches::STRETCH_KEYS;

/// Slots looked at for expiry in one go.
const SWEEP_SLICE: usize = 256;

/// The keys of a subtask and their states.
pub(crate) struct KeyedStates<K> {
    pub(crate) cursor: Rc<Cursor>,
    pub(super) keys: KeyTable<K>,
    pub(super) states: Vec<Registered>,
    pub(super) key_field: FieldRef,
    /// Keys that are not resident; `None` if all are.
    pub(super) spill: Option<Box<Spill>>,
    /// What the snapshot being copied takes of keys that are not resident.
    spilled: Option<SpilledPart>,
    key_values: Rc<Values<K>>,
    /// States that the next snapshot takes whole, because their old chunks have other columns.
    rewritten: Vec<bool>,
    /// How many keys a stretch of a snapshot has at most.
    pub(super) stretch_keys: usize,
    /// For each state, what the lists of the hashes of its copied rows are made of.
    spare_hashes: Vec<Spare<u64>>,
    /// `None` if no copy is under way.
    copying: Option<Copying>,
    sweep_at: usize,
}

impl<K: StateValue + Eq> KeyedStates<K> {
    pub(crate) fn new(
        cursor: Rc<Cursor>,
        states: Vec<Registered>,
        key_field: FieldRef,
        key_values: Rc<Values<K>>,
        range: HashRange,
    ) -> Self {
        KeyedStates {
            cursor,
            keys: KeyTable::new(range),
            rewritten: vec![false; states.len()],
            spare_hashes: states.iter().map(|_| Spare::new()).collect(),
            states,
            key_field,
            key_values,
            stretch_keys: STRETCH_KEYS,
            copying: None,
            sweep_at: 0,
            spill: None,
            spilled: None,
        }
    }

    pub(crate) fn declarations(&self) -> impl Iterator<Item = &StateDeclaration> {
        self.states.iter().map(|state| &state.declaration)
    }

    /// Finds the slots of all keys of a batch, and brings what the states have for them near.
    ///
    /// Keys come in no order, so that each look-up waits for memory: for the table, for the key, for what the states have. Done
    /// for all keys together one after the other, with nothing in between that needs the result, the processor has several
    /// of the waits under way at once.
    #[inline]
    pub(crate) fn find<'k>(&mut self, keys: impl Iterator<Item = (u64, &'k K)> + Clone, slots: &mut Vec<Slot>)
    where
        K: 'k,
    {
        slots.clear();
        self.keys.guess(keys.clone().map(|(hash, _)| hash), slots);
        self.touch(slots);
        for (slot, (hash, key)) in slots.iter_mut().zip(keys) {
            let (found, new) = self.keys.confirm(*slot, hash, key);
            if new {
                self.cursor.emptied(found);
            }
            *slot = found;
        }
    }

    /// Keeps what the states list of changes from outgrowing what they have. Only where all keys are resident.
    pub(super) fn shorten(&self) {
        for state in &self.states {
            state.store.borrow_mut().shorten(self.keys.len());
        }
    }

    /// Brings what the states have in these slots near.
    pub(crate) fn touch(&self, slots: &[Slot]) {
        for state in &self.states {
            state.store.borrow().touch(slots);
        }
    }

    /// Moves to the key in `slot`, which has this hash.
    #[inline]
    pub(crate) fn select(&self, slot: Slot, hash: u64) {
        self.cursor.select(slot, hash);
    }

    /// Moves to the key in `slot`, whose hash is not at hand.
    #[inline]
    pub(crate) fn revisit(&self, slot: Slot) {
        let hash = if self.is_copying() { self.keys.hash(slot) } else { 0 };
        self.cursor.select(slot, hash);
    }

    /// The key in `slot`.
    #[inline]
    pub(crate) fn key(&self, slot: Slot) -> &K {
        self.keys.key(slot)
    }

    /// Forgets the keys of which nothing is left. To be called after each batch and after timers, when no slot that was found
    /// is needed any more.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.cursor.has_emptied() {
            self.release_emptied();
        }
    }

    fn release_emptied(&mut self) {
        let mut emptied = self.cursor.take_emptied();
        emptied.sort_unstable();
        emptied.dedup();
        emptied.drain(..).for_each(|slot| self.release_if_empty(slot));
        // For its room: nothing is emptied by releasing.
        self.cursor.give_back(emptied);
    }

    fn release_if_empty(&mut self, slot: Slot) {
        let is_empty = !self.states.iter().any(|state| state.store.borrow().is_present(slot));
        if is_empty {
            let tombstone = self.cursor.has_tombstone(slot);
            if let Some(spill) = &mut self.spill {
                // It stays until it is evicted. Its row on disk would come back, if nothing said that it is gone; and a tombstone
                // that came after the key was evicted anew would take away what it has then.
                if tombstone || spill.has_row(slot) {
                    return spill.came(slot, self.keys.hash(slot));
                }
                spill.left(slot);
            }
            self.keys.release(slot, tombstone);
        } else if let Some(spill) = &mut self.spill {
            spill.came(slot, self.keys.hash(slot));
        }
    }

    /// Looks for expired entries in the next few slots. Says whether there is anything that can expire.
    pub(crate) fn sweep(&mut self) -> bool {
        if self.keys.len() == 0 || !self.states.iter().any(|state| state.store.borrow().expires()) {
            return false;
        }
        for _ in 0..SWEEP_SLICE.min(self.keys.capacity()) {
            let slot = self.sweep_at as Slot;
            self.sweep_at = (self.sweep_at + 1) % self.keys.capacity();
            self.revisit(slot);
            let mut lost = false;
            for state in &self.states {
                let mut store = state.store.borrow_mut();
                lost |= store.is_present(slot) && !store.sweep(slot);
            }
            if lost {
                self.release_if_empty(slot);
            }
        }
        self.cursor.forget_emptied();
        true
    }

    /// How many keys are in memory.
    pub(crate) fn resident(&self) -> usize {
        self.keys.len()
    }
}
