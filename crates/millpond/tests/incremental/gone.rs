//! What was deleted, and what has outlived its time, is in no chunk any more once deltas have been folded into a base.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond::{ManualClock, RunOptions, RunningJob, StateDescriptor, Ttl};

use crate::disk::{Chunk, Disk, Row, new_store};
use crate::job::{Change, JOB, STATE, job, options, read};
use crate::source::Gate;

const KEYS: u64 = 3_000;
/// Keys that change from one snapshot to the next: far fewer than half of them, which would be written whole at once.
const STEP: u64 = 300;

/// Lets numbers pass, at least those below `least`, until the state is in bases alone; gives those, how many numbers have
/// passed, and how many tombstones were met on the way. What is left of a delta folds only when more has come.
fn until_folded(
    running: &RunningJob,
    gate: &Gate,
    disk: &Disk,
    mut numbers: u64,
    least: u64,
) -> (Vec<Chunk>, u64, usize) {
    let (mut tombstones, mut chunks) = (0, Vec::new());
    while numbers < least || chunks.iter().any(|chunk: &Chunk| chunk.is_delta) {
        assert!(numbers < least + 10 * KEYS, "never folded: {chunks:?}");
        numbers += STEP;
        read(running, gate, numbers);
        for _ in 0..20 {
            chunks = disk.chunks(&disk.snapshot(&running.savepoint().unwrap()), JOB, STATE);
            let deltas = chunks.iter().filter(|chunk| chunk.is_delta);
            tombstones += deltas.flat_map(Chunk::read).filter(|row| row.deleted).count();
        }
    }
    assert!(!chunks.is_empty(), "the state is gone");
    (chunks, numbers, tombstones)
}

fn rows(chunks: &[Chunk]) -> Vec<Row> {
    let mut rows: Vec<Row> = chunks.iter().flat_map(Chunk::read).collect();
    rows.sort_unstable();
    rows
}

fn live(state: BTreeMap<u64, u64>) -> Vec<Row> {
    let row = |(key, value)| Row { key, value: Some(value), deleted: false };
    state.into_iter().map(row).collect()
}

#[test]
fn a_base_has_neither_tombstones_nor_what_they_were_for() {
    let (_directory, disk) = new_store();
    let gate = Gate::default();
    // Each key once; then two of three again, the others go.
    let change = |number: u64| {
        let value = (number < KEYS || !number.is_multiple_of(3)).then_some(number);
        Change { key: number % KEYS, value }
    };
    let running = job(&gate, STATE.into(), change).start(options(&disk)).unwrap();
    read(&running, &gate, KEYS);
    running.savepoint().unwrap();
    // All keys once more at least.
    let (chunks, numbers, tombstones) = until_folded(&running, &gate, &disk, KEYS, 2 * KEYS);
    assert!(tombstones > 0, "nothing was deleted in a delta");
    let mut expected = BTreeMap::new();
    for Change { key, value } in (0..numbers).map(change) {
        match value {
            Some(value) => drop(expected.insert(key, value)),
            None => drop(expected.remove(&key)),
        }
    }
    assert_eq!(expected.len() as u64, KEYS - KEYS / 3);
    assert_eq!(rows(&chunks), live(expected));
}

#[test]
fn a_base_has_nothing_that_has_outlived_its_time() {
    const TTL: Duration = Duration::from_secs(10);
    let (_directory, disk) = new_store();
    let (gate, clock) = (Gate::default(), ManualClock::new());
    // Each key once; then again and again those from the first third on.
    let change = |number| {
        let key = if number < KEYS { number } else { KEYS / 3 + (number - KEYS) % (2 * KEYS / 3) };
        Change { key, value: Some(number) }
    };
    let state = StateDescriptor::new(STATE).ttl(Ttl::new(TTL));
    let options = RunOptions { clock: clock.clock(), ..options(&disk) };
    let running = job(&gate, state, change).start(options).unwrap();
    read(&running, &gate, KEYS);
    let first = disk.snapshot(&running.savepoint().unwrap());
    assert_eq!(rows(&disk.chunks(&first, JOB, STATE)).len() as u64, KEYS);

    // Two rounds: in the first one the first third is six seconds old, and in the second one twelve.
    let round = 2 * KEYS / 3;
    clock.advance(Duration::from_secs(6));
    let (chunks, numbers, _) = until_folded(&running, &gate, &disk, KEYS, KEYS + round);
    assert_eq!(chunks.iter().map(|chunk| chunk.rows).sum::<u64>(), KEYS, "nothing has expired yet");
    clock.advance(Duration::from_secs(6));
    let (chunks, numbers, _) = until_folded(&running, &gate, &disk, numbers, numbers + round);
    let expected: BTreeMap<u64, u64> = (KEYS..numbers).map(|number| (change(number).key, number)).collect();
    assert_eq!(expected.len() as u64, round);
    assert_eq!(rows(&chunks), live(expected));
}
