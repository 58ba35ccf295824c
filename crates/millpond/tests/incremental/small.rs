//! Small states share objects: a checkpoint each second must not fill a store with them.

use millpond::Job;

use crate::disk::{added, is_folded, new_store};
use crate::job::{Change, JOB, STATE, options, table};
use crate::source::Gate;
use crate::waiting::wait;

const OPERATORS: u64 = 10;
const WORKERS: usize = 4;
const KEYS: u64 = 200;

#[test]
fn ten_operators_with_little_state_write_one_object_a_worker() {
    let (_directory, disk) = new_store();
    let gate = Gate::default();
    let passing = gate.clone();
    let job = Job::new(JOB, move |env| {
        for operator in 0..OPERATORS {
            let change = move |number: u64| Change { key: number % KEYS, value: Some(number + operator) };
            table(env, &format!("table-{operator}"), &passing, STATE.into(), change);
        }
        Ok(())
    });
    let options = millpond::RunOptions { parallelism: Some(WORKERS), ..options(&disk) };
    let running = job.start(options).unwrap();
    for step in 1..=5 {
        let before = disk.chunk_files();
        // More than half of the keys the first time, and fewer than half later.
        let numbers = KEYS + (step - 1) * KEYS / 4;
        gate.open(numbers);
        wait("the numbers of all sources", || running.records_read() >= OPERATORS * numbers);
        let snapshot = disk.snapshot(&running.savepoint().unwrap());
        let mut after = disk.chunk_files();
        // What is folded in the background meanwhile belongs to no worker.
        after.retain(|file, _| !is_folded(file));
        let added = added(&before, &after);
        assert!((1..=WORKERS).contains(&added.len()), "{} objects of {added:?} bytes", added.len());
        let chunks = disk.all_chunks(&snapshot);
        assert!(chunks.len() >= OPERATORS as usize * WORKERS, "{} chunks", chunks.len());
        for operator in 0..OPERATORS {
            let chunks = disk.chunks(&snapshot, &format!("table-{operator}"), STATE);
            let mut state = std::collections::BTreeMap::new();
            for row in chunks.iter().flat_map(|chunk| chunk.read()) {
                state.insert(row.key, row.value.unwrap());
            }
            let expected = (0..numbers).map(|number| (number % KEYS, number + operator)).collect();
            assert_eq!(state, expected, "operator {operator}");
        }
    }
}
