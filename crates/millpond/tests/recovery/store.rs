//! A store that fails for a while: what a checkpoint could not write is part of the next one.

use std::path::Path;
use std::time::Duration;

use millpond::{Collect, Job, RunEnd, RunOptions};

use crate::harness::wait;
use crate::source::{Gate, Numbers, in_order};

const COUNT: u64 = 300;

fn job(gate: &Gate, out: &Collect<(u64, u64)>) -> Job {
    let (gate, out) = (gate.clone(), out.clone());
    Job::new("brittle", move |env| {
        env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order())
            .uid("numbers")
            .key_by(|number| number % 50)
            .count()
            .uid("counts")
            .sink(out.sink())
            .uid("out");
        Ok(())
    })
}

fn options(store: &Path, tolerable_failures: u32) -> RunOptions {
    RunOptions {
        parallelism: Some(2),
        store: Some(store.display().to_string()),
        checkpoint_interval: Duration::from_millis(20),
        tolerable_failures,
        ..RunOptions::default()
    }
}

/// Where chunks go is a file for a while, so that no chunk can be written.
fn block(store: &Path) {
    let chunks = store.join("chunks");
    std::fs::rename(&chunks, store.join("aside")).unwrap();
    std::fs::write(&chunks, "not a directory").unwrap();
}

fn unblock(store: &Path) {
    std::fs::remove_file(store.join("chunks")).unwrap();
    std::fs::rename(store.join("aside"), store.join("chunks")).unwrap();
}

#[test]
fn tolerated_failures_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let (gate, out) = (Gate::default(), Collect::new());
    let running = job(&gate, &out).start(options(&store, u32::MAX)).unwrap();
    gate.open(100);
    wait("a hundred numbers", || running.records_read() == 100);
    let published = running.snapshots_published();
    wait("two snapshots", || running.snapshots_published() >= published + 2);

    block(&store);
    gate.open(200);
    wait("two hundred numbers", || running.records_read() == 200);
    let (published, failed) = (running.snapshots_published(), running.snapshots_failed());
    wait("three failures", || running.snapshots_failed() >= failed + 3);
    assert_eq!(running.snapshots_published(), published, "nothing was published meanwhile");
    unblock(&store);
    wait("a snapshot", || running.snapshots_published() > published);
    assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);

    gate.open(COUNT);
    job(&gate, &out).run(options(&store, 0)).unwrap();
    let mut counts = out.items();
    counts.sort_unstable();
    let expected: Vec<(u64, u64)> = (0..50).flat_map(|key| (1..=6).map(move |count| (key, count))).collect();
    assert_eq!(counts, expected);
}
