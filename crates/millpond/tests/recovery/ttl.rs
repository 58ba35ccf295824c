//! Entries that expire, by a clock that the test holds; across a stop too.

use std::time::Duration;

use millpond::{Collect, Job, ManualClock, RunEnd, RunOptions, Ttl, TtlUpdate};

use crate::harness::wait;
use crate::on_disk::on_disk;
use crate::source::{Gate, Numbers, in_order};

const TTL: Duration = Duration::from_secs(10);

fn job(gate: &Gate, ttl: Ttl, out: &Collect<u64>) -> Job {
    let (gate, out) = (gate.clone(), out.clone());
    Job::new("ttl", move |env| {
        env.source(Numbers { count: 12, gate: gate.clone() }, in_order())
            .uid("numbers")
            .key_by(|number| number % 3)
            .dedup(Some(ttl))
            .uid("first")
            .sink(out.sink())
            .uid("out");
        Ok(())
    })
}

/// Lets the numbers pass in four steps of three, with six seconds between them and a stop in the middle; gives those
/// that were the first of their key.
fn firsts(name: &str, ttl: Ttl) -> Vec<u64> {
    let [memory, disk] = [false, true].map(|disk| firsts_in(disk, name, ttl));
    assert_eq!(memory, disk, "in memory, on disk");
    memory
}

fn firsts_in(disk: bool, name: &str, ttl: Ttl) -> Vec<u64> {
    let (clock, gate, out) = (ManualClock::new(), Gate::default(), Collect::new());
    let options = |from| RunOptions {
        parallelism: Some(2),
        store: Some(format!("memory://ttl-{name}-{disk}")),
        checkpoint_interval: Duration::from_millis(20),
        clock: clock.clock(),
        from,
        ..RunOptions::default()
    };
    let running = job(&gate, ttl, &out).start(on_disk(disk, options(None))).unwrap();
    for step in 1..=2 {
        gate.open(3 * step);
        wait("three numbers", || running.records_read() == 3 * step);
        let published = running.snapshots_published();
        wait("two snapshots", || running.snapshots_published() >= published + 2);
        clock.advance(Duration::from_secs(6));
    }
    let RunEnd::Stopped(at) = running.stop(false).unwrap().end else { panic!("it did not stop") };

    let running = job(&gate, ttl, &out).start(on_disk(disk, options(Some(at)))).unwrap();
    gate.open(9);
    wait("three numbers", || running.records_read() == 3);
    let published = running.snapshots_published();
    wait("two snapshots", || running.snapshots_published() >= published + 2);
    clock.advance(Duration::from_secs(6));
    gate.open(12);
    running.wait().unwrap();
    let mut firsts = out.items();
    firsts.sort_unstable();
    firsts
}

#[test]
fn an_entry_that_is_written_once_lives_as_long_as_its_time() {
    // Seen at 0 s; again at 6 s; forgotten by 12 s, seen anew; again at 18 s.
    assert_eq!(firsts("write", Ttl::new(TTL)), [0, 1, 2, 6, 7, 8]);
}

#[test]
fn an_entry_that_is_read_lives_on() {
    assert_eq!(firsts("read", Ttl::new(TTL).update(TtlUpdate::OnReadAndWrite)), [0, 1, 2]);
}
