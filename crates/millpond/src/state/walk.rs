//! A snapshot of everything: stretch by stretch of the hashes.
//!
//! Once a stretch has been walked through nothing more comes of it, and its rows are sorted and encoded while the walk goes on. What is
//! about to change before the walk has come to it is copied into its stretch just before. In a stretch keys are copied in the
//! order of their slots: those lie all over memory, and in this order the nearest to each other.

use std::ops::{Bound, Range};
use std::rc::Rc;

use millpond_snapshot::hash::HashRange;

use super::codec::StateValue;
use super::keyed::Cursor;
use super::keys::{KeyTable, Slot};
use super::slabs::Slabs;
use super::slot_table::{Places, SHARDS};
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
        let count = keys.div_ceil(most).max(1).next_power_of_two().min(SHARDS);
        Stretches { places, bits: count.ilog2() }
    }

    pub(super) fn count(self) -> usize {
        1 << self.bits
    }

    pub(super) fn of_hash(self, hash: u64) -> usize {
        self.places.of(hash).checked_shr(u64::BITS - self.bits).unwrap_or(0) as usize
    }

    /// The shards of the table that are this stretch.
    pub(super) fn shards(self, stretch: usize) -> Range<usize> {
        let each = SHARDS >> self.bits;
        stretch * each..(stretch + 1) * each
    }
}

/// How far a walk has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) stretch: usize,
    /// The keys of the stretch, in the order of their slots.
    pub(super) slots: Vec<Slot>,
    /// Those that are being looked at,
    pub(super) near: Range<usize>,
    /// and how many states have looked at all of them.
    pub(super) at: usize,
}

impl Walk {
    /// Begins with a stretch.
    pub(super) fn begin<K: StateValue + Eq>(&mut self, stretch: usize, stretches: Stretches, keys: &KeyTable<K>) {
        keys.slots_in(stretches.shards(stretch), &mut self.slots);
        (self.stretch, self.near, self.at) = (stretch, 0..0, 0);
    }
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

    /// Begins anew with a list for each stretch.
    pub(super) fn begin(&mut self, stretches: Vec<R>) {
        self.rows = stretches;
    }

    /// The stretch of the cursor's key.
    pub(super) fn stretch(&self) -> usize {
        self.cursor.stretch()
    }

    /// Rows of the stretch of the cursor's key. Away from the path of records that change nothing that is to be copied.
    #[inline(never)]
    pub(super) fn here(&mut self) -> &mut R {
        let stretch = if self.rows.len() == 1 { 0 } else { self.stretch() };
        &mut self.rows[stretch]
    }

    pub(super) fn of(&self, stretch: usize) -> &R {
        &self.rows[stretch]
    }

    pub(super) fn of_mut(&mut self, stretch: usize) -> &mut R {
        &mut self.rows[stretch]
    }
}

/// Looks at the entries that keys of a stretch have in their maps, at most `budget`, from where the walk has come to, and gives those
/// that are due to `copy`. Says whether these were all.
pub(super) fn walk_maps<M: Ord + Clone, E>(
    maps: &Slabs<SortedMap<M, E>>,
    tracker: &mut Tracker<(Slot, M)>,
    slots: &[Slot],
    stretch: usize,
    budget: &mut usize,
    mark: impl Fn(&E) -> Mark,
    mut copy: impl FnMut(Slot, &M, &E),
) -> bool {
    let last = tracker.copied().filter(|(of, _)| *of == stretch).map(|(_, last)| last);
    let from = last.map_or(0, |(last, _)| slots.partition_point(|slot| slot < last));
    let mut reached = None;
    let mut done = true;
    'slots: for slot in &slots[from..] {
        let Some(map) = maps.get(*slot as usize) else { continue };
        let behind = match last {
            Some((of, key)) if of == slot => Bound::Excluded(key),
            _ => Bound::Unbounded,
        };
        for (key, entry) in map.range((behind, Bound::Unbounded)) {
            if *budget == 0 {
                done = false;
                break 'slots;
            }
            *budget -= 1;
            if tracker.is_due(mark(entry), |copied| is_behind(stretch, *slot, key, copied)) {
                copy(*slot, key, entry);
            }
            reached = Some((*slot, key));
        }
    }
    if let Some((slot, key)) = reached {
        tracker.came_to((stretch, (slot, key.clone())));
    }
    done
}

/// Whether an entry comes later in the walk than another one.
#[inline]
pub(super) fn is_behind<M: Ord>(stretch: usize, slot: Slot, key: &M, other: &Placed<(Slot, M)>) -> bool {
    let (other_stretch, (other_slot, other_key)) = other;
    (stretch, slot, key) > (*other_stretch, *other_slot, other_key)
}
