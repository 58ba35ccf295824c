//! The order of rows in a chunk: by hash, tombstones before the rows that replace them.

use std::time::Instant;

use super::slabs::OFTEN;

/// A row, and what decides its place in a chunk: its hash, tombstones before the rows that replace them, and the order in
/// which rows were copied. One number, which is compared in one go.
pub(super) type Place = u128;

#[inline]
pub(super) fn place(hash: u64, live: bool, row: u32) -> Place {
    (u128::from(hash) << 64) | (u128::from(live) << 32) | u128::from(row)
}

#[inline]
pub(super) fn hash_of(place: Place) -> u64 {
    (place >> 64) as u64
}

#[inline]
pub(super) fn is_live(place: Place) -> bool {
    (place >> 32) & 1 == 1
}

/// Which row it is: the lowest bits.
#[inline]
pub(super) fn row_of(place: Place) -> u32 {
    place as u32
}

/// Places that are dealt out together, about: so few fit into a cache that is near.
const NEAR_PLACES: usize = 1 << 12;

/// Places in a bucket in the end, about: so few are soon sorted.
const BUCKET_PLACES: usize = 4;

/// So many places are sorted by several threads,
const MANY_PLACES: usize = 1 << 17;
/// by so many.
const SORTERS: usize = 2;

/// Room for places. Memory that comes from the system each time costs more than to fill it; and it is any thread that may come to give
/// it back for another, also one that others wait for.
#[derive(Default)]
pub(crate) struct Room {
    places: Vec<Place>,
    /// When [many](MOST_ROOM) places were needed last.
    large: Option<Instant>,
}

/// For more places than these no room is kept if there were never so many for a while: they may not come again soon.
const MOST_ROOM: usize = 1 << 21;

impl Room {
    /// So many places, each with anything in it.
    fn take(&mut self, len: usize) -> Vec<Place> {
        let is_too_large = self.places.capacity() > MOST_ROOM && self.places.capacity() / 4 > len;
        let mut places = if is_too_large { Vec::new() } else { std::mem::take(&mut self.places) };
        if places.capacity() < len {
            places = vec![0; len];
        }
        places.resize(len, 0);
        places
    }

    /// Takes them back.
    pub(super) fn give(&mut self, places: Vec<Place>) {
        let is_recent = |large: Option<Instant>| large.is_some_and(|last| last.elapsed() <= OFTEN);
        let is_kept = if places.capacity() > MOST_ROOM {
            is_recent(self.large.replace(Instant::now()))
        } else {
            self.places.capacity() == 0
        };
        if is_kept {
            self.places = places;
        } else if !is_recent(self.large) {
            self.places = Vec::new();
        }
    }
}

/// Sorts places.
pub(super) fn sorted(places: impl Iterator<Item = Place> + Clone, room: &mut Room) -> Vec<Place> {
    sorted_by_parts(places, room, NEAR_PLACES)
}

/// Sorts places. Hashes lie evenly in their range, so that little is left to sort once they are dealt out by leading bits: first
/// all of them into buckets of about `near`, then those into small ones.
fn sorted_by_parts(places: impl Iterator<Item = Place> + Clone, room: &mut Room, near: usize) -> Vec<Place> {
    let (mut least, mut greatest, mut len) = (u64::MAX, 0, 0);
    places.clone().for_each(|place| {
        (least, greatest, len) = (least.min(hash_of(place)), greatest.max(hash_of(place)), len + 1);
    });
    // Each is overwritten.
    let mut sorted = room.take(len);
    let (ends, shift) = deal(places, &mut sorted, (least, greatest), near);
    let mut rest = sorted.as_mut_slice();
    let mut buckets = Vec::with_capacity(ends.len());
    let mut from = 0;
    for end in ends {
        let (bucket, behind) = rest.split_at_mut(end - from);
        let greatest = least.saturating_add(1_u64.checked_shl(shift).map_or(u64::MAX, |width| width - 1));
        buckets.push((bucket, (least, greatest)));
        (rest, from, least) = (behind, end, greatest.saturating_add(1));
    }
    if len < MANY_PLACES {
        sort_buckets(&mut buckets);
    } else {
        let share = buckets.len().div_ceil(SORTERS);
        std::thread::scope(|scope| {
            buckets.chunks_mut(share).for_each(|share| drop(scope.spawn(|| sort_buckets(share))));
        });
    }
    sorted
}

/// Places that lie together, and the bounds of their hashes.
type Bucket<'a> = (&'a mut [Place], (u64, u64));

/// Sorts the places in each bucket.
fn sort_buckets(buckets: &mut [Bucket<'_>]) {
    let mut copy = Vec::new();
    for (bucket, bounds) in buckets {
        copy.clear();
        copy.extend_from_slice(bucket);
        let (small, _) = deal(copy.iter().copied(), bucket, *bounds, BUCKET_PLACES);
        let mut begin = 0;
        for end in small {
            bucket[begin..end].sort_unstable();
            begin = end;
        }
    }
}

/// Deals places out into buckets of about `few`, by the leading bits in which their hashes, of which the `bounds` are known,
/// differ. Says where each bucket ends, and how many bits are left.
fn deal(
    places: impl Iterator<Item = Place> + Clone,
    into: &mut [Place],
    bounds: (u64, u64),
    few: usize,
) -> (Vec<usize>, u32) {
    let bits = (into.len() / few).checked_ilog2().unwrap_or(0);
    let (least, greatest) = bounds;
    let shift = greatest.saturating_sub(least).checked_ilog2().map_or(0, |top| (top + 1).saturating_sub(bits));
    let bucket = |place: Place| (hash_of(place) - least).checked_shr(shift).unwrap_or(0) as usize;
    // First the number of places in each bucket, then where the next one belongs, and in the end where the bucket does.
    let mut ends = vec![0; 1 << bits];
    places.clone().for_each(|place| ends[bucket(place)] += 1);
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    places.for_each(|place| {
        let at = &mut ends[bucket(place)];
        into[*at] = place;
        *at += 1;
    });
    (ends, shift)
}

#[cfg(test)]
mod tests {
    use millpond_snapshot::hash::key_hash;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn many_places_are_sorted_by_several_threads() {
        let places = (0..MANY_PLACES as u32 + 77).map(|row| place(key_hash(&row).unwrap(), true, row));
        let mut expected: Vec<Place> = places.clone().collect();
        expected.sort_unstable();
        assert_eq!(sorted(places, &mut Room::default()), expected);
    }

    #[test]
    fn room_for_many_places_is_kept_while_they_are_needed_often() {
        let mut room = Room::default();
        let kept = |room: &mut Room, len| {
            let places = room.take(len);
            assert_eq!(places.len(), len);
            room.give(places);
            room.places.capacity()
        };
        assert_eq!(kept(&mut room, 1000), 1000);
        assert_eq!(kept(&mut room, 9), 1000);
        assert_eq!(kept(&mut room, MOST_ROOM), MOST_ROOM);
        let many = MOST_ROOM + 1;
        assert_eq!(kept(&mut room, many), 0, "they may not come again soon");
        assert_eq!(kept(&mut room, 1000), 1000);
        assert_eq!(kept(&mut room, many), many);
        assert_eq!(kept(&mut room, 1000), many, "a few don't need it, and leave it");
        assert_eq!(kept(&mut room, many), many);
        room.large = None;
        assert_eq!(kept(&mut room, 1000), 0, "there have not been many for a while");
    }

    proptest! {
        #[test]
        fn places_are_sorted_however_their_hashes_lie(
            hashes in prop::collection::vec(prop_oneof![any::<u64>(), 0..9_u64, Just(u64::MAX)], 0..2000),
            narrow in 0..64_u32,
        ) {
            let place = |(row, hash): (usize, &u64)| place(hash >> narrow, hash % 3 > 0, row as u32);
            let places: Vec<Place> = hashes.iter().enumerate().map(place).collect();
            let mut expected = places.clone();
            expected.sort_by_key(|place| (hash_of(*place), is_live(*place), row_of(*place)));
            let mut room = Room { places: vec![9; 999], large: None };
            prop_assert_eq!(sorted(places.iter().copied(), &mut room), expected.clone());
            prop_assert_eq!(sorted_by_parts(places.into_iter(), &mut room, 64), expected);
        }
    }
}
