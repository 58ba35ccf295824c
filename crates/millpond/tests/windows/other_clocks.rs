//! Windows by the clock of the machine, and windows without a clock.

use millpond::windows::{Count, Global, Purging, Session, Tumbling, Window};
use millpond::{EventTime, Job, ManualClock, RunOptions, Stream, WatermarkStrategy};
use proptest::prelude::*;

use crate::aligned::row;
use crate::oracle::{events, few};
use crate::support::{COURSES, Course, Event, Run, Step, courses, event, millis};

fn total(results: &[(u8, i64, i64, u64)], key: u8) -> u64 {
    results.iter().filter(|(of, ..)| *of == key).map(|(_, _, _, count)| count).sum()
}

proptest! {
    #![proptest_config(few(16))]

    #[test]
    fn each_record_is_in_one_window_of_the_clock_and_the_end_of_the_input_loses_none(course in courses(), events in events()) {
        let results = Run::over(&events).results(course, |events| {
            let windows = Tumbling::of(millis(2)).processing_time();
            events.key_by(|event| event.key).window(windows).count().uid("counts").map(row)
        });
        for key in 0..4 {
            let expected = events.iter().filter(|event| event.key == key).count() as u64;
            prop_assert_eq!(total(&results, key), expected, "{:?}: {:?}", course, results);
        }
    }

    #[test]
    fn a_purging_count_cuts_a_stream_into_pieces(course in courses(), events in events()) {
        let results = Run::over(&events).results(course, |events| {
            let windows = events.key_by(|event| event.key).window(Global).trigger(Purging::of(Count::of(5)));
            windows.count().uid("counts").map(row)
        });
        for key in 0..4 {
            let records = events.iter().filter(|event| event.key == key).count() as u64;
            prop_assert_eq!(total(&results, key), records / 5 * 5, "{:?}: {:?}", course, results);
        }
    }
}

#[test]
fn a_session_of_the_clock_lasts_while_the_clock_stands() {
    let events: Vec<Event> = (0..20).map(|n| event((n % 2) as u8, n * 100, n)).collect();
    let clock = ManualClock::new();
    clock.advance(millis(5));
    for course in COURSES {
        let results = Run::over(&events).clock(clock.clock()).results(course, |events| {
            let windows = Session::gap(millis(10)).processing_time();
            events.key_by(|event| event.key).window(windows).count().uid("sessions").map(row)
        });
        assert_eq!(results, [(0, 5, 15, 10), (1, 5, 15, 10)], "{course:?}");
    }
}

#[test]
fn a_window_of_the_clock_fires_when_the_clock_has_come_to_its_end() {
    let clock = ManualClock::new();
    let hands = clock.clone();
    let steps = vec![Step::Give(event(1, 0, 0)), Step::Await(1), Step::Give(event(1, 1, 0))];
    std::thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while ended.recv_timeout(millis(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                hands.advance(millis(1));
            }
        });
        let results = Run::steps(steps).clock(clock.clock()).results(Course::Whole(2), |events| {
            let windows = Tumbling::of(millis(10)).processing_time();
            events.key_by(|event| event.key).window(windows).count().uid("counts").map(row)
        });
        drop(done);
        assert_eq!(results.len(), 2, "{results:?}");
        assert!(results[0].2 <= results[1].1, "one after the other: {results:?}");
    });
}

#[test]
fn a_global_window_is_complete_at_the_end_of_the_input() {
    let events: Vec<Event> = (0..9).map(|n| event((n % 2) as u8, n, n)).collect();
    for course in COURSES {
        let results = Run::over(&events).results(course, |events| {
            let all = events.key_by(|event| event.key).window(Global).count().uid("counts");
            all.map(|result| (result.key, result.window == Window::GLOBAL, result.value))
        });
        assert_eq!(results, [(0, true, 5), (1, true, 4)], "{course:?}");
    }
}

fn refusal(define: impl for<'s> Fn(Stream<'s, Event>) + Send + Sync + 'static, with_time: bool) -> String {
    let script = crate::support::Script::of(&[event(1, 5, 0)]);
    let job = Job::new("refused", move |env| {
        let strategy = WatermarkStrategy::ascending();
        let timed = |event: &Event| EventTime::from_millis(event.at);
        let strategy = if with_time { strategy.timestamps(timed) } else { strategy };
        define(env.source(script.clone(), strategy));
        Ok(())
    });
    let restart = millpond::RestartStrategy::None;
    let store = Some("memory://refused".to_owned());
    job.run(RunOptions { store, restart, ..RunOptions::default() }).unwrap_err().to_string()
}

#[test]
fn an_event_time_window_needs_event_time() {
    let error = refusal(
        |events| {
            events.key_by(|event| event.key).window(Tumbling::of(millis(5))).count();
        },
        false,
    );
    assert!(error.contains("no event time") && error.contains("WatermarkStrategy"), "{error}");
}

#[test]
fn what_makes_no_sense_is_refused_before_the_job_starts() {
    let fold = refusal(
        |events| {
            let sessions = events.key_by(|event| event.key).window(Session::gap(millis(5)));
            let _: Stream<'_, millpond::windows::WindowResult<u8, u64>> = sessions.fold(|count, _| *count += 1);
        },
        true,
    );
    assert!(fold.contains("aggregate"), "{fold}");
    let late = refusal(
        |events| {
            let windows = events.key_by(|event| event.key).window(Tumbling::of(millis(5)).processing_time());
            windows.allowed_lateness(millis(1)).count();
        },
        true,
    );
    assert!(late.contains("lateness"), "{late}");
}
