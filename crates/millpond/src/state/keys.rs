//! From key to slot: one table an operator, one look-up a record.

use super::slabs::Slabs;
use super::slot_table::{SlotTable, VACANT};

/// A key's place in every state of its operator.
pub(crate) type Slot = u32;

/// The keys that a subtask knows, each with a slot. Freed slots are used again.
pub(crate) struct KeyTable<K> {
    table: SlotTable,
    keys: Slabs<K>,
    hashes: Slabs<u64>,
    free: Vec<Slot>,
    /// Slots of keys that are gone but whose tombstones the next snapshot will write; their keys are still needed.
    retired: Vec<Slot>,
    /// Slots of keys that are gone but that the snapshot being copied still needs.
    retiring: Vec<Slot>,
    copying: bool,
}

impl<K: Clone + Eq> KeyTable<K> {
    pub(crate) fn new() -> Self {
        KeyTable {
            table: SlotTable::new(),
            keys: Slabs::new(),
            hashes: Slabs::new(),
            free: Vec::new(),
            retired: Vec::new(),
            retiring: Vec::new(),
            copying: false,
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

    #[cold]
    fn insert(&mut self, hash: u64, key: &K) -> Slot {
        let KeyTable { table, keys, hashes, free, .. } = self;
        let slot = match free.pop() {
            Some(slot) => {
                keys[slot as usize] = key.clone();
                hashes[slot as usize] = hash;
                slot
            }
            None => {
                // 2^32 keys a subtask; their slots alone would take 100 GB.
                let slot = Slot::try_from(keys.len()).ok().filter(|slot| *slot != VACANT);
                let slot = slot.expect("fewer than 2^32 keys in one subtask");
                keys.push(key.clone());
                hashes.push(hash);
                slot
            }
        };
        table.insert(hash, slot);
        slot
    }

    pub(crate) fn key(&self, slot: Slot) -> &K {
        &self.keys[slot as usize]
    }

    pub(crate) fn hash(&self, slot: Slot) -> u64 {
        self.hashes[slot as usize]
    }

    /// Forgets the key of `slot`. The slot is used again at once, unless a snapshot still needs its key: for a row that
    /// is being copied, or (`tombstone`) for one that the next snapshot will write.
    pub(crate) fn release(&mut self, slot: Slot, tombstone: bool) {
        self.table.remove(self.hashes[slot as usize], slot);
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

    /// Slots that hold a key.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.table.slots()
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
