//! Joins over windows.

use millpond::Stream;
use millpond::joins::Either;
use millpond::windows::{Session, Sliding, Tumbling};
use proptest::prelude::*;

use crate::aligned::row;
use crate::oracle::{self, events, few};
use crate::support::{Course, Event, Run, Step, courses, event, millis};

/// One stream as two: records of even and of odd value.
pub(crate) fn halves(events: Stream<'_, Event>) -> (Stream<'_, Event>, Stream<'_, Event>) {
    let is_even = |event: &Event| event.value.rem_euclid(2) == 0;
    (events.clone().filter(is_even), events.filter(move |event| !is_even(event)))
}

fn pairs(windows: &oracle::Windows<'_>) -> Vec<(u8, i64, i64, (i64, i64))> {
    let mut pairs = Vec::new();
    for ((key, start, end), records) in windows {
        let (even, odd): (Vec<&Event>, Vec<&Event>) =
            records.iter().partition(|event| event.value.rem_euclid(2) == 0);
        let of = |left: &Event| odd.iter().map(move |right| (left.value, right.value)).collect::<Vec<_>>();
        pairs.extend(even.into_iter().flat_map(of).map(|pair| (*key, *start, *end, pair)));
    }
    pairs.sort_unstable();
    pairs
}

proptest! {
    #![proptest_config(few(16))]

    #[test]
    fn a_join_pairs_what_is_in_the_same_window(course in courses(), events in events(), size in 1_i64..40, slide in 1_i64..40) {
        let expected = pairs(&oracle::sliding(&events, size, slide, 0));
        let results = Run::over(&events).results(course, move |events| {
            let (even, odd) = halves(events);
            let joined = even.key_by(|event| event.key).join(odd.key_by(|event| event.key));
            let windows = joined.window(Sliding::of(millis(size), millis(slide)));
            windows.apply(|even, odd| (even.value, odd.value)).uid("pairs").map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }

    #[test]
    fn a_session_is_one_of_both_streams(course in courses(), events in events(), gap in 1_i64..30) {
        let expected = pairs(&oracle::sessions(&events, gap));
        let results = Run::over(&events).results(course, move |events| {
            let (even, odd) = halves(events);
            let joined = even.key_by(|event| event.key).join(odd.key_by(|event| event.key));
            let windows = joined.window(Session::gap(millis(gap)));
            windows.apply(|even, odd| (even.value, odd.value)).uid("pairs").map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }

    #[test]
    fn a_co_group_sees_both_groups_also_if_one_is_empty(course in courses(), events in events(), size in 1_i64..40) {
        let sizes = |records: &[&Event]| {
            let even = records.iter().filter(|event| event.value.rem_euclid(2) == 0).count() as u64;
            (even, records.len() as u64 - even)
        };
        let expected = oracle::results(&oracle::sliding(&events, size, size, 0), sizes);
        let results = Run::over(&events).results(course, move |events| {
            let (even, odd) = halves(events);
            let joined = even.key_by(|event| event.key).join(odd.key_by(|event| event.key));
            let windows = joined.window(Tumbling::of(millis(size)));
            let groups = windows.co_group(|_, _, even, odd| Ok([(even.len() as u64, odd.len() as u64)]));
            groups.uid("groups").map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }
}

#[test]
fn late_records_of_either_stream_go_to_the_side() {
    let give = |at, value| Step::Give(event(1, at, value));
    let steps = vec![give(1, 2), give(2, 3), give(30, 4), Step::Await(1), give(5, 6), give(6, 7)];
    let results = Run::steps(steps).results(Course::Whole(2), |events| {
        let (even, odd) = halves(events);
        let joined = even.key_by(|event| event.key).join(odd.key_by(|event| event.key));
        let windows = joined.window(Tumbling::of(millis(10))).late_side_output();
        let (pairs, late) = windows.apply(|even, odd| (even.value, odd.value));
        let late = late.map(|late| match late {
            Either::Left(event) => (event.at, event.value, 0),
            Either::Right(event) => (event.at, 0, event.value),
        });
        pairs.uid("pairs").map(|pair| (-1, pair.value.0, pair.value.1)).union([late])
    });
    assert_eq!(results, [(-1, 2, 3), (5, 6, 0), (6, 0, 7)]);
}
