//! Triggers are pure, so they are asked directly.

use std::time::Duration;

use crate::operators::context::{TimeDomain, Timer};
use crate::time::EventTime;
use crate::windows::{Count, Every, Moment, Purging, Trigger, Verdict, WhenComplete, Window};

fn at(millis: i64) -> EventTime {
    EventTime::from_millis(millis)
}

/// In the window `[0, 100)` of event time.
fn moment(timestamp: i64, watermark: i64, processing_time: i64) -> Moment {
    Moment {
        window: Window { start: at(0), end: at(100) },
        complete_at: Timer { time: at(99), domain: TimeDomain::Event },
        timestamp: at(timestamp),
        watermark: at(watermark),
        processing_time: at(processing_time),
    }
}

fn wakes<G: Trigger<u64>>(trigger: &G, state: &G::State) -> [Option<i64>; 2] {
    [TimeDomain::Event, TimeDomain::Processing]
        .map(|domain| trigger.wake_at(state, &moment(0, 0, 0), domain).map(EventTime::as_millis))
}

#[test]
fn a_complete_window_fires_and_again_for_late_records() {
    let trigger = WhenComplete;
    assert_eq!(trigger.on_record(&1, &mut (), &moment(5, 98, 0)), Verdict::Wait);
    assert_eq!(trigger.on_record(&1, &mut (), &moment(5, 99, 0)), Verdict::Fire);
    assert_eq!(wakes(&trigger, &()), [Some(99), None]);
}

#[test]
fn a_count_fires_at_each_so_many_and_does_not_wake() {
    let (trigger, mut state) = (Count::of(3), 0);
    let verdicts: Vec<_> = (0..7).map(|_| trigger.on_record(&1_u64, &mut state, &moment(5, 0, 0))).collect();
    let fired: Vec<_> = verdicts.iter().map(|verdict| *verdict == Verdict::Fire).collect();
    assert_eq!(fired, [false, false, true, false, false, true, false]);
    assert_eq!(wakes(&trigger, &state), [None, None]);
}

#[test]
fn an_interval_of_event_time_fires_at_its_multiples_while_something_is_new() {
    let (trigger, mut state) = (Every::event_time(Duration::from_millis(30)), None);
    assert_eq!(wakes(&trigger, &state), [None, None], "nothing is new");
    assert_eq!(trigger.on_record(&1, &mut state, &moment(41, 10, 0)), Verdict::Wait);
    assert_eq!(wakes(&trigger, &state), [Some(60), None]);
    assert_eq!(trigger.on_record(&1, &mut state, &moment(95, 50, 0)), Verdict::Wait);
    assert_eq!(wakes(&trigger, &state), [Some(60), None], "the earlier stands");
    assert_eq!(Trigger::<u64>::on_wake(&trigger, &mut state, &moment(60, 60, 0)), Verdict::Fire);
    assert_eq!(wakes(&trigger, &state), [None, None]);
    trigger.on_record(&1, &mut state, &moment(95, 60, 0));
    assert_eq!(wakes(&trigger, &state), [Some(99), None], "not after the end");
    assert_eq!(trigger.on_record(&1, &mut state, &moment(95, 99, 0)), Verdict::Fire, "late");
}

#[test]
fn an_interval_by_the_clock_fires_early_and_at_the_end() {
    let (trigger, mut state) = (Every::processing_time(Duration::from_millis(1000)), None);
    trigger.on_record(&1, &mut state, &moment(5, 0, 12_345));
    assert_eq!(wakes(&trigger, &state), [Some(99), Some(13_000)]);
}

#[test]
fn purging_purges_when_the_other_fires() {
    let (trigger, mut state) = (Purging::of(Count::of(2)), 0);
    assert_eq!(trigger.on_record(&1, &mut state, &moment(5, 0, 0)), Verdict::Wait);
    assert_eq!(trigger.on_record(&1, &mut state, &moment(5, 0, 0)), Verdict::FireAndPurge);
}
