//! Tumbling and sliding windows.

use millpond::windows::{Sliding, Tumbling, WindowResult};
use millpond::{Aggregate, Stream, TimeOffset};
use proptest::prelude::*;

use crate::oracle::{self, events, few};
use crate::support::{COURSES, Event, Run, courses, event, millis};

pub(crate) fn row<V>(result: &WindowResult<u8, V>) -> (u8, i64, i64, V)
where
    V: Clone,
{
    (result.key, result.window.start.as_millis(), result.window.end.as_millis(), result.value.clone())
}

struct Mean;

impl Aggregate<Event> for Mean {
    type Accumulator = (i64, i64);
    type Output = i64;
    fn create(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, (sum, count): &mut (i64, i64), event: &Event) {
        *sum += event.value;
        *count += 1;
    }
    fn merge(&self, (sum, count): &mut (i64, i64), other: &(i64, i64)) {
        *sum += other.0;
        *count += other.1;
    }
    fn result(&self, (sum, count): &(i64, i64)) -> i64 {
        sum * 1000 / count
    }
}

fn mean(records: &[&Event]) -> i64 {
    records.iter().map(|event| event.value).sum::<i64>() * 1000 / records.len() as i64
}

proptest! {
    #![proptest_config(few(16))]

    #[test]
    fn tumbling_windows_hold_what_is_in_them(course in courses(), events in events(), size in 1_i64..60, offset in 0_i64..60) {
        let expected = oracle::results(&oracle::sliding(&events, size, size, -offset), mean);
        let results = Run::over(&events).results(course, move |events| {
            let windows = Tumbling::of(millis(size)).offset(TimeOffset::Before(millis(offset)));
            events.key_by(|event| event.key).window(windows).aggregate(Mean).uid("means").map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }

    #[test]
    fn sliding_windows_hold_what_is_in_them(course in courses(), events in events(), size in 1_i64..60, slide in 1_i64..40) {
        let expected = oracle::results(&oracle::sliding(&events, size, slide, 0), |records| records.len() as u64);
        let results = Run::over(&events).results(course, move |events| {
            let windows = Sliding::of(millis(size), millis(slide));
            events.key_by(|event| event.key).window(windows).count().uid("counts").map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }

    #[test]
    fn windows_that_consist_of_slices_hold_what_is_in_them(
        course in courses(), events in events(), slide in 1_i64..20, slices in 2_i64..6, offset in 0_i64..30,
    ) {
        let size = slide * slices;
        let expected = oracle::results(&oracle::sliding(&events, size, slide, -offset), mean);
        let results = Run::over(&events).results(course, move |events| {
            let windows = Sliding::of(millis(size), millis(slide)).offset(TimeOffset::Before(millis(offset)));
            events.key_by(|event| event.key).window(windows).aggregate(Mean).uid("means").map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }

    #[test]
    fn a_window_function_sees_every_record_once(course in courses(), events in events(), size in 1_i64..60) {
        let sorted = |records: &[&Event]| {
            let mut values: Vec<i64> = records.iter().map(|event| event.value).collect();
            values.sort_unstable();
            values
        };
        let expected = oracle::results(&oracle::sliding(&events, size, size, 0), sorted);
        let results = Run::over(&events).results(course, move |events| {
            events
                .key_by(|event| event.key)
                .window(Tumbling::of(millis(size)))
                .process(|key, window, events| {
                    assert!(events.iter().all(|event| event.key == *key));
                    assert!(events.iter().all(|event| window.contains(millpond::EventTime::from_millis(event.at))));
                    let mut values: Vec<i64> = events.iter().map(|event| event.value).collect();
                    values.sort_unstable();
                    Ok([values])
                })
                .uid("values")
                .map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }

    #[test]
    fn reduce_and_fold_take_records_in_one_by_one(course in courses(), events in events()) {
        let windows = oracle::sliding(&events, 25, 25, 0);
        let greatest = oracle::results(&windows, |records| records.iter().map(|event| event.value).max());
        let sums = oracle::results(&windows, |records| records.iter().map(|event| event.value).sum::<i64>());
        let reduced = Run::over(&events).results(course, |events| {
            let greater = |a: &Event, b: &Event| if a.value >= b.value { a.clone() } else { b.clone() };
            let keyed = events.key_by(|event| event.key);
            let reduced = keyed.window(Tumbling::of(millis(25))).reduce(greater).uid("greatest");
            reduced.map(|result| {
                let (key, start, end, event) = row(result);
                (key, start, end, Some(event.value))
            })
        });
        prop_assert_eq!(&reduced, &greatest, "{:?}", course);
        let folded = Run::over(&events).results(course, |events| {
            let keyed = events.key_by(|event| event.key);
            let sums: Stream<'_, WindowResult<u8, i64>> =
                keyed.window(Tumbling::of(millis(25))).fold(|sum, event| *sum += event.value).uid("sums");
            sums.map(row)
        });
        prop_assert_eq!(&folded, &sums, "{:?}", course);
    }
}

#[test]
fn results_have_the_last_moment_of_their_window() {
    let events = [event(1, 5, 0), event(1, 25, 0)];
    for course in COURSES {
        let results = Run::over(&events).results(course, |events| {
            let counts = events.key_by(|event| event.key).window(Tumbling::of(millis(10))).count().uid("first");
            // The window of a result is the one that its timestamp is in.
            counts.key_by(|result| result.key).window(Tumbling::of(millis(10))).count().uid("second").map(row)
        });
        assert_eq!(results, [(1, 0, 10, 1), (1, 20, 30, 1)], "{course:?}");
    }
}
