//! A snapshot of everything: key by key, in the order of their hashes.
//!
//! So rows come as they stand in chunks. The hashes are divided into stretches: once a stretch has been walked through nothing
//! more comes of it, and its rows are encoded while the walk goes on. What is about to change before the walk has come to it
//! is copied into its stretch just before.

use std::ops::Bound;
use std::rc::Rc;

use millpond_snapshot::hash::HashRange;

use super::keyed::Cursor;
use super::keys::Slot;
use super::slabs::Slabs;
use super::slot_table::{Places, SHARD_BITS};
use super::sorted::SortedMap;
use super::tracker::{Mark, Placed, Tracker};

/// Keys of a stretch, at most, as long as there are not more of them in a shard of the table.
pub(super) const STRETCH_KEYS: usize = 1 << 16;

/// How hashes are divided into stretches: a power of two of them, each of whole shards of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretches {
    places: Places,
    bits: u32,
}

impl Default for Stretches {
    fn default() -> Self {
        Stretches::one(Places::of_range(HashRange::FULL))
    }
}

impl Stretches {
    /// Everything is one stretch.
    pub(super) fn one(places: Places) -> Self {
        Stretches { places, bits: 0 }
    }

    /// As many as so many `keys` need if `most` are in each.
    pub(super) fn of(places: Places, keys: usize, most: usize) -> Self {
        let bits = keys.div_ceil(most).max(1).next_power_of_two().ilog2().min(SHARD_BITS);
        Stretches { places, bits }
    }

    pub(super) fn count(self) -> usize {
        1 << self.bits
    }

    pub(super) fn of_hash(self, hash: u64) -> usize {
        self.of_place(self.places.of(hash))
    }

    pub(super) fn of_place(self, place: u64) -> usize {
        place.checked_shr(u64::BITS - self.bits).unwrap_or(0) as usize
    }
}

/// How far a walk has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Where to go on in the table, if not at the end.
    pub(super) next: Option<u64>,
    pub(super) stretch: usize,
    /// The keys that are being looked at, by their hashes.
    pub(super) keys: Vec<Placed<Slot>>,
    /// How many states have looked at all of them.
    pub(super) at: usize,
}

/// Rows that have been copied of a state: of its changes, or of each stretch of everything.
pub(super) struct Copied<R> {
    cursor: Rc<Cursor>,
    rows: Vec<R>,
}

impl<R> Copied<R> {
    pub(super) fn new(cursor: Rc<Cursor>) -> Self {
        Copied { cursor, rows: Vec::new() }
    }

    /// Begins anew with so many stretches.
    pub(super) fn begin(&mut self, stretches: usize, make: impl FnMut() -> R) {
        self.rows.clear();
        self.rows.resize_with(stretches, make);
    }

    /// Rows of the stretch of the cursor's key.
    pub(super) fn here(&mut self) -> &mut R {
        let stretch = if self.rows.len() == 1 { 0 } else { self.cursor.stretch() };
        &mut self.rows[stretch]
    }

    pub(super) fn of(&self, stretch: usize) -> &R {
        &self.rows[stretch]
    }

    pub(super) fn of_mut(&mut self, stretch: usize) -> &mut R {
        &mut self.rows[stretch]
    }
}

/// Looks at the entries that `keys` have in their maps, at most `budget`, from where the walk has come to, and gives those that
/// are due to `copy`. Says whether these were all.
pub(super) fn walk_maps<M: Ord + Clone, E>(
    maps: &Slabs<SortedMap<M, E>>,
    tracker: &mut Tracker<(Slot, M)>,
    keys: &[Placed<Slot>],
    budget: &mut usize,
    mark: impl Fn(&E) -> Mark,
    mut copy: impl FnMut(Slot, &M, &E),
) -> bool {
    let last = tracker.copied();
    let from = last.map_or(0, |(hash, (slot, _))| keys.partition_point(|key| *key < (*hash, *slot)));
    let mut reached = None;
    let mut done = true;
    'keys: for (hash, slot) in &keys[from..] {
        let Some(map) = maps.get(*slot as usize) else { continue };
        let behind = match last {
            Some((_, (of, key))) if of == slot => Bound::Excluded(key),
            _ => Bound::Unbounded,
        };
        for (key, entry) in map.range((behind, Bound::Unbounded)) {
            if *budget == 0 {
                done = false;
                break 'keys;
            }
            *budget -= 1;
            if tracker.is_due(mark(entry), |copied| is_behind(*hash, *slot, key, copied)) {
                copy(*slot, key, entry);
            }
            reached = Some((*hash, *slot, key));
        }
    }
    if let Some((hash, slot, key)) = reached {
        tracker.came_to((hash, (slot, key.clone())));
    }
    done
}

/// Whether an entry comes later in the walk than another one.
#[inline]
pub(super) fn is_behind<M: Ord>(hash: u64, slot: Slot, key: &M, other: &Placed<(Slot, M)>) -> bool {
    let (other_hash, (other_slot, other_key)) = other;
    (hash, slot, key) > (*other_hash, *other_slot, other_key)
}
