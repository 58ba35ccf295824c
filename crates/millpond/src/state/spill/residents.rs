//! Who is evicted, and when.

use crate::state::keys::{KeyTable, Slot};

/// Keys that are evicted in one go, at most: a bound on how long records wait for it.
const MOST_VICTIMS: usize = 1 << 14;
/// Keys that are looked at to learn what a key takes in memory.
const SAMPLE: usize = 32;
/// How often that is done, in batches.
const SAMPLE_INTERVAL: u32 = 256;

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
    /// Where the hand of the clock is.
    hand: usize,
    batches: u32,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Free,
    /// A key that was not used since the hand last came by.
    Idle,
    /// A key that was.
    Used,
}

/// No row on disk speaks of the key.
const NO_ROW: u32 = u32::MAX;

impl Residents {
    pub(crate) fn new(budget: usize) -> Self {
        // Until something is known of them.
        Residents { budget, limit: usize::MAX, places: Vec::new(), stored: Vec::new(), hand: 0, batches: 0 }
    }

    /// The key in `slot` is there, and is being used.
    #[inline]
    pub(crate) fn touch(&mut self, slot: Slot) {
        let at = slot as usize;
        if at >= self.places.len() {
            self.places.resize(at + 1, Place::Free);
        }
        self.places[at] = Place::Used;
    }

    /// Whether a row on disk speaks of the key in `slot`.
    pub(crate) fn has_row(&self, slot: Slot) -> bool {
        self.row(slot).is_some()
    }

    /// How many entries the row on disk has of the key in `slot`.
    pub(crate) fn row(&self, slot: Slot) -> Option<u32> {
        self.stored.get(slot as usize).copied().filter(|entries| *entries != NO_ROW)
    }

    /// The key in `slot` came from a row with so many entries.
    pub(crate) fn faulted_in(&mut self, slot: Slot, entries: u32) {
        let at = slot as usize;
        if at >= self.stored.len() {
            self.stored.resize(at + 1, NO_ROW);
        }
        self.stored[at] = entries;
        self.touch(slot);
    }

    /// The key has left `slot`.
    pub(crate) fn left(&mut self, slot: Slot) {
        if let Some(stored) = self.stored.get_mut(slot as usize) {
            *stored = NO_ROW;
        }
        if let Some(place) = self.places.get_mut(slot as usize) {
            *place = Place::Free;
        }
    }

    /// Learns now and then how many keys there may be. `weight` is what a key takes in memory; `overhead` what the runs do.
    pub(crate) fn learn<K: Clone + Eq>(
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
            // A quarter at least: if the runs leave less, the cache is too small for what is on disk.
            let budget = self.budget.saturating_sub(overhead()).max(self.budget / 4);
            self.limit = (budget / mean).max(1);
        }
    }

    /// Whether more keys are resident than may be.
    pub(crate) fn is_over(&self, keys: usize) -> bool {
        keys > self.limit
    }

    /// The next victims: keys that have not been used for a round of the hand. `victim` says whether it is a new one.
    pub(crate) fn choose<K: Clone + Eq>(&mut self, keys: &KeyTable<K>, mut victim: impl FnMut(Slot) -> bool) {
        // Some more than must go, so that it is not done for each batch anew.
        let keep = self.limit - self.limit / 8;
        let mut wanted = keys.len().saturating_sub(keep).min(MOST_VICTIMS);
        // After two rounds nothing is marked as used.
        for _ in 0..2 * self.places.len() + 1 {
            if wanted == 0 {
                return;
            }
            let at = self.hand;
            self.hand = (self.hand + 1) % self.places.len().max(1);
            match self.places.get_mut(at) {
                Some(place @ Place::Used) => *place = Place::Idle,
                Some(Place::Idle) if victim(at as Slot) => wanted -= 1,
                _ => {}
            }
        }
    }
}
