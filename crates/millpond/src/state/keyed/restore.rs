//! From the rows of a snapshot to the states, in the form that this program gives them.

use std::rc::Rc;

use arrow_array::{Array, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use millpond_snapshot::hash::{HashRange, key_hash};

use super::KeyedStates;
use crate::error::Error;
use crate::state::codec::{self, StateValue};
use crate::state::evolution::{Outcome, Trouble};
use crate::state::slot_table::Slot;
use crate::state::store::Store;

impl<K: StateValue + Eq> KeyedStates<K> {
    /// Evicts keys until no more are resident than may be.
    fn make_room(&mut self) -> Result<(), Error> {
        while self.is_crowded() && self.evict()? {}
        Ok(())
    }

    /// Puts the rows of a batch of state number `state` in place: live rows are set, tombstones remove.
    pub(crate) fn restore(&mut self, state: usize, batch: &RecordBatch) -> Result<(), Error> {
        let deleted =
            batch.column_by_name("deleted").and_then(|column| column.as_any().downcast_ref::<BooleanArray>());
        // A base has no tombstones, and no column for them.
        let Some(deleted) = deleted.filter(|deleted| deleted.true_count() > 0) else {
            return self.restore_rows(state, batch, |store, slots, rows| store.restore_live(slots, rows));
        };
        // Tombstones sort before the rows of the same key, so doing them first keeps the order.
        let kept = BooleanArray::new(!deleted.values(), None);
        let live = arrow_select::filter::filter_record_batch(batch, &kept);
        let dead = arrow_select::filter::filter_record_batch(batch, deleted);
        self.restore_rows(state, &dead.map_err(Error::snapshot)?, |store, slots, rows| {
            store.restore_dead(slots, rows)
        })?;
        self.restore_rows(state, &live.map_err(Error::snapshot)?, |store, slots, rows| {
            store.restore_live(slots, rows)
        })
    }

    fn restore_rows(
        &mut self,
        state: usize,
        batch: &RecordBatch,
        apply: impl FnOnce(&mut dyn Store, &[Slot], &RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let hashes = hash_column(batch)?;
        let keys: Vec<K> = codec::decode_column(batch, "key")?;
        self.fault_in(hashes.values().iter().copied().zip(&keys))?;
        // What is evicted frees its slot.
        let spills = self.spills();
        let mut slots = Vec::with_capacity(keys.len());
        for (hash, key) in hashes.values().iter().zip(&keys) {
            is_as_stored(key, *hash).map_err(Error::snapshot)?;
            slots.push(if spills { self.keys.slot(*hash, key).0 } else { self.keys.restored_slot(*hash, key) });
        }
        self.note_residents(&slots);
        let store = Rc::clone(&self.states[state].store);
        apply(&mut *store.borrow_mut(), &slots, batch)?;
        self.make_room()
    }

    /// Notes that state number `state` must be written whole.
    pub(crate) fn rewrite(&mut self, state: usize) {
        self.rewritten[state] = true;
    }

    /// Puts the rows of an older program in place: those whose keys belong into `range`. Says of a row what is wrong with
    /// it by its number in the batch.
    pub(crate) fn restore_evolved(
        &mut self,
        state: usize,
        batch: &RecordBatch,
        outcome: &Outcome,
        range: HashRange,
    ) -> Result<(), Trouble> {
        let (rows, keys) = self.evolved_keys(batch, outcome, range)?;
        let kept: UInt32Array = rows.iter().map(|(row, _)| *row).collect();
        let mine = arrow_select::take::take_record_batch(batch, &kept).map_err(Error::snapshot)?;
        self.fault_in(rows.iter().map(|(_, hash)| *hash).zip(&keys))?;
        self.keys.index();
        let slots: Vec<Slot> =
            rows.iter().zip(&keys).map(|((_, hash), key)| self.keys.slot(*hash, key).0).collect();
        self.note_residents(&slots);
        let store = Rc::clone(&self.states[state].store);
        let in_batch = |row: usize| rows[row].0 as usize;
        store.borrow_mut().restore_evolved(&slots, &mine, outcome).map_err(|trouble| match trouble {
            Trouble::Row(row, why) => Trouble::Row(in_batch(row), why),
            Trouble::Collision(row) => Trouble::Collision(in_batch(row)),
            other @ Trouble::Other(_) => other,
        })?;
        Ok(self.make_room()?)
    }

    /// The rows of a batch whose keys belong into `range`, each with its hash, and those keys.
    #[expect(clippy::type_complexity, reason = "two lists that go together, for one caller")]
    fn evolved_keys(
        &self,
        batch: &RecordBatch,
        outcome: &Outcome,
        range: HashRange,
    ) -> Result<(Vec<(u32, u64)>, Vec<K>), Trouble> {
        let keys = self.key_values.read(batch, "key", outcome.key)?;
        // Where no key moves, only the rows of this range were read.
        let stored = if outcome.moves { None } else { Some(hash_column(batch)?) };
        let (mut rows, mut mine) = (Vec::new(), Vec::new());
        for (row, key) in keys.into_iter().enumerate() {
            let hash = match stored {
                Some(stored) => is_as_stored(&key, stored.value(row)).map(|()| stored.value(row)),
                None => key_hash(&key).map_err(|error| error.to_string()),
            };
            let hash = hash.map_err(|why| Trouble::Row(row, why))?;
            if range.contains(hash) {
                // A batch has some thousand rows.
                rows.push((row as u32, hash));
                mine.push(key);
            }
        }
        Ok((rows, mine))
    }

    /// What the key of a row has become.
    pub(crate) fn evolved_key(&self, batch: &RecordBatch, outcome: &Outcome, row: usize) -> Option<K> {
        self.key_values.read(&batch.slice(row, 1), "key", outcome.key).ok()?.pop()
    }

    /// Forgets keys of which a restore has left nothing.
    pub(crate) fn restored(&mut self) -> Result<(), Error> {
        self.keys.index();
        for slot in self.keys.slots() {
            self.release_if_empty(slot);
        }
        self.cursor.forget_emptied();
        self.settle_spilled()
    }
}

fn hash_column(batch: &RecordBatch) -> Result<&UInt64Array, Error> {
    batch
        .column_by_name("hash")
        .and_then(|column| column.as_any().downcast_ref::<UInt64Array>())
        .ok_or_else(|| Error::snapshot("a chunk has no column 'hash' of type u64"))
}

/// That a key that was read has the hash that its row has. Whatever types may hide, such as a conversion of the job's own, a
/// record of this key would look for it where its hash is now, and find nothing.
fn is_as_stored<K: StateValue>(key: &K, stored: u64) -> Result<(), String> {
    match key_hash(key) {
        Ok(hash) if hash == stored => Ok(()),
        Ok(hash) => Err(format!(
            "key {} has the hash {hash:016x} in this program, and its row has {stored:016x}: the program writes the key \
             otherwise than the one that took the snapshot, though their types look the same. Give the type of the \
             key another shape, say a struct with a new field name, and turn old keys into new ones with \
             .migrate_key(…)",
            serde_json::to_string(key).unwrap_or_else(|_| "?".to_owned())
        )),
        Err(error) => Err(error.to_string()),
    }
}
