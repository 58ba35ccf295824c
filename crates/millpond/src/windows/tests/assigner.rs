//! Each property is checked against the definition of a window, not against another formula for it.

use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;

use crate::state::setup::KeyedSetup;
use crate::windows::{Global, Session, Sliding, TimeOffset, Tumbling, Window, WindowAssigner};
use crate::{EventTime, TimeDomain};

fn offset(millis: i64) -> TimeOffset {
    let duration = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { TimeOffset::Before(duration) } else { TimeOffset::After(duration) }
}

fn windows(assigner: impl Into<WindowAssigner>, time: i64) -> Vec<(i64, i64)> {
    let mut windows = Vec::new();
    let outcome = assigner.into().each(EventTime::from_millis(time), |window| {
        windows.push((window.start.as_millis(), window.end.as_millis()));
        Ok::<(), Infallible>(())
    });
    assert_eq!(outcome, Ok(()));
    windows.sort_unstable();
    windows
}

fn sliding(size: u64, slide: u64) -> Sliding {
    Sliding::of(Duration::from_millis(size), Duration::from_millis(slide))
}

/// Every window of this size that begins at a multiple of the slide, by the offset, and has `time` inside.
fn by_definition(size: i64, slide: i64, offset: i64, time: i64) -> Vec<(i64, i64)> {
    let starts = time - size + 1..=time;
    starts.filter(|start| (start - offset) % slide == 0).map(|start| (start, start + size)).collect()
}

proptest! {
    #[test]
    fn windows_are_all_that_contain_the_time(
        size in 1_i64..60, slide in 1_i64..60, by in -200_i64..200, near in -1_000_i64..1_000,
        // There and here the arithmetic is another one.
        far in prop_oneof![4 => Just(0), 1 => Just(1_i64 << 60), 1 => Just(-1_i64 << 60)],
    ) {
        let time = far + near;
        let assigned = windows(sliding(size as u64, slide as u64).offset(offset(by)), time);
        prop_assert_eq!(assigned, by_definition(size, slide, by, time));
    }

    #[test]
    fn a_time_is_in_one_tumbling_window(size in 1_i64..5_000, by in -9_000_i64..9_000, time in any::<i32>()) {
        let time = i64::from(time);
        let assigned = windows(Tumbling::of(Duration::from_millis(size as u64)).offset(offset(by)), time);
        prop_assert_eq!(assigned.len(), 1);
        let (start, end) = assigned[0];
        prop_assert!(start <= time && time < end && end - start == size && (start - by).rem_euclid(size) == 0);
    }

    #[test]
    fn no_time_is_too_far_away(size in 1_u64..1_000, time in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)]) {
        let assigned = windows(Tumbling::of(Duration::from_millis(size)), time);
        prop_assert_eq!(assigned.len(), 1);
        prop_assert!(assigned[0].0 <= time && time <= assigned[0].1);
    }
}

#[test]
fn records_between_windows_that_are_apart_are_in_none() {
    assert_eq!(windows(sliding(10, 100), 9), [(0, 10)]);
    assert_eq!(windows(sliding(10, 100), 10), []);
}

#[test]
fn a_day_may_begin_at_another_midnight() {
    let day = Duration::from_secs(86_400);
    let east = Tumbling::of(day).offset(TimeOffset::Before(Duration::from_secs(8 * 3600)));
    let assigned = windows(east, "2013-01-01T15:59:59Z".parse::<EventTime>().unwrap().as_millis());
    let start: EventTime = "2012-12-31T16:00:00Z".parse().unwrap();
    assert_eq!(assigned[0].0, start.as_millis());
}

#[test]
fn the_global_window_is_all_of_time() {
    assert_eq!(windows(Global, 5), [(i64::MIN, i64::MAX)]);
    assert_eq!(Window::GLOBAL.last(), EventTime::MAX);
}

#[test]
fn a_session_of_one_record_lasts_the_gap() {
    assert_eq!(windows(Session::gap(Duration::from_millis(30)), -5), [(-5, 25)]);
}

#[test]
fn each_assigner_has_its_clock() {
    let second = Duration::from_secs(1);
    let domain = |assigner: WindowAssigner| assigner.domain();
    assert_eq!(domain(Tumbling::of(second).into()), TimeDomain::Event);
    assert_eq!(domain(Tumbling::of(second).processing_time().into()), TimeDomain::Processing);
    assert_eq!(domain(Sliding::of(second, second).processing_time().into()), TimeDomain::Processing);
    assert_eq!(domain(Session::gap(second).processing_time().into()), TimeDomain::Processing);
}

#[test]
fn a_window_of_no_length_is_refused() {
    let none = Duration::from_micros(999);
    let assigners: [(WindowAssigner, &str); 3] = [
        (Tumbling::of(none).into(), "size"),
        (Sliding::of(Duration::from_secs(1), none).into(), "slide"),
        (Session::gap(none).into(), "gap"),
    ];
    for (assigner, what) in assigners {
        let mut setup = KeyedSetup::new::<u64>(0, 1, Default::default());
        assigner.check(&mut setup);
        let error = setup.operator.error.expect("it must be refused").to_string();
        assert!(error.contains(what), "{error}");
    }
}
