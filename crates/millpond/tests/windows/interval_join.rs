//! Interval joins.

use millpond::TimeOffset;
use millpond::joins::Either;
use millpond::windows::Tumbling;
use proptest::prelude::*;

use crate::oracle::{events, few};
use crate::support::{Course, Event, Run, Step, courses, event, millis};
use crate::window_join::halves;

fn offset(by: i64) -> TimeOffset {
    if by < 0 { TimeOffset::Before(millis(by)) } else { TimeOffset::After(millis(by)) }
}

type Pair = (u8, (i64, i64), (i64, i64));

fn pair(left: &Event, right: &Event) -> Pair {
    (left.key, (left.at, left.value), (right.at, right.value))
}

/// Every pair there is, if it is within the bounds.
fn by_definition(events: &[Event], lower: i64, upper: i64) -> Vec<Pair> {
    let (even, odd): (Vec<&Event>, Vec<&Event>) = events.iter().partition(|event| event.value.rem_euclid(2) == 0);
    let mut pairs = Vec::new();
    for left in even {
        for right in &odd {
            if left.key == right.key && (lower..=upper).contains(&(right.at - left.at)) {
                pairs.push(pair(left, right));
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

proptest! {
    #![proptest_config(few(16))]

    #[test]
    fn pairs_are_within_the_bounds(
        course in courses(), events in events(), lower in -60_i64..60, length in 2_i64..60, lower_out: bool, upper_out: bool,
    ) {
        let upper = lower + length;
        let expected = by_definition(&events, lower + i64::from(lower_out), upper - i64::from(upper_out));
        let results = Run::over(&events).results(course, move |events| {
            let (even, odd) = halves(events);
            let joined = even.key_by(|event| event.key).interval_join(odd.key_by(|event| event.key));
            let mut joined = joined.between(offset(lower), offset(upper));
            joined = if lower_out { joined.lower_exclusive() } else { joined };
            joined = if upper_out { joined.upper_exclusive() } else { joined };
            joined.process(pair).uid("pairs")
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }
}

#[test]
fn late_records_go_to_the_side_and_pairs_have_the_later_time() {
    let give = |at, value| Step::Give(event(1, at, value));
    // The watermark after 20 is 19; the window of the first pair says that it has passed the join.
    let steps = vec![give(10, 2), give(12, 3), give(20, 4), Step::Await(1), give(11, 6), give(22, 5), give(13, 7)];
    for course in [Course::Whole(1), Course::Whole(3)] {
        let results = Run::steps(steps.clone()).results(course, |events| {
            let (even, odd) = halves(events);
            let joined = even.key_by(|event| event.key).interval_join(odd.key_by(|event| event.key));
            let (pairs, late) = joined.between(offset(-5), offset(5)).late_side_output().process(pair);
            let windows = pairs.uid("pairs").key_by(|(key, ..)| *key).window(Tumbling::of(millis(1)));
            let pairs = windows.process(|_, window, pairs| {
                Ok(pairs
                    .iter()
                    .map(|(_, left, right)| (window.start.as_millis(), left.0, right.0))
                    .collect::<Vec<_>>())
            });
            let late = late.map(|late| match late {
                Either::Left(event) => (0, event.at, -1),
                Either::Right(event) => (0, -1, event.at),
            });
            pairs.uid("windows").map(|result| result.value).union([late])
        });
        assert_eq!(results, [(0, -1, 13), (0, 11, -1), (12, 10, 12), (22, 20, 22)], "{course:?}");
    }
}

/// The records of one stream wait for those of the other, with odd and even values in turn as the waiting ones.
#[test]
fn a_record_is_kept_until_its_last_partner_may_have_come() {
    for (waits, comes, lower, upper) in [(1, 0, -30, 0), (0, 1, 0, 30)] {
        let steps = vec![
            Step::Give(event(1, -10, waits)), // Its last partner may come at 20.
            Step::Give(event(1, 20, waits)),
            Step::Give(event(2, 22, waits)),
            Step::Give(event(2, 22, comes)),
            Step::Give(event(2, 23, waits)),
            Step::Await(1), // The watermark is 22, and what waited for 20 is gone.
            Step::Give(event(1, 25, comes)),
            Step::Give(event(1, 50, comes)),
            Step::Give(event(1, 51, comes)),
        ];
        let results = Run::steps(steps).results(Course::Whole(2), move |events| {
            let (even, odd) = halves(events);
            let joined = even.key_by(|event| event.key).interval_join(odd.key_by(|event| event.key));
            let pairs = joined.between(offset(lower), offset(upper)).process(pair).uid("pairs");
            let windows = pairs.key_by(|(key, ..)| *key).window(Tumbling::of(millis(1)));
            windows
                .count()
                .uid("windows")
                .map(|result| (result.key, result.window.start.as_millis(), result.value))
        });
        assert_eq!(results, [(1, 25, 1), (1, 50, 1), (2, 22, 1)], "{lower} to {upper}");
    }
}
