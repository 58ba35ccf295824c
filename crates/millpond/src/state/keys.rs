//! From key to slot: one table an operator, one look-up a record.

use hashbrown::HashTable;

/// A key's place in every state of its operator.
pub(crate) type Slot = u32;

/// The keys that a subtask knows, each with a slot. Freed slots are used again.
pub(crate) struct KeyTable<K> {
    table: HashTable<Slot>,
    keys: Vec<K>,
    hashes: Vec<u64>,
    free: Vec<Slot>,
    /// Slots of keys that are gone but whose tombstones the next snapshot will write; their keys are still needed.
    retired: Vec<Slot>,
    /// Slots of keys that are gone but that the snapshot being copied still needs.
    retiring: Vec<Slot>,
    copying: bool,
}

/// The table wants the entropy of a hash in other bits than a hash range leaves free: rotate.
#[inline]
fn spread(hash: u64) -> u64 {
    hash.rotate_left(32)
}

impl<K: Clone + Eq> KeyTable<K> {
    pub(crate) fn new() -> Self {
        KeyTable {
            table: HashTable::new(),
            keys: Vec::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            retired: Vec::new(),
            retiring: Vec::new(),
            copying: false,
        }
    }

    /// The slot of `key`, and whether it is new.
    #[inline]
    pub(crate) fn slot(&mut self, hash: u64, key: &K) -> (Slot, bool) {
        let KeyTable { table, keys, hashes, free, .. } = self;
        match table.entry(
            spread(hash),
            // The table compares seven bits of the hash itself; the key alone decides, and is one place less to look at.
            |slot| keys[*slot as usize] == *key,
            |slot| spread(hashes[*slot as usize]),
        ) {
            hashbrown::hash_table::Entry::Occupied(entry) => (*entry.get(), false),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let slot = match free.pop() {
                    Some(slot) => {
                        keys[slot as usize] = key.clone();
                        hashes[slot as usize] = hash;
                        slot
                    }
                    None => {
                        // 2^32 keys a subtask; their slots alone would take 100 GB.
                        let slot = Slot::try_from(keys.len()).expect("fewer than 2^32 keys in one subtask");
                        keys.push(key.clone());
                        hashes.push(hash);
                        slot
                    }
                };
                entry.insert(slot);
                (slot, true)
            }
        }
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
        let hash = self.hashes[slot as usize];
        if let Ok(entry) = self.table.find_entry(spread(hash), |other| *other == slot) {
            entry.remove();
        }
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
        self.table.iter().copied()
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
