//! What is kept when a window is done: nothing.
//!
//! The first half of each script ends with a record of another key, which has event time move on until everything of
//! the first key is gone; so what is kept is that of one record.

use millpond::windows::{Every, Purging, Session, Sliding, Tumbling, WhenComplete, WindowResult};
use millpond::{KeyedStream, ManualClock, Stream, TimeOffset};

use crate::support::{Event, Run, Step, event, millis};
use crate::window_join::halves;

/// Records of key 1, out of order; what brings event time on, and so many results; and steps that are not taken.
fn steps(results: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = [3, 17, 8, 25, 9, 41, 42, 33].map(|at| Step::Give(event(1, at, at))).to_vec();
    steps.extend([Step::Give(event(2, 1_000, 0)), Step::Await(results)]);
    let rest = vec![Step::Give(event(3, 1_001, 0)); steps.len()];
    steps.extend(rest);
    steps
}

/// Rows that are kept, by state, when there have been so many results.
fn kept<D>(results: usize, define: D) -> Vec<(String, u64)>
where
    D: for<'s> Fn(KeyedStream<'s, u8, Event>) -> Stream<'s, WindowResult<u8, u64>> + Send + Sync + 'static,
{
    let count = |result: &WindowResult<u8, u64>| result.value;
    Run::steps(steps(results))
        .behind(30)
        .kept("windows", move |events| define(events.key_by(|event| event.key)).uid("windows").map(count))
}

fn rows(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
    rows.iter().map(|(state, rows)| ((*state).to_owned(), *rows)).collect()
}

#[test]
fn of_a_tumbling_window() {
    let tumbling = || Tumbling::of(millis(10));
    assert_eq!(
        kept(5, move |keyed| keyed.window(tumbling()).count()),
        rows(&[("event-timers", 1), ("windows", 1)])
    );
    let late = kept(5, move |keyed| keyed.window(tumbling()).allowed_lateness(millis(100)).count());
    assert_eq!(late, rows(&[("event-timers", 2), ("windows", 1)]));
}

#[test]
fn of_a_sliding_window() {
    let sliding = || Sliding::of(millis(20), millis(10));
    // [-10, 10), [0, 20), … [40, 60) have been; [990, 1010) and [1000, 1020) are.
    assert_eq!(
        kept(6, move |keyed| keyed.window(sliding()).count()),
        rows(&[("event-timers", 2), ("windows-slices", 1)])
    );
    let late = kept(6, move |keyed| keyed.window(sliding()).allowed_lateness(millis(100)).count());
    assert_eq!(late, rows(&[("event-timers", 4), ("windows-slices", 1)]));
    let whole = kept(6, move |keyed| keyed.window(sliding()).trigger(Purging::of(WhenComplete)).count());
    assert_eq!(whole, rows(&[("event-timers", 2), ("windows", 2)]));
}

#[test]
fn of_a_session() {
    // 3 to 17, which 9 has made one, 25, 33, 41 and 42: less than 10 apart.
    let session = || Session::gap(millis(10));
    assert_eq!(
        kept(1, move |keyed| keyed.window(session()).count()),
        rows(&[("event-timers", 1), ("sessions", 1)])
    );
    let late = kept(1, move |keyed| keyed.window(session()).allowed_lateness(millis(50)).count());
    assert_eq!(late, rows(&[("event-timers", 2), ("sessions", 1)]));
}

#[test]
fn of_what_a_trigger_remembers() {
    let purging =
        kept(5, |keyed| keyed.window(Tumbling::of(millis(10))).trigger(Purging::of(WhenComplete)).count());
    assert_eq!(purging, rows(&[("event-timers", 1), ("windows", 1)]));
    // The clock stands still, so that the timers of the clock have not gone off.
    let every = Run::steps(steps(5)).behind(30).clock(ManualClock::new().clock()).kept("windows", |events| {
        let windows = events.key_by(|event| event.key).window(Tumbling::of(millis(10)));
        windows.trigger(Every::processing_time(millis(1_000))).count().uid("windows").map(|result| result.value)
    });
    let one = rows(&[("event-timers", 1), ("processing-timers", 1), ("triggers", 1), ("windows", 1)]);
    assert_eq!(every, one);
}

#[test]
fn of_a_window_of_the_clock() {
    let clock = ManualClock::new();
    let hands = clock.clone();
    // The first records are in one window; when the last comes it has fired.
    let mut steps = vec![Step::Give(event(1, 0, 0)), Step::Give(event(2, 0, 0)), Step::Await(2)];
    steps.extend(vec![Step::Give(event(3, 0, 0)); 3]);
    let kept = std::thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while ended.recv_timeout(millis(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                hands.advance(millis(10));
            }
        });
        let kept = Run::steps(steps).clock(clock.clock()).kept("windows", |events| {
            let windows = Tumbling::of(millis(10)).processing_time();
            events.key_by(|event| event.key).window(windows).count().uid("windows").map(|result| result.value)
        });
        drop(done);
        kept
    });
    assert_eq!(kept, []);
}

#[test]
fn of_an_interval_join() {
    // A window after the join says when event time has passed the join.
    let kept = Run::steps(steps(1)).behind(30).kept("pairs", |events| {
        let (even, odd) = halves(events);
        let joined = even.key_by(|event| event.key).interval_join(odd.key_by(|event| event.key));
        let pairs = joined.between(TimeOffset::Before(millis(10)), TimeOffset::After(millis(20)));
        let pairs = pairs.process(|even, odd| (even.key, odd.at)).uid("pairs");
        pairs.key_by(|(key, _)| *key).window(Tumbling::of(millis(500))).count().map(|result| result.value)
    });
    assert_eq!(kept, rows(&[("event-timers", 1), ("left", 1)]));
}
