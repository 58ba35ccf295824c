//! Deltas are folded together in the background, so that neither what is written nor what a reader opens grows without bound.

use crate::disk::new_store;
use crate::job::{Change, JOB, STATE, job, options, read};
use crate::source::Gate;
use crate::waiting::wait;

const KEYS: u64 = 40_000;
/// Keys that change from one snapshot to the next.
const CHURN: u64 = 2_000;
const SNAPSHOTS: u64 = 60;
/// A row that changes is written as a delta, again with each eightfold growth of it, and with at most two others in a base.
const TIMES_WRITTEN: u64 = 6;
/// Deltas of one size, from each of two workers, before eight of them become one; a few sizes; bases.
const CHUNKS: usize = 32;

#[test]
fn under_steady_churn_a_change_is_written_a_few_times_and_a_state_has_a_few_chunks() {
    let (_directory, disk) = new_store();
    let gate = Gate::default();
    let change = |number| Change { key: number * 7919 % KEYS, value: Some(number) };
    let running = job(&gate, STATE.into(), change).start(options(&disk)).unwrap();
    read(&running, &gate, KEYS);
    running.savepoint().unwrap();
    let size = || disk.chunk_files().values().sum::<u64>();
    let first = size();

    let mut folded = false;
    for step in 1..=SNAPSHOTS {
        read(&running, &gate, KEYS + step * CHURN);
        // Folding goes on beside it and shows in a later snapshot, which writes nothing if nothing changed.
        wait("what is folded together", || {
            let snapshot = disk.snapshot(&running.savepoint().unwrap());
            let chunks = disk.chunks(&snapshot, JOB, STATE);
            folded |= chunks.len() < 2 * step as usize;
            chunks.len() <= CHUNKS
        });
    }
    assert!(folded, "nothing was folded");
    // All are savepoints, and a running job collects no garbage: what was ever written is there.
    let changed = first * (SNAPSHOTS * CHURN) / KEYS;
    let written = size() - first;
    assert!(written >= changed, "{written} bytes cannot hold the changes, {changed} bytes");
    assert!(written <= changed * TIMES_WRITTEN, "{written} bytes were written for changes of {changed}");

    // It is still the state: of two rows of a key the later one counts.
    let snapshot = disk.snapshot(&running.savepoint().unwrap());
    let mut state = std::collections::BTreeMap::new();
    for row in disk.chunks(&snapshot, JOB, STATE).iter().flat_map(|chunk| chunk.read()) {
        state.insert(row.key, row.value.unwrap());
    }
    let numbers = 0..KEYS + SNAPSHOTS * CHURN;
    let expected = numbers.map(|number| (number * 7919 % KEYS, number)).collect();
    assert_eq!(state, expected);
}
