//! A snapshot of everything: stretch by stretch of the hashes.
//!
//! Once a stretch has been walked through nothing more comes of it, and its rows are sorted and encoded while the walk goes on. What is
//! about to change before the walk has come to it is copied into its stretch just before. In a stretch keys are copied in the
//! order of their hashes, which the table nearly has: of its rows only those that were copied ahead are still to be sorted.

use std::ops::{Bound, Range};
use std::rc::Rc;

use millpond_snapshot::hash::HashRange;

use super::codec::StateValue;
use super::keyed::Cursor;
use super::keys::{KeyTable, Slot};
use super::slabs::Slabs;
use super::slot_table::{Places, SHARDS, Stop};
use super::sorted::SortedMap;
use super::tracker::{Mark, Placed, Spot, Tracker};

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

    /// Where the walk comes to a hash: the stretch, and 32 bits that say how far in it.
    pub(super) fn spot(self, hash: u64) -> Spot {
        self.places.of(hash) >> (u32::BITS - self.bits)
    }

    /// Where it comes to a key of a stretch, and which one that is.
    pub(super) fn placed(stretch: usize, stop: Stop) -> Placed<Slot> {
        ((stretch as u64) << u32::BITS | u64::from(stop.near()), stop.slot())
    }

    /// The stretch of that.
    pub(super) fn stretch(spot: Spot) -> usize {
        (spot >> u32::BITS) as usize
    }

    /// The keys of a stretch, in the order of their hashes.
    fn stops<K: StateValue + Eq>(self, stretch: usize, keys: &KeyTable<K>, stops: &mut Vec<Stop>) {
        stops.clear();
        let each = SHARDS >> self.bits;
        for shard in stretch * each..(stretch + 1) * each {
            keys.stops(shard, self.bits, stops);
        }
    }
}

/// How far a walk has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) stretch: usize,
    /// The keys of the stretch, in the order of their hashes.
    pub(super) stops: Vec<Stop>,
    /// Those that are being looked at,
    pub(super) near: Range<usize>,
    /// and how many states have looked at all of them.
    pub(super) at: usize,
}

impl Walk {
    /// Begins with a stretch.
    pub(super) fn begin<K: StateValue + Eq>(&mut self, stretch: usize, stretches: Stretches, keys: &KeyTable<K>) {
        stretches.stops(stretch, keys, &mut self.stops);
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

    /// Where the walk comes to the cursor's key.
    pub(super) fn spot(&self) -> Spot {
        self.cursor.spot()
    }

    /// Rows of the stretch of the cursor's key. Away from the path of records that change nothing that is to be copied.
    #[inline(never)]
    pub(super) fn here(&mut self) -> &mut R {
        let stretch = if self.rows.len() == 1 { 0 } else { Stretches::stretch(self.spot()) };
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
    stops: &[Stop],
    stretch: usize,
    budget: &mut usize,
    mark: impl Fn(&E) -> Mark,
    mut copy: impl FnMut(Slot, &M, &E),
) -> bool {
    let last = tracker.copied().map(|(spot, (slot, key))| ((*spot, *slot), key));
    let from = last.map_or(0, |(last, _)| stops.partition_point(|stop| Stretches::placed(stretch, *stop) < last));
    let mut reached = None;
    let mut done = true;
    'stops: for stop in &stops[from..] {
        let Some(map) = maps.get(stop.slot() as usize) else { continue };
        let behind = match last {
            Some((last, key)) if last == Stretches::placed(stretch, *stop) => Bound::Excluded(key),
            _ => Bound::Unbounded,
        };
        for (key, entry) in map.range((behind, Bound::Unbounded)) {
            if *budget == 0 {
                done = false;
                break 'stops;
            }
            *budget -= 1;
            // The walk has not come to it yet.
            if tracker.is_due(mark(entry), |_| true) {
                copy(stop.slot(), key, entry);
            }
            reached = Some((*stop, key));
        }
    }
    if let Some((stop, key)) = reached {
        let (spot, slot) = Stretches::placed(stretch, stop);
        tracker.came_to((spot, (slot, key.clone())));
    }
    done
}

/// Whether an entry comes later in the walk than another one.
#[inline]
pub(super) fn is_behind<M: Ord>(spot: Spot, slot: Slot, key: &M, other: &Placed<(Slot, M)>) -> bool {
    let (other_spot, (other_slot, other_key)) = other;
    (spot, slot, key) > (*other_spot, *other_slot, other_key)
}
