//! Retention keeps a store from growing with a job's age, and keeps what somebody keeps.

use std::collections::BTreeSet;
use std::time::Duration;

use millpond::RunOptions;

use crate::disk::new_store;
use crate::job::{Change, JOB, STATE, job, options, read};
use crate::source::Gate;
use crate::waiting::wait;

const KEYS: u64 = 2_000;
const CHURN: u64 = 200;
const CHECKPOINTS: u64 = 50;
const RETAIN: usize = 3;
/// What three checkpoints and a savepoint may name, what a fold that was overtaken has left behind, and what is being written.
const FILES: usize = 64;

#[test]
fn old_checkpoints_and_their_chunks_go_and_savepoints_stay() {
    let (_directory, disk) = new_store();
    let gate = Gate::default();
    let change = |number| Change { key: number * 7919 % KEYS, value: Some(number) };
    let options = RunOptions { checkpoint_interval: Duration::from_millis(20), retain: RETAIN, ..options(&disk) };
    let running = job(&gate, STATE.into(), change).start(options).unwrap();
    let mut numbers = KEYS;
    read(&running, &gate, numbers);
    let savepoint = running.savepoint().unwrap();
    let at_savepoint = numbers;

    let (mut ever, mut most) = (BTreeSet::new(), 0);
    for _ in 0..CHECKPOINTS {
        numbers += CHURN;
        read(&running, &gate, numbers);
        let published = running.snapshots_published();
        wait("a checkpoint", || running.snapshots_published() > published);
        let files = disk.chunk_files();
        most = most.max(files.len());
        ever.extend(files.into_keys());
    }
    assert!(running.snapshots_published() > CHECKPOINTS);
    running.interrupt().unwrap();

    let snapshots = disk.snapshots(JOB);
    let checkpoints = snapshots.iter().filter(|snapshot| !snapshot.savepoint).count();
    // The last retention may have been interrupted.
    assert!((1..=RETAIN + 1).contains(&checkpoints), "{checkpoints} checkpoints");
    assert!(ever.len() as u64 > CHECKPOINTS, "{} files in all", ever.len());
    assert!(most <= FILES, "{most} files at a time");

    // What is left is named, but for what a fold or a checkpoint under way left behind.
    let named: BTreeSet<_> =
        snapshots.iter().flat_map(|snapshot| disk.all_chunks(snapshot)).map(|chunk| chunk.file).collect();
    let left = disk.chunk_files();
    let unnamed = left.keys().filter(|file| !named.contains(*file)).count();
    assert!(named.iter().all(|file| left.contains_key(file)), "something that is named is gone");
    assert!(unnamed <= 8, "{unnamed} of {} files are named by nothing", left.len());

    // The savepoint has been through all of it.
    let kept = disk.snapshot(&savepoint);
    assert_eq!(snapshots[0].sequence, kept.sequence);
    let mut state = std::collections::BTreeMap::new();
    for row in disk.chunks(&kept, JOB, STATE).iter().flat_map(|chunk| chunk.read()) {
        state.insert(row.key, row.value.unwrap());
    }
    let expected = (0..at_savepoint).map(|number| (number * 7919 % KEYS, number)).collect();
    assert_eq!(state, expected);
}
