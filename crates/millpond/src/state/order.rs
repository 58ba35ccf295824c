//! The order of rows in a chunk: by hash, tombstones before the rows that replace them.

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

/// Places in a bucket, about: so few are soon sorted.
const BUCKET_PLACES: usize = 4;

/// More places than these are dealt out twice: to fill a few buckets goes through memory, and to fill many all over it.
const MANY_PLACES: usize = 1 << 17;
/// Places of a bucket in the first of the two rounds, about: so few fit into a cache that is near.
const NEAR_PLACES: usize = 1 << 12;

/// Room for places. Memory that comes from the system each time costs more than to fill it; and it is any thread that may come to give
/// it back for another, also one that others wait for.
#[derive(Default)]
pub(crate) struct Room(Vec<Place>);

/// No room is kept for more places than these: they may not come again soon.
const MOST_ROOM: usize = 1 << 20;

impl Room {
    /// So many places, each with anything in it.
    fn take(&mut self, len: usize) -> Vec<Place> {
        let mut places = std::mem::take(&mut self.0);
        if places.capacity() < len {
            places = vec![0; len];
        }
        places.resize(len, 0);
        places
    }

    /// Takes them back.
    pub(super) fn give(&mut self, places: Vec<Place>) {
        if places.capacity() <= MOST_ROOM {
            self.0 = places;
        }
    }
}

/// Sorts places. Hashes lie evenly in their range, so that little is left to sort once they are dealt out by leading bits.
pub(super) fn sorted(places: impl Iterator<Item = Place> + Clone, room: &mut Room) -> Vec<Place> {
    sorted_by_parts(places, room, MANY_PLACES, NEAR_PLACES)
}

fn sorted_by_parts(
    places: impl Iterator<Item = Place> + Clone,
    room: &mut Room,
    many: usize,
    near: usize,
) -> Vec<Place> {
    let (mut least, mut greatest, mut len) = (u64::MAX, 0, 0);
    places.clone().for_each(|place| {
        (least, greatest, len) = (least.min(hash_of(place)), greatest.max(hash_of(place)), len + 1);
    });
    // Each is overwritten.
    let mut sorted = room.take(len);
    if len <= many {
        sort_dealt(places, &mut sorted, (least, greatest));
        return sorted;
    }
    let (ends, shift) = deal(places, &mut sorted, (least, greatest), near);
    let (mut begin, mut bucket) = (0, Vec::new());
    for end in ends {
        let greatest = least.saturating_add(1_u64.checked_shl(shift).map_or(u64::MAX, |width| width - 1));
        bucket.clear();
        bucket.extend_from_slice(&sorted[begin..end]);
        sort_dealt(bucket.iter().copied(), &mut sorted[begin..end], (least, greatest));
        (begin, least) = (end, greatest.saturating_add(1));
    }
    sorted
}

/// Deals places out into small buckets, and sorts each.
fn sort_dealt(places: impl Iterator<Item = Place> + Clone, into: &mut [Place], bounds: (u64, u64)) {
    let (ends, _) = deal(places, into, bounds, BUCKET_PLACES);
    let mut begin = 0;
    for end in ends {
        into[begin..end].sort_unstable();
        begin = end;
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn room_for_many_places_is_not_kept() {
        let mut room = Room::default();
        let kept = |room: &mut Room, len| {
            let places = room.take(len);
            assert_eq!(places.len(), len);
            room.give(places);
            room.0.capacity()
        };
        assert_eq!(kept(&mut room, 1000), 1000);
        assert_eq!(kept(&mut room, 9), 1000);
        assert_eq!(kept(&mut room, MOST_ROOM), MOST_ROOM);
        assert_eq!(kept(&mut room, MOST_ROOM + 1), 0);
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
            let mut room = Room(vec![9; 999]);
            prop_assert_eq!(sorted(places.iter().copied(), &mut room), expected.clone());
            prop_assert_eq!(sorted_by_parts(places.into_iter(), &mut room, 99, 64), expected);
        }
    }
}
