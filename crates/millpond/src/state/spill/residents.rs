//! Who is evicted, and when.
//!
//! Slots stand on *shelves*, by the hashes of their keys, and the hand of a clock goes from shelf to shelf: those that it finds
//! unused since it last came by are evicted. So victims are neighbours on disk too, and share leaves there.

use millpond_snapshot::hash::HashRange;

use crate::state::codec::StateValue;
use crate::state::keys::KeyTable;
use crate::state::slot_table::Slot;

/// Keys that are evicted in one go, about, at most: a bound on how long records wait for it.
const MOST_VICTIMS: usize = 1 << 14;
/// Keys that are looked at to learn what a key takes in memory.
const SAMPLE: usize = 32;
/// How often that is done, in batches.
const SAMPLE_INTERVAL: u32 = 256;
/// Bytes of resident keys that a shelf is for,
const SHELF_BYTES: usize = 256;
/// and how many shelves there are at most.
const MOST_SHELVES: usize = 1 << 16;

/// What is known of the resident keys, by slot, and how many there may be.
#[derive(Debug)]
pub(crate) struct Residents {
    /// Bytes that all of them may take.
    budget: usize,
    /// As many keys as that is, by the last sample.
    limit: usize,
    /// What is in each slot.
    places: Vec<Place>,
    /// How many entries the key's row on disk has; [`NO_ROW`] without one.
    stored: Vec<u32>,
    shelves: Shelves,
    /// The shelf where the hand of the clock is.
    hand: usize,
    batches: u32,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Free,
    /// A key that was not used since the hand last came by, or since it came.
    Idle,
    /// A key that was.
    Used,
}

/// No row on disk speaks of the key.
const NO_ROW: u32 = u32::MAX;

impl Residents {
    /// For the keys of a `range`.
    pub(crate) fn new(budget: usize, range: HashRange) -> Self {
        Residents {
            budget,
            // Until something is known of them.
            limit: usize::MAX,
            places: Vec::new(),
            stored: Vec::new(),
            shelves: Shelves::new((budget / SHELF_BYTES).clamp(1, MOST_SHELVES), range),
            hand: 0,
            batches: 0,
        }
    }

    /// The key in `slot`, with this hash, is there, and is being used.
    #[inline]
    pub(crate) fn touch(&mut self, slot: Slot, hash: u64) {
        let at = slot as usize;
        if at >= self.places.len() {
            self.places.resize(at + 1, Place::Free);
        }
        self.places[at] = match self.places[at] {
            Place::Free => {
                self.shelves.put(slot, hash);
                Place::Idle
            }
            Place::Idle | Place::Used => Place::Used,
        };
    }

    /// Whether a row on disk speaks of the key in `slot`.
    pub(crate) fn has_row(&self, slot: Slot) -> bool {
        self.row(slot).is_some()
    }

    /// How many entries the row on disk has of the key in `slot`.
    pub(crate) fn row(&self, slot: Slot) -> Option<u32> {
        self.stored.get(slot as usize).copied().filter(|entries| *entries != NO_ROW)
    }

    /// The key in `slot`, with this hash, came from a row with so many entries.
    pub(crate) fn faulted_in(&mut self, slot: Slot, hash: u64, entries: u32) {
        let at = slot as usize;
        if at >= self.stored.len() {
            self.stored.resize(at + 1, NO_ROW);
        }
        self.stored[at] = entries;
        self.touch(slot, hash);
    }

    /// The key has left `slot`.
    pub(crate) fn left(&mut self, slot: Slot) {
        if let Some(stored) = self.stored.get_mut(slot as usize) {
            *stored = NO_ROW;
        }
        if let Some(place) = self.places.get_mut(slot as usize)
            && std::mem::replace(place, Place::Free) != Place::Free
        {
            self.shelves.take(slot);
        }
    }

    /// Learns now and then how many keys there may be. `weight` is what a key takes in memory; `overhead` what is there
    /// whichever keys are.
    pub(crate) fn learn<K: StateValue + Eq>(
        &mut self,
        keys: &KeyTable<K>,
        overhead: impl FnOnce() -> usize,
        weight: impl Fn(Slot) -> usize,
    ) {
        self.batches = self.batches.wrapping_add(1);
        if keys.len() == 0 || (self.limit != usize::MAX && !self.batches.is_multiple_of(SAMPLE_INTERVAL)) {
            return;
        }
        // Slots that are held, from all over; what the stores have in a free one is nothing, so it does not count.
        let step = (keys.capacity() / SAMPLE).max(1);
        let sample: Vec<usize> = (self.batches as usize % step..keys.capacity())
            .step_by(step)
            .map(|slot| slot as Slot)
            .filter(|slot| self.places.get(*slot as usize).is_some_and(|place| *place != Place::Free))
            .map(weight)
            .collect();
        if !sample.is_empty() {
            let mean = (sample.iter().sum::<usize>() / sample.len()).max(1);
            // A quarter at least: if that leaves less, the cache is too small for what is on disk.
            let budget = self.budget.saturating_sub(overhead()).max(self.budget / 4);
            self.limit = (budget / mean).max(1);
        }
    }

    /// Whether more keys are resident than may be.
    pub(crate) fn is_over(&self, keys: usize) -> bool {
        keys > self.limit
    }

    /// The next victims: keys that have not been used for a round of the hand. `victim` says whether it is a new one.
    pub(crate) fn choose<K: StateValue + Eq>(&mut self, keys: &KeyTable<K>, mut victim: impl FnMut(Slot) -> bool) {
        // Some more than must go, so that it is not done for each batch anew.
        let keep = self.limit - self.limit / 8;
        let mut wanted = keys.len().saturating_sub(keep).min(MOST_VICTIMS);
        // After two rounds nothing is marked as used.
        for _ in 0..2 * self.shelves.count() {
            if wanted == 0 {
                return;
            }
            for slot in self.shelves.slots(self.hand) {
                match &mut self.places[slot as usize] {
                    place @ Place::Used => *place = Place::Idle,
                    Place::Idle if victim(slot) => wanted = wanted.saturating_sub(1),
                    _ => {}
                }
            }
            self.hand = (self.hand + 1) % self.shelves.count();
        }
    }
}

/// Slots in rings, one for each shelf.
#[derive(Debug)]
struct Shelves {
    /// The least hash.
    start: u64,
    /// How many shelves there are to so many hashes, times 2^64.
    scale: u128,
    count: usize,
    /// First that of each shelf, then that of each slot.
    links: Vec<Link>,
}

/// Places in the list of links.
#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    last: u32,
}

impl Shelves {
    fn new(count: usize, range: HashRange) -> Self {
        let hashes = u128::from(range.end() - range.start()) + 1;
        let links = (0..count as u32).map(|shelf| Link { next: shelf, last: shelf }).collect();
        Shelves { start: range.start(), scale: ((count as u128) << 64) / hashes, count, links }
    }

    fn count(&self) -> usize {
        self.count
    }

    /// Shelves are in the order of hashes.
    #[inline]
    fn of(&self, hash: u64) -> usize {
        let shelf = (u128::from(hash.wrapping_sub(self.start)) * self.scale) >> 64;
        (shelf as usize).min(self.count - 1)
    }

    #[inline]
    fn put(&mut self, slot: Slot, hash: u64) {
        let (shelf, at) = (self.of(hash), self.count + slot as usize);
        if at >= self.links.len() {
            self.links.resize(at + 1, Link { next: 0, last: 0 });
        }
        let next = self.links[shelf].next;
        self.links[at] = Link { next, last: shelf as u32 };
        self.links[shelf].next = at as u32;
        self.links[next as usize].last = at as u32;
    }

    #[inline]
    fn take(&mut self, slot: Slot) {
        let Link { next, last } = self.links[self.count + slot as usize];
        self.links[last as usize].next = next;
        self.links[next as usize].last = last;
    }

    /// What stands on a shelf.
    fn slots(&self, shelf: usize) -> impl Iterator<Item = Slot> {
        let next = |at: &u32| Some(self.links[*at as usize].next);
        std::iter::successors(next(&(shelf as u32)), next)
            .take_while(move |at| *at as usize != shelf)
            .map(|at| at - self.count as u32)
    }
}
