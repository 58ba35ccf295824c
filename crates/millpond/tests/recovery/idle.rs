//! Two sources before one window: one that falls silent must not hold event time back for ever.

use std::time::Duration;

use millpond::windows::Tumbling;
use millpond::{Collect, EventTime, Job, RunOptions, WatermarkStrategy};

use crate::harness::wait;
use crate::source::{Gate, Numbers};

fn strategy() -> WatermarkStrategy<u64> {
    WatermarkStrategy::ascending().timestamps(|number| EventTime::from_millis(*number as i64))
}

/// Runs with a source that is silent after ten numbers and one that goes on, and waits for a window that only the second
/// one reaches. Gives the counts of the windows that have fired.
fn windows(name: &str, idle_after: Option<Duration>) -> Option<Vec<u64>> {
    let (silent, busy, out) = (Gate::default(), Gate::default(), Collect::new());
    let (first, second, sink) = (silent.clone(), busy.clone(), out.clone());
    let job = Job::new("idle", move |env| {
        let quiet = match idle_after {
            Some(duration) => strategy().idle_after(duration),
            None => strategy(),
        };
        let one = env.source(Numbers { count: 1000, gate: first.clone() }, quiet).uid("one");
        let two = env.source(Numbers { count: 1000, gate: second.clone() }, strategy()).uid("two");
        one.union([two])
            .key_by(|_| 0u8)
            .window(Tumbling::of(Duration::from_millis(100)))
            .count()
            .uid("windows")
            .map(|result| result.value)
            .sink(sink.sink())
            .uid("out");
        Ok(())
    });
    let running = job
        .start(RunOptions {
            parallelism: Some(2),
            store: Some(format!("memory://idle-{name}")),
            checkpoint_interval: Duration::from_millis(20),
            ..RunOptions::default()
        })
        .unwrap();
    silent.open(10);
    busy.open(350);
    wait("all that may be read", || running.records_read() == 360);
    let fired = if idle_after.is_some() {
        wait("three windows", || out.items().len() == 3);
        Some(out.items())
    } else {
        let published = running.snapshots_published();
        wait("ten snapshots", || running.snapshots_published() >= published + 10);
        (!out.items().is_empty()).then(|| out.items())
    };
    running.cancel().unwrap();
    fired
}

#[test]
fn a_silent_source_counts_as_idle_and_windows_fire() {
    assert_eq!(windows("on", Some(Duration::from_millis(50))), Some(vec![110, 100, 100]));
}

#[test]
fn without_idleness_it_holds_event_time_back() {
    assert_eq!(windows("off", None), None);
}
