//! A snapshot of everything: stretch by stretch of the hashes.
//!
//! Once a stretch has been walked through nothing more comes of it, and its rows are sorted and encoded while the walk goes on. What is
//! about to change before the walk has come to it is copied into its stretch just before. In a stretch keys are copied in the
//! order of their hashes, which the table nearly has: of its rows only those that were copied ahead are still to be sorted.

use std::ops::{Bound, Range};
use std::rc::Rc;

use super::codec::StateValue;
use super::cursor::Cursor;
use super::keys::KeyTable;
use super::slabs::Slabs;
use super::slot_table::{Slot, Stop};
use super::sorted::SortedMap;
use super::stretches::Stretches;
use super::tracker::{Mark, Placed, Spot, Tracker};

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
        self.stops.clear();
        for shard in stretches.shards(stretch) {
            keys.stops(shard, stretches.bits(), &mut self.stops);
        }
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
