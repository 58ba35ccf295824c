//! The order of rows in a chunk: by hash, tombstones before the rows that replace them. Most come in it.

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

/// Room for places. Memory that comes from the system each time costs more than to fill it; and it is any thread that may come to give
/// it back for another, also one that others wait for.
#[derive(Default)]
pub(crate) struct Room {
    places: Vec<Place>,
    strays: Vec<Place>,
}

/// No room is kept for more places than these: they may not come again soon.
const MOST_ROOM: usize = 1 << 20;

impl Room {
    /// Takes back what [`sorted`] took.
    pub(super) fn give(&mut self, places: Vec<Place>) {
        self.places = places;
        for list in [&mut self.places, &mut self.strays] {
            if list.capacity() > MOST_ROOM {
                *list = Vec::new();
            }
        }
    }
}

/// Sorts places, at most so many, that come from behind. What is less than all behind it stays in its order, as all does that a walk
/// came to ([`walk`](super::walk)); the others are sorted, and then put in between.
pub(super) fn sorted(from_behind: impl Iterator<Item = Place>, most: usize, room: &mut Room) -> Vec<Place> {
    let (mut places, all_strays) = (std::mem::take(&mut room.places), &mut room.strays);
    places.resize(most, 0);
    all_strays.resize(most, 0);
    // What is in order fills the end.
    let (mut first, mut strays, mut least) = (most, 0, Place::MAX);
    from_behind.for_each(|place| {
        // Which it is nobody can foresee: to put it with both costs less than to guess wrong.
        let in_order = place < least;
        places[first - 1] = place;
        first -= usize::from(in_order);
        all_strays[strays] = place;
        strays += usize::from(!in_order);
        least = least.min(place);
    });
    let strays = &mut all_strays[..strays];
    strays.sort_unstable();
    let mut len = 0;
    for stray in strays {
        while first < most && places[first] < *stray {
            places[len] = places[first];
            (first, len) = (first + 1, len + 1);
        }
        places[len] = *stray;
        len += 1;
    }
    places.copy_within(first.., len);
    places.truncate(len + most - first);
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn room_for_many_places_is_not_kept() {
        let mut room = Room::default();
        let kept = |room: &mut Room, len| {
            let places = sorted(0..len, len as usize, room);
            assert!(places.iter().copied().eq(0..len));
            room.give(places);
            [room.places.capacity(), room.strays.capacity()].map(|kept| kept > 0)
        };
        assert_eq!(kept(&mut room, 1000), [true, true]);
        assert_eq!(kept(&mut room, MOST_ROOM as Place + 2), [false, false]);
    }

    proptest! {
        #[test]
        fn places_are_sorted_however_they_come(
            hashes in prop::collection::vec(prop_oneof![any::<u64>(), 0..9_u64, Just(u64::MAX)], 0..2000),
            in_order in prop::collection::vec(any::<bool>(), 2000),
            unused in 0..3_usize,
        ) {
            let place = |(row, hash): (usize, &u64)| place(*hash, hash % 3 > 0, row as u32);
            let mut places: Vec<Place> = hashes.iter().enumerate().map(place).collect();
            let mut expected = places.clone();
            expected.sort_by_key(|place| (hash_of(*place), is_live(*place), row_of(*place)));
            let at = (0..places.len()).filter(|at| in_order[*at]);
            let mut chosen: Vec<Place> = at.clone().map(|at| places[at]).collect();
            chosen.sort_unstable();
            at.zip(chosen).for_each(|(at, place)| places[at] = place);
            let mut room = Room::default();
            for _ in 0..2 {
                let found = sorted(places.iter().rev().copied(), places.len() + unused, &mut room);
                prop_assert_eq!(&found, &expected);
                room.give(found);
            }
        }
    }
}
