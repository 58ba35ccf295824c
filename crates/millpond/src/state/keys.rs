//! From key to slot: one table an operator, one look-up a record.

use hashbrown::HashTable;

use super::slabs::Slabs;

/// A key's place in every state of its operator.
pub(crate) type Slot = u32;

/// The keys that a subtask knows, each with a slot. Freed slots are used again.
pub(crate) struct KeyTable<K> {
    /// By the lowest bits of the hash. A table that grows moves all that it has at once: each is small enough for that.
    shards: Vec<HashTable<Slot>>,
    len: usize,
    keys: Slabs<K>,
    hashes: Slabs<u64>,
    free: Vec<Slot>,
    /// Slots of keys that are gone but whose tombstones the next snapshot will write; their keys are still needed.
    retired: Vec<Slot>,
    /// Slots of keys that are gone but that the snapshot being copied still needs.
    retiring: Vec<Slot>,
    copying: bool,
}

/// With 25 million keys in a subtask, a shard has 100,000: they are moved in about a millisecond.
const SHARDS: usize = 256;

#[inline]
fn shard_of(hash: u64) -> usize {
    hash as usize % SHARDS
}

/// The table wants the entropy of a hash in other bits than a hash range leaves free: rotate.
#[inline]
fn spread(hash: u64) -> u64 {
    hash.rotate_left(32)
}

impl<K: Clone + Eq> KeyTable<K> {
    pub(crate) fn new() -> Self {
        KeyTable {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            len: 0,
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
        // The table compares seven bits of the hash itself; the key alone decides, and is one place less to look at.
        match self.find(hash, key) {
            Some(slot) => (slot, false),
            None => (self.insert(hash, key), true),
        }
    }

    /// The slot of `key`, if it has one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &K) -> Option<Slot> {
        self.shards[shard_of(hash)].find(spread(hash), |slot| self.keys[*slot as usize] == *key).copied()
    }

    #[cold]
    fn insert(&mut self, hash: u64, key: &K) -> Slot {
        let KeyTable { shards, keys, hashes, free, .. } = self;
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
        shards[shard_of(hash)].insert_unique(spread(hash), slot, |slot| spread(hashes[*slot as usize]));
        self.len += 1;
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
        let hash = self.hashes[slot as usize];
        if let Ok(entry) = self.shards[shard_of(hash)].find_entry(spread(hash), |other| *other == slot) {
            entry.remove();
            self.len -= 1;
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
        self.shards.iter().flatten().copied()
    }

    /// One past the greatest slot ever given out.
    pub(crate) fn capacity(&self) -> usize {
        self.keys.len()
    }

    /// Keys in the table.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}
