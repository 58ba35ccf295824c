//! The cost of a snapshot follows what changed.

use crate::disk::{added, new_store};
use crate::job::{Change, JOB, STATE, job, options, read};
use crate::source::Gate;

const KEYS: u64 = 150_000;

#[test]
fn when_one_key_in_a_hundred_changed_a_snapshot_writes_about_a_hundredth() {
    let (_directory, disk) = new_store();
    let gate = Gate::default();
    // Each key once; then every hundredth.
    let change = |number| {
        let key = if number < KEYS { number } else { (number - KEYS) * 100 };
        Change { key, value: Some(number) }
    };
    let running = job(&gate, STATE.into(), change).start(options(&disk)).unwrap();
    let none = disk.chunk_files();
    assert_eq!(none.len(), 0);
    read(&running, &gate, KEYS);
    running.savepoint().unwrap();
    let first = disk.chunk_files();
    let whole: u64 = added(&none, &first).iter().sum();

    read(&running, &gate, KEYS + KEYS / 100);
    let second = running.savepoint().unwrap();
    let changed: u64 = added(&first, &disk.chunk_files()).iter().sum();
    assert!(whole > KEYS, "{whole} bytes cannot hold {KEYS} numbers");
    assert!(changed > 0 && changed * 100 <= whole * 3, "{changed} bytes after {whole}");

    // What it names is there, and is all of it.
    let named = disk.chunks(&disk.snapshot(&second), JOB, STATE);
    let mut keys: Vec<u64> = named.iter().flat_map(|chunk| chunk.read()).map(|row| row.key).collect();
    assert_eq!(keys.len() as u64, KEYS + KEYS / 100);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys, (0..KEYS).collect::<Vec<_>>());

    // Nothing changed: nothing is written.
    let before = disk.chunk_files();
    running.savepoint().unwrap();
    assert_eq!(disk.chunk_files(), before);
}
