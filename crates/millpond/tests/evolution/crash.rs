//! A crash before, and after, the first snapshot of the new program; and times to live that come, go or change.

use std::time::Duration;

use millpond::{Collect, Job, ManualClock, RunEnd, RunOptions, StateDescriptor, Ttl};
use serde::{Deserialize, Serialize};

use crate::source::{Gate, Numbers, in_order};
use crate::support::{fresh_store, options, wait};

const COUNT: u64 = 600;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Total {
    #[serde(default)]
    sum: u64,
    #[serde(default)]
    count: u64,
}

/// Sums up by remainder; the old program keeps a number, the new one a struct under fewer keys.
fn job(new: bool, gate: &Gate, out: &Collect<(u64, u64)>) -> Job {
    let (gate, out) = (gate.clone(), out.clone());
    Job::new("evolving", move |env| {
        let numbers = env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order()).uid("numbers");
        let sums = if new {
            let state = || {
                StateDescriptor::new("sum")
                    .migrate(|old: u32| Total { sum: u64::from(old), count: 0 })
                    .merge(|a: Total, b: Total| Total { sum: a.sum + b.sum, count: a.count + b.count })
            };
            numbers.key_by(|n| format!("{}", n % 50)).migrate_key(|old: u32| format!("{}", old % 50)).process_fn(
                |setup| {
                    let sum = setup.value::<Total>(state());
                    move |n: &u64, context| {
                        let total = sum.update(|total| {
                            total.sum += n;
                            total.sum
                        });
                        context.emit((n % 50, total));
                        Ok(())
                    }
                },
            )
        } else {
            numbers.key_by(|n| (n % 100) as u32).process_fn(|setup| {
                let sum = setup.value::<u32>("sum");
                move |n: &u64, context| {
                    let total = sum.update(|total| {
                        *total += *n as u32;
                        *total
                    });
                    context.emit((n % 100, u64::from(total)));
                    Ok(())
                }
            })
        };
        sums.uid("sums").sink(out.sink()).uid("out");
        Ok(())
    })
}

#[test]
fn a_crash_before_or_after_the_first_snapshot_of_the_new_program_loses_nothing() {
    let (store, gate) = (fresh_store(), Gate::default());
    let (first, out) = (Collect::new(), Collect::new());
    let often = |parallelism, from| RunOptions {
        checkpoint_interval: Duration::from_millis(20),
        allow_non_restored: false,
        ..options(&store, parallelism, from)
    };

    // Many small snapshots, so that there are bases, deltas and folds.
    let running = job(false, &gate, &first).start(often(2, None)).unwrap();
    let mut read = 0;
    for limit in [120, 180, 240, 300] {
        gate.open(limit);
        wait("the numbers", || running.records_read() >= limit);
        let published = running.snapshots_published();
        wait("two snapshots", || running.snapshots_published() >= published + 2);
        read = limit;
    }
    let RunEnd::Stopped(from) = running.stop(false).unwrap().end else { panic!("it did not stop") };

    // Before its first snapshot.
    let seldom = RunOptions { allow_non_restored: false, ..options(&store, 3, Some(from)) };
    let running = job(true, &gate, &out).start(seldom).unwrap();
    gate.open(read + 60);
    wait("some numbers", || running.records_read() >= 60);
    assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);

    // Nobody says from where; then after some snapshots.
    for (parallelism, limit) in [(1, 400), (3, 500)] {
        let running = job(true, &gate, &out).start(often(parallelism, None)).unwrap();
        gate.open(limit);
        wait("some numbers", || running.records_read() >= limit - read);
        let published = running.snapshots_published();
        wait("two snapshots", || running.snapshots_published() >= published + 2);
        gate.open(limit + 30);
        assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);
        gate.open(limit);
        read = limit;
    }
    gate.open(COUNT);
    let report = job(true, &gate, &out).run(often(2, None)).unwrap();
    assert_eq!(report.end, RunEnd::Finished);

    let mut greatest = std::collections::BTreeMap::new();
    for (key, sum) in out.items() {
        let entry = greatest.entry(key).or_insert(0);
        *entry = sum.max(*entry);
    }
    let mut expected = std::collections::BTreeMap::new();
    (0..COUNT).for_each(|n| *expected.entry(n % 50).or_insert(0) += n);
    assert_eq!(greatest, expected);
}

/// Those of the numbers 0 to 11 that were the first of their remainder by 3: six before a stop, the rest after it, with
/// six seconds between them. Before and after with the given time to live.
fn firsts(before: Option<u64>, after: Option<u64>) -> Vec<u64> {
    let (clock, gate, out) = (ManualClock::new(), Gate::default(), Collect::new());
    let store = fresh_store();
    let job = |ttl: Option<u64>| {
        let (gate, out) = (gate.clone(), out.clone());
        Job::new("evolving", move |env| {
            env.source(Numbers { count: 12, gate: gate.clone() }, in_order())
                .uid("numbers")
                .key_by(|number| number % 3)
                .dedup(ttl.map(|seconds| Ttl::new(Duration::from_secs(seconds))))
                .uid("first")
                .sink(out.sink())
                .uid("out");
            Ok(())
        })
    };
    let options = |from| RunOptions { clock: clock.clock(), ..options(&store, 2, from) };
    let running = job(before).start(options(None)).unwrap();
    gate.open(3);
    wait("three numbers", || running.records_read() == 3);
    let RunEnd::Stopped(at) = running.stop(false).unwrap().end else { panic!("it did not stop") };
    clock.advance(Duration::from_secs(6));
    let running = job(after).start(options(Some(at))).unwrap();
    for step in 1..=2 {
        gate.open(3 + 3 * step);
        wait("three numbers", || running.records_read() == 3 * step);
        // What was read is through once it is in a savepoint.
        running.savepoint().unwrap();
        clock.advance(Duration::from_secs(6));
    }
    gate.open(12);
    running.wait().unwrap();
    let mut firsts = out.items();
    firsts.sort_unstable();
    firsts
}

#[test]
fn a_time_to_live_that_is_new_begins_at_the_restore() {
    // Restored at 6 s, gone at 16 s: 3..6 and 6..9 (at 12 s) are seen again, 9..12 (at 18 s) are first.
    assert_eq!(firsts(None, Some(10)), [0, 1, 2, 9, 10, 11]);
}

#[test]
fn an_entry_keeps_its_expiry_when_the_time_to_live_changes() {
    // Gone at 8 s as before; what is written at 12 s lives for 100 s.
    assert_eq!(firsts(Some(8), Some(100)), [0, 1, 2, 6, 7, 8]);
}

#[test]
fn without_a_time_to_live_what_has_not_expired_stays() {
    assert_eq!(firsts(Some(10), None), [0, 1, 2]);
    // It had expired at 5 s, and does not come back to life.
    assert_eq!(firsts(Some(5), None), [0, 1, 2, 3, 4, 5]);
}
