//! Records that come after the watermark: in time for the allowed lateness, or late. The source waits for results, so that
//! it is certain where the watermark is.

use millpond::windows::{Count, Every, Purging, Session, Sliding, Tumbling};

use crate::aligned::row;
use crate::support::{Course, Run, Step, event, millis};

const WORKERS: [Course; 3] = [Course::Whole(1), Course::Whole(2), Course::Whole(3)];

fn give(at: i64, value: i64) -> Step {
    Step::Give(event(1, at, value))
}

/// Results, and late records as results of a window of no length.
fn with_late<'s>(
    results: millpond::Stream<'s, (u8, i64, i64, u64)>,
    late: millpond::Stream<'s, crate::support::Event>,
) -> millpond::Stream<'s, (u8, i64, i64, u64)> {
    results.union([late.map(|event| (event.key, event.at, event.at, 0))])
}

#[test]
fn a_window_fires_again_for_each_record_within_the_lateness_and_then_no_more() {
    let steps = vec![
        give(5, 0),
        give(6, 0),
        give(12, 0), // The watermark is 11: the window of 5 is complete.
        Step::Await(1),
        give(7, 0), // In time for the lateness.
        Step::Await(2),
        give(30, 0), // The watermark is 29: the window of 5 is gone.
        Step::Await(3),
        give(8, 0), // Late.
    ];
    for course in WORKERS {
        let results = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Tumbling::of(millis(10)));
            let (counts, late) = windows.allowed_lateness(millis(15)).late_side_output().count();
            with_late(counts.uid("counts").map(row), late)
        });
        let expected = [(1, 0, 10, 2), (1, 0, 10, 3), (1, 8, 8, 0), (1, 10, 20, 1), (1, 30, 40, 1)];
        assert_eq!(results, expected, "{course:?}");
    }
}

#[test]
fn the_bound_of_lateness_is_exact() {
    // [0, 10) with lateness 15 is gone when the watermark is 9 + 15 = 24; it is one less than the latest record.
    for (latest, late) in [(24, false), (25, true)] {
        let steps = vec![give(5, 0), give(latest, 0), Step::Await(1), give(6, 0), give(9, 0)];
        let results = Run::steps(steps).results(Course::Whole(2), |events| {
            let windows = events.key_by(|event| event.key).window(Tumbling::of(millis(10)));
            let (counts, late) = windows.allowed_lateness(millis(15)).late_side_output().count();
            with_late(counts.uid("counts").map(row), late)
        });
        let expected = if late {
            vec![(1, 0, 10, 1), (1, 6, 6, 0), (1, 9, 9, 0), (1, 20, 30, 1)]
        } else {
            vec![(1, 0, 10, 1), (1, 0, 10, 2), (1, 0, 10, 3), (1, 20, 30, 1)]
        };
        assert_eq!(results, expected, "{latest}");
    }
}

#[test]
fn a_record_is_late_only_if_all_its_windows_are_gone() {
    let steps = vec![give(5, 0), give(21, 0), Step::Await(2), give(18, 0), give(9, 0)];
    for course in WORKERS {
        let results = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Sliding::of(millis(20), millis(10)));
            let (counts, late) = windows.late_side_output().count();
            with_late(counts.uid("counts").map(row), late)
        });
        // The watermark is 20. 18 is in [0, 20), which is gone, and in [10, 30); 9 in [-10, 10) and [0, 20).
        let expected = [(1, -10, 10, 1), (1, 0, 20, 1), (1, 9, 9, 0), (1, 10, 30, 2), (1, 20, 40, 1)];
        assert_eq!(results, expected, "{course:?}");
    }
}

#[test]
fn windows_that_share_a_slice_fire_again_each_for_itself() {
    let steps = vec![
        give(5, 0),
        give(26, 0), // The watermark is 25: [-10, 10) is gone, [0, 20) is complete.
        Step::Await(2),
        give(7, 0), // In a slice that is there.
        Step::Await(3),
        give(15, 0), // In one that is not.
        Step::Await(4),
        give(60, 0),
        Step::Await(6),
        give(8, 0), // Late.
    ];
    for course in WORKERS {
        let results = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Sliding::of(millis(20), millis(10)));
            let (counts, late) = windows.allowed_lateness(millis(15)).late_side_output().count();
            with_late(counts.uid("counts").map(row), late)
        });
        let expected = [
            (1, -10, 10, 1),
            (1, 0, 20, 1),
            (1, 0, 20, 2),
            (1, 0, 20, 3),
            (1, 8, 8, 0),
            (1, 10, 30, 2),
            (1, 20, 40, 1),
            (1, 50, 70, 1),
            (1, 60, 80, 1),
        ];
        assert_eq!(results, expected, "{course:?}");
    }
}

#[test]
fn late_records_that_nobody_wants_are_dropped() {
    let steps = vec![give(5, 0), give(30, 0), Step::Await(1), give(6, 0)];
    let results = Run::steps(steps).results(Course::Whole(2), |events| {
        events.key_by(|event| event.key).window(Tumbling::of(millis(10))).count().uid("counts").map(row)
    });
    assert_eq!(results, [(1, 0, 10, 1), (1, 30, 40, 1)]);
}

#[test]
fn a_record_that_joins_sessions_is_not_late_while_the_last_of_them_is_open() {
    let steps = vec![
        give(0, 0), // [0, 10)
        give(20, 0),
        give(28, 0), // The watermark is 27: [0, 10) is gone, [20, 38) is open.
        Step::Await(1),
        give(12, 0), // Joins [20, 38).
        give(1, 0),  // Late.
    ];
    for course in WORKERS {
        let results = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Session::gap(millis(10)));
            let (counts, late) = windows.late_side_output().count();
            with_late(counts.uid("counts").map(row), late)
        });
        assert_eq!(results, [(1, 0, 10, 1), (1, 1, 1, 0), (1, 12, 38, 3)], "{course:?}");
    }
}

#[test]
fn a_session_that_late_records_lengthen_fires_at_its_new_end() {
    let steps = vec![
        give(0, 0),
        event_of(2, 12), // The watermark is 11: [0, 10) of key 1 is complete, and kept.
        Step::Await(1),
        give(8, 0), // [0, 18): late, but its session is open again.
        event_of(2, 40),
        Step::Await(3),
        give(9, 0), // [0, 19) is gone with the lateness of 20 at 38.
    ];
    for course in WORKERS {
        let results = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Session::gap(millis(10)));
            let (counts, late) = windows.allowed_lateness(millis(20)).late_side_output().count();
            with_late(counts.uid("counts").map(row), late)
        });
        let expected = [(1, 0, 10, 1), (1, 0, 18, 2), (1, 9, 9, 0), (2, 12, 22, 1), (2, 40, 50, 1)];
        assert_eq!(results, expected, "{course:?}");
    }
}

fn event_of(key: u8, at: i64) -> Step {
    Step::Give(event(key, at, 0))
}

#[test]
fn an_interval_gives_early_results_and_then_the_full_one() {
    let steps = vec![
        give(5, 0),
        give(31, 0), // The watermark is 30, after the multiple at 20 and at 30.
        Step::Await(1),
        give(32, 0),
        give(101, 0),
    ];
    for course in WORKERS {
        let results = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Tumbling::of(millis(100)));
            windows.trigger(Every::event_time(millis(10))).count().uid("counts").map(row)
        });
        // Once it is full nothing is new, and it does not fire at its end again.
        assert_eq!(results, [(1, 0, 100, 2), (1, 0, 100, 3), (1, 100, 200, 1)], "{course:?}");
    }
}

#[test]
fn a_count_fires_and_a_purging_one_starts_again() {
    let steps: Vec<Step> = (0..7).map(|at| give(at, 0)).collect();
    for course in WORKERS {
        let counts = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Tumbling::of(millis(10)));
            windows.trigger(Count::of(3)).count().uid("counts").map(row)
        });
        assert_eq!(counts, [(1, 0, 10, 3), (1, 0, 10, 6)], "{course:?}");
        let purged = Run::steps(steps.clone()).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Tumbling::of(millis(10)));
            windows.trigger(Purging::of(Count::of(3))).count().uid("counts").map(row)
        });
        assert_eq!(purged, [(1, 0, 10, 3), (1, 0, 10, 3)], "{course:?}");
    }
}
