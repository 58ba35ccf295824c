//! From key to slot: one table an operator, one look-up a record.

use millpond_snapshot::hash::{HashRange, key_hash};

use super::codec::StateValue;
use super::slabs::Slabs;
use super::slot_table::{Places, Slot, SlotTable, Stop, VACANT};

/// The keys that a subtask knows, each with a slot. Freed slots are used again.
///
/// Hashes are not kept: they would be a quarter of what a key and a value of eight bytes take, and are computed as fast as read.
pub(crate) struct KeyTable<K> {
    table: SlotTable,
    keys: Slabs<K>,
    free: Vec<Slot>,
    /// Slots of keys that are gone but whose tombstones the next snapshot will write; their keys are still needed.
    retired: Vec<Slot>,
    /// Slots of keys that are gone but that the snapshot being copied still needs.
    retiring: Vec<Slot>,
    copying: bool,
    /// The hashes of all keys, as long as these are still to be entered in the table.
    unindexed: Slabs<u64>,
    /// Where the key of the last row is that was restored.
    restored: Option<Slot>,
}

/// The hash of a key that is in a table.
#[inline]
pub(crate) fn hash<K: StateValue>(key: &K) -> u64 {
    key_hash(key).expect("a key has a hash that had one when it came")
}

impl<K: StateValue + Eq> KeyTable<K> {
    /// For the keys of a `range`.
    pub(crate) fn new(range: HashRange) -> Self {
        KeyTable {
            table: SlotTable::new(range),
            keys: Slabs::new(),
            free: Vec::new(),
            retired: Vec::new(),
            retiring: Vec::new(),
            copying: false,
            unindexed: Slabs::new(),
            restored: None,
        }
    }

    /// The slot of `key`, and whether it is new.
    #[inline]
    pub(crate) fn slot(&mut self, hash: u64, key: &K) -> (Slot, bool) {
        match self.find(hash, key) {
            Some(slot) => (slot, false),
            None => (self.insert(hash, key), true),
        }
    }

    /// The slot of `key`, if it has one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &K) -> Option<Slot> {
        // The key alone decides: it is one place less to look at than the hash.
        self.table.find(hash, |slot| self.keys[slot as usize] == *key)
    }

    /// The slots that the keys of a batch have if they have any, going by their hashes alone. They are still to be
    /// [confirmed](KeyTable::confirm).
    pub(crate) fn guess(&self, hashes: impl Iterator<Item = u64> + Clone, slots: &mut Vec<Slot>) {
        self.table.touch(hashes.clone());
        slots.extend(hashes.map(|hash| self.table.find(hash, |_| true).unwrap_or(VACANT)));
    }

    /// The slot of `key`, and whether it is new, given what was guessed.
    #[inline]
    pub(crate) fn confirm(&mut self, guess: Slot, hash: u64, key: &K) -> (Slot, bool) {
        match self.keys.get(guess as usize) {
            Some(found) if found == key => (guess, false),
            _ => self.look_again(hash, key),
        }
    }

    /// Away from the path that nearly all keys take, so that it is short.
    #[cold]
    fn look_again(&mut self, hash: u64, key: &K) -> (Slot, bool) {
        self.slot(hash, key)
    }

    /// The slot of the key of a row that is restored.
    ///
    /// Rows of a snapshot come by their hashes. As long as each is greater than the last, its key is a new one, and there is no
    /// table: [`KeyTable::index`] makes it of all keys at once. A key of several rows, and the rows of another state, which have much
    /// the same keys in the same order, are mostly found without it too. Only while no slot has been freed.
    pub(crate) fn restored_slot(&mut self, hash: u64, key: &K) -> Slot {
        let slot = if self.keys.is_empty() || self.unindexed.last().is_some_and(|last| *last < hash) {
            self.unindexed.push(hash);
            self.push(key)
        } else {
            let mut near = self.restored.into_iter().flat_map(|last| [last, last + 1]);
            near.find(|slot| self.keys.get(*slot as usize) == Some(key)).unwrap_or_else(|| {
                self.index();
                self.slot(hash, key).0
            })
        };
        self.restored = Some(slot);
        slot
    }

    /// Enters the keys in the table that [`KeyTable::restored_slot`] has not. Before it, no key is found.
    pub(crate) fn index(&mut self) {
        let hashes = std::mem::take(&mut self.unindexed);
        if !hashes.is_empty() {
            self.table.number(hashes.iter().copied());
        }
    }

    #[cold]
    fn insert(&mut self, hash: u64, key: &K) -> Slot {
        debug_assert!(self.unindexed.is_empty(), "a key is looked up in a table that is not there yet");
        let slot = match self.free.pop() {
            Some(slot) => {
                self.keys[slot as usize] = key.clone();
                slot
            }
            None => self.push(key),
        };
        self.table.insert(hash, slot);
        slot
    }

    fn push(&mut self, key: &K) -> Slot {
        // 2^32 keys a subtask; their slots alone would take 100 GB.
        let slot = Slot::try_from(self.keys.len()).ok().filter(|slot| *slot != VACANT);
        let slot = slot.expect("fewer than 2^32 keys in one subtask");
        self.keys.push(key.clone());
        slot
    }

    pub(crate) fn key(&self, slot: Slot) -> &K {
        &self.keys[slot as usize]
    }

    /// The hash of the key in `slot`.
    pub(crate) fn hash(&self, slot: Slot) -> u64 {
        hash(self.key(slot))
    }

    /// Forgets the key of `slot`. The slot is used again at once, unless a snapshot still needs its key: for a row that
    /// is being copied, or (`tombstone`) for one that the next snapshot will write.
    pub(crate) fn release(&mut self, slot: Slot, tombstone: bool) {
        self.table.remove(self.hash(slot), slot);
        if tombstone {
            self.retired.push(slot);
        } else if self.copying {
            self.retiring.push(slot);
        } else {
            self.free.push(slot);
        }
    }

    /// A snapshot is being copied: what has been retired so far is part of it.
    pub(crate) fn freeze(&mut self) {
        self.copying = true;
        self.retiring.append(&mut self.retired);
    }

    /// The copy is done.
    pub(crate) fn thaw(&mut self) {
        self.copying = false;
        self.free.append(&mut self.retiring);
    }

    /// How hashes lie among those of all keys.
    pub(crate) fn places(&self) -> Places {
        self.table.places()
    }

    /// Adds the keys of a shard of the table, in the order of their hashes, of which so many leading bits are left out.
    pub(crate) fn stops(&self, shard: usize, bits: u32, stops: &mut Vec<Stop>) {
        self.table.stops(shard, bits, stops);
    }

    /// Slots that hold a key, in their order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + use<K> {
        let mut gone = vec![false; self.keys.len()];
        let without = [&self.free, &self.retired, &self.retiring];
        without.into_iter().flatten().for_each(|slot| gone[*slot as usize] = true);
        (0..).zip(gone).filter(|(_, gone)| !gone).map(|(slot, _)| slot)
    }

    /// One past the greatest slot ever given out.
    pub(crate) fn capacity(&self) -> usize {
        self.keys.len()
    }

    /// Keys in the table.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    /// Two of them share a hash.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct Twin(u64);

    impl Serialize for Twin {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u64(self.0 / 2)
        }
    }

    fn hash(key: &Twin) -> u64 {
        key_hash(key).unwrap()
    }

    /// Keys of rows, in runs that rise as those of a chunk do, or that don't.
    fn rows() -> impl Strategy<Value = Vec<Vec<Twin>>> {
        let chunk = prop::collection::vec((0..40_u64).prop_map(Twin), 0..30);
        let chunk = (chunk, 0..4).prop_map(|(mut keys, disorder)| {
            if disorder > 0 {
                keys.sort_by_key(hash);
            }
            keys
        });
        prop::collection::vec(chunk, 1..4)
    }

    proptest! {
        #[test]
        fn a_key_that_is_restored_has_one_slot_however_rows_come(chunks in rows()) {
            let mut table = KeyTable::new(HashRange::FULL);
            let mut model = BTreeMap::new();
            for chunk in chunks {
                for key in &chunk {
                    let slot = table.restored_slot(hash(key), key);
                    let new = model.len() as Slot;
                    prop_assert_eq!(slot, *model.entry(*key).or_insert(new));
                }
            }
            table.index();
            prop_assert_eq!(table.len(), model.len());
            for (key, slot) in &model {
                prop_assert_eq!(table.find(hash(key), key), Some(*slot));
                prop_assert_eq!((table.key(*slot), table.hash(*slot)), (key, hash(key)));
            }
            prop_assert_eq!(table.find(hash(&Twin(99)), &Twin(99)), None);
            prop_assert!(table.slots().eq(0..model.len() as Slot));
            if let Some((key, slot)) = model.pop_first() {
                table.release(slot, false);
                prop_assert!(table.slots().all(|other| other != slot) && table.slots().count() == model.len());
                prop_assert_eq!(table.slot(hash(&key), &key), (slot, true));
            }
        }
    }
}
