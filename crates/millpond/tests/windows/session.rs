//! Sessions.

use millpond::windows::Session;
use proptest::prelude::*;

use crate::aligned::row;
use crate::oracle::{self, events, few};
use crate::support::{Event, Run, courses, millis};

proptest! {
    #![proptest_config(few(16))]

    #[test]
    fn sessions_are_bursts_of_records(course in courses(), events in events(), gap in 1_i64..40) {
        let sums = |records: &[&Event]| (records.len() as u64, records.iter().map(|event| event.value).sum::<i64>());
        let expected = oracle::results(&oracle::sessions(&events, gap), sums);
        let results = Run::over(&events).results(course, move |events| {
            events
                .key_by(|event| event.key)
                .window(Session::gap(millis(gap)))
                .process(|_, _, events| {
                    Ok([(events.len() as u64, events.iter().map(|event| event.value).sum::<i64>())])
                })
                .uid("sessions")
                .map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }

    #[test]
    fn a_session_takes_in_late_records_within_the_lateness(course in courses(), events in events(), gap in 1_i64..40) {
        // The watermark is behind all records, so that each session fires once, however it came about.
        let expected = oracle::results(&oracle::sessions(&events, gap), |records| records.len() as u64);
        let results = Run::over(&events).results(course, move |events| {
            let windows = events.key_by(|event| event.key).window(Session::gap(millis(gap)));
            windows.allowed_lateness(millis(50)).count().uid("sessions").map(row)
        });
        prop_assert_eq!(&results, &expected, "{:?}", course);
    }
}
