//! What a snapshot of everything is divided into.

use std::ops::Range;

use millpond_snapshot::hash::HashRange;

use super::slot_table::{Places, SHARDS, Slot, Stop};
use super::tracker::{Placed, Spot};

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

    #[inline]
    pub(super) fn count(self) -> usize {
        1 << self.bits
    }

    /// Where the walk comes to a hash: the stretch, and 32 bits that say how far in it.
    #[inline]
    pub(super) fn spot(self, hash: u64) -> Spot {
        self.places.of(hash) >> (u32::BITS - self.bits)
    }

    /// Where it comes to a key of a stretch, and which one that is.
    #[inline]
    pub(super) fn placed(stretch: usize, stop: Stop) -> Placed<Slot> {
        ((stretch as u64) << u32::BITS | u64::from(stop.near()), stop.slot())
    }

    /// The stretch of that.
    #[inline]
    pub(super) fn stretch(spot: Spot) -> usize {
        (spot >> u32::BITS) as usize
    }

    /// The shards of the table that a stretch has.
    pub(super) fn shards(self, stretch: usize) -> Range<usize> {
        let each = SHARDS >> self.bits;
        stretch * each..(stretch + 1) * each
    }

    /// How many bits of a place say which stretch it is of.
    #[inline]
    pub(super) fn bits(self) -> u32 {
        self.bits
    }
}
