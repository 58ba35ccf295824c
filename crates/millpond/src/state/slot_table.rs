//! From hash to slot: an open table that can be read ahead.
//!
//! Keys come in no order, so that each look-up waits for memory. For a batch the waits can overlap, if what is read next does
//! not depend on what is read now. A cell has part of the hash beside the slot: where a key lies is known before anything of
//! the key is read, and [`SlotTable::touch`] brings the cells of a batch near with nothing that depends on them.
//!
//! Its shards are parts of the range of the subtask, one after the other: a snapshot goes through them.

use millpond_snapshot::hash::HashRange;

/// A key's place in every state of its operator.
pub(crate) type Slot = u32;

/// Stands in a cell that is free. No key has this slot.
pub(crate) const VACANT: Slot = Slot::MAX;

/// A table that grows moves all that it has at once: each shard is small enough for that. With 25 million keys in a
/// subtask, a shard has 100,000, which are moved in less than a millisecond.
pub(super) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 8;

/// Cells of a shard when it gets its first key, about.
const LEAST: usize = 8;

/// From so many cells on a shard grows by a fifth or so at a time: half of it may be free when it doubles.
const LARGE: usize = 1 << 12;

/// Where hashes lie in the range of their subtask: a greater hash lies further, and those of the range at least as far as half
/// of all numbers go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    start: u64,
    /// A power of two: how often a range of as many leading bits fits into all hashes.
    times: u64,
}

impl Places {
    pub(crate) fn of_range(range: HashRange) -> Self {
        let common_bits = (range.end() - range.start()).leading_zeros().min(63);
        Places { start: range.start(), times: 1 << common_bits }
    }

    #[inline]
    pub(crate) fn of(self, hash: u64) -> u64 {
        hash.wrapping_sub(self.start).wrapping_mul(self.times)
    }
}

/// Slots by hash. Of slots with one hash there may be several; who looks one up says which it is.
pub(crate) struct SlotTable {
    places: Places,
    /// By the leading bits of the place.
    shards: Vec<Shard>,
    len: usize,
}

/// Each slot is in the first free cell from its home on.
#[derive(Clone, Default)]
struct Shard {
    cells: Vec<Cell>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Cell {
    /// Bits of the hash, of which the highest say where home is.
    tag: u32,
    slot: Slot,
}

/// A slot that a walk comes to, and how far in its stretch that is: one number, which is compared in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stop(u64);

impl Stop {
    fn new(near: u32, slot: Slot) -> Self {
        Stop(u64::from(near) << u32::BITS | u64::from(slot))
    }

    /// The bits of its place that come behind those of the stretch.
    #[inline]
    pub(crate) fn near(self) -> u32 {
        (self.0 >> u32::BITS) as u32
    }

    #[inline]
    pub(crate) fn slot(self) -> Slot {
        self.0 as Slot
    }
}

const FREE: Cell = Cell { tag: 0, slot: VACANT };

/// The shard of a place.
#[inline]
fn shard_of(place: u64) -> usize {
    (place >> (u64::BITS - SHARD_BITS)) as usize
}

/// The bits behind those.
#[inline]
fn tag_of(place: u64) -> u32 {
    (place >> (u32::BITS - SHARD_BITS)) as u32
}

impl SlotTable {
    /// For the keys of a `range`.
    pub(crate) fn new(range: HashRange) -> Self {
        SlotTable { places: Places::of_range(range), shards: vec![Shard::default(); SHARDS], len: 0 }
    }

    /// Makes it a table of slots from 0 on, by their hashes: no shard grows.
    pub(crate) fn number(&mut self, hashes: impl Iterator<Item = u64> + Clone) {
        let mut lens = [0; SHARDS];
        hashes.clone().for_each(|hash| lens[shard_of(self.places.of(hash))] += 1);
        (self.shards, self.len) = (lens.into_iter().map(Shard::for_so_many).collect(), 0);
        (0..).zip(hashes).for_each(|(slot, hash)| self.insert(hash, slot));
    }

    /// How hashes lie in the table.
    pub(crate) fn places(&self) -> Places {
        self.places
    }

    /// Slots in the table.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Reads the home of each hash, so that it is near when it is needed.
    pub(crate) fn touch(&self, hashes: impl Iterator<Item = u64>) {
        let homes = hashes.filter_map(|hash| {
            let place = self.places.of(hash);
            let shard = &self.shards[shard_of(place)];
            shard.cells.get(shard.home(tag_of(place)))
        });
        std::hint::black_box(homes.fold(0, |seen: u32, cell| seen ^ cell.tag));
    }

    /// The first slot with (nearly) this hash of which `is_it` says so.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let place = self.places.of(hash);
        let shard = &self.shards[shard_of(place)];
        shard.find(tag_of(place), is_it).map(|at| shard.cells[at].slot)
    }

    pub(crate) fn insert(&mut self, hash: u64, slot: Slot) {
        let place = self.places.of(hash);
        self.shards[shard_of(place)].insert(Cell { tag: tag_of(place), slot });
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: Slot) {
        let place = self.places.of(hash);
        let shard = &mut self.shards[shard_of(place)];
        if let Some(at) = shard.find(tag_of(place), |other| other == slot) {
            shard.remove(at);
            self.len -= 1;
        }
    }

    /// Adds the slots of a shard, in the order of their places, of which so many leading bits are left out.
    pub(crate) fn stops(&self, shard: usize, bits: u32, stops: &mut Vec<Stop>) {
        let begin = stops.len();
        let place = |cell: &Cell| ((shard as u64) << u32::BITS) | u64::from(cell.tag);
        let stop = |cell: &Cell| Stop::new((place(cell) >> (SHARD_BITS - bits)) as u32, cell.slot);
        let shard = &self.shards[shard];
        stops.reserve(shard.len);
        shard.nearly_in_order().for_each(|cell| stops.push(stop(cell)));
        let stops = &mut stops[begin..];
        // Each is at most some places away from its own.
        for at in 1..stops.len() {
            let stop = stops[at];
            let mut to = at;
            while to > 0 && stops[to - 1] > stop {
                stops[to] = stops[to - 1];
                to -= 1;
            }
            stops[to] = stop;
        }
    }
}

impl Shard {
    /// An empty shard that so many slots don't fill.
    fn for_so_many(slots: usize) -> Self {
        let mut size = 0;
        while is_full(slots, size) {
            size = more_than(size);
        }
        Shard { cells: vec![FREE; size], len: 0 }
    }

    /// Where the way of a slot begins: tags lie evenly, and so do homes.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.cells.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.cells.len() { 0 } else { at + 1 }
    }

    #[inline]
    fn find(&self, tag: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<usize> {
        let mut at = self.home(tag);
        loop {
            // There is always a free cell, unless there is none at all.
            let cell = self.cells.get(at)?;
            if cell.slot == VACANT {
                return None;
            }
            if cell.tag == tag && is_it(cell.slot) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    fn insert(&mut self, cell: Cell) {
        if is_full(self.len + 1, self.cells.len()) {
            let cells = vec![FREE; more_than(self.cells.len())];
            let old = std::mem::replace(&mut self.cells, cells);
            old.into_iter().filter(|cell| cell.slot != VACANT).for_each(|cell| self.put(cell));
        }
        self.put(cell);
        self.len += 1;
    }

    fn put(&mut self, cell: Cell) {
        let mut at = self.home(cell.tag);
        while self.cells[at].slot != VACANT {
            at = self.after(at);
        }
        self.cells[at] = cell;
    }

    /// The cells that have a slot, nearly in the order of their tags: between two that are free all are of homes in between.
    fn nearly_in_order(&self) -> impl Iterator<Item = &Cell> {
        let first_free = self.cells.iter().position(|cell| cell.slot == VACANT).unwrap_or(0);
        let (front, rest) = self.cells.split_at(first_free);
        // What went past the end on its way from home is at the front.
        let went_past = move |cell: &&Cell| self.home(cell.tag) > first_free;
        let own = front.iter().filter(move |cell| !went_past(cell));
        own.chain(rest.iter().filter(|cell| cell.slot != VACANT)).chain(front.iter().filter(went_past))
    }

    /// Frees a cell, and moves up what went past it on its way from home.
    fn remove(&mut self, at: usize) {
        let (mut free, mut next) = (at, at);
        loop {
            next = self.after(next);
            let cell = self.cells[next];
            if cell.slot == VACANT {
                break;
            }
            if self.way(self.home(cell.tag), next) >= self.way(free, next) {
                self.cells[free] = cell;
                free = next;
            }
        }
        self.cells[free].slot = VACANT;
        self.len -= 1;
    }

    /// How many cells after `from` it is to `to`.
    fn way(&self, from: usize, to: usize) -> usize {
        if to < from { to + self.cells.len() - from } else { to - from }
    }
}

/// Whether so many slots are too many for so many cells: a quarter stays free, so that ways from home are short.
#[inline]
fn is_full(slots: usize, cells: usize) -> bool {
    slots * 4 > cells * 3
}

/// To how many cells a shard of `len` grows: the next quarter of a power of two if it is large, and one less, as allocators
/// have blocks of such sizes, and may need some bytes of them.
fn more_than(len: usize) -> usize {
    let len = len + 1;
    let step = if len < LARGE { len } else { (1 << len.ilog2()) / 4 };
    (len + step).max(LEAST) - 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn hash() -> impl Strategy<Value = u64> {
        // Few shards and tags, so that homes are shared; those at the end of a shard go on at its beginning.
        (0..2_u64, prop_oneof![0..4_u64, 0xffff_fffc..=0xffff_ffff_u64, 0x7fff_fffe..=0x8000_0001_u64])
            .prop_map(|(shard, tag)| (shard << 56) | (tag << 24))
    }

    #[test]
    fn a_large_shard_is_never_half_empty() {
        let mut sizes =
            std::iter::successors(Some(0), |len| Some(more_than(*len))).take_while(|len| *len < 1 << 20);
        assert_eq!(sizes.by_ref().take(4).collect::<Vec<_>>(), [0, 7, 15, 31]);
        let large: Vec<usize> = sizes.skip_while(|len| *len < LARGE - 1).collect();
        assert_eq!(large[..6], [4095, 5119, 6143, 7167, 8191, 10239]);
        assert!(large.windows(2).all(|pair| pair[1] <= pair[0] + pair[0] / 4 + 1));
    }

    #[test]
    fn hashes_of_each_range_lie_far_apart() {
        for (worker, workers) in [(0, 1), (0, 2), (1, 2), (2, 3), (6, 7), (999, 1000)] {
            let range = HashRange::of_worker(worker, workers);
            let places = Places::of_range(range);
            assert_eq!(places.of(range.start()), 0);
            assert!(places.of(range.end()) >= 1 << 63, "worker {worker} of {workers}");
            assert!(places.of(range.end() - 1) < places.of(range.end()));
        }
        let one = HashRange::new(7, 7).unwrap();
        assert_eq!(Places::of_range(one).of(7), 0);
    }

    proptest! {
        #[test]
        fn a_table_of_numbers_is_as_if_they_had_been_put(hashes in prop::collection::vec(hash(), 0..200)) {
            let [mut made, mut put] = std::array::from_fn(|_| SlotTable::new(HashRange::FULL));
            made.number(hashes.iter().copied());
            (0..).zip(&hashes).for_each(|(slot, hash)| put.insert(*hash, slot));
            let sizes = |table: &SlotTable| -> Vec<_> {
                table.shards.iter().map(|shard| (shard.len, shard.cells.len())).collect()
            };
            prop_assert_eq!(sizes(&made), sizes(&put));
            prop_assert_eq!(made.len(), put.len());
            for (slot, hash) in (0..).zip(&hashes) {
                prop_assert_eq!(made.find(*hash, |found| found == slot), Some(slot));
            }
        }

        #[test]
        fn what_was_put_and_not_removed_is_found(steps in prop::collection::vec((any::<bool>(), hash()), 0..200)) {
            let mut table = SlotTable::new(HashRange::FULL);
            let mut model = BTreeSet::<(u64, Slot)>::new();
            for (slot, (put, hash)) in (0..).zip(steps) {
                match model.iter().copied().find(|(other, _)| *other == hash) {
                    Some((hash, slot)) if !put => {
                        table.remove(hash, slot);
                        model.remove(&(hash, slot));
                    }
                    _ => {
                        table.insert(hash, slot);
                        model.insert((hash, slot));
                    }
                }
                table.remove(hash, VACANT - 1);
                prop_assert_eq!(table.len(), model.len());
                for (hash, slot) in &model {
                    prop_assert_eq!(table.find(*hash, |found| found == *slot), Some(*slot));
                }
                prop_assert_eq!(table.find(hash ^ (1 << 40), |_| true), None);
            }
            for bits in [0, 3, SHARD_BITS] {
                let mut stops = Vec::new();
                (0..SHARDS).for_each(|shard| table.stops(shard, bits, &mut stops));
                let near = |hash: u64| ((hash << bits) >> u32::BITS) as u32;
                let in_shards = model.iter().map(|(hash, slot)| (hash >> 56, near(*hash), *slot));
                let expected: BTreeSet<_> = in_shards.collect();
                let expected = expected.into_iter().map(|(_, near, slot)| Stop::new(near, slot));
                prop_assert!(stops.into_iter().eq(expected));
            }
        }
    }
}
