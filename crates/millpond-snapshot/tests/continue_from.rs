//! From where a run goes on that is started under a name that has run before.

mod common;

use common::{entry, record};
use millpond_snapshot::Sequence;
use millpond_snapshot::log::{ContinueDecision, CopiedFrom, Entry, EntryBody, continue_from, passed_over};

fn begun(sequence: u64, restored_from: Option<&str>) -> Entry {
    let restored_from = restored_from.map(|address| address.parse().unwrap());
    entry(sequence, sequence, EntryBody::Start { parallelism: 1, restored_from, options: Default::default() })
}

fn checkpoint(sequence: u64, run: u64) -> Entry {
    entry(sequence, run, EntryBody::Checkpoint(record(vec![])))
}

fn from(address: &str) -> ContinueDecision {
    ContinueDecision::From(address.parse().unwrap())
}

#[test]
fn a_name_that_never_ran_starts_fresh() {
    assert_eq!(continue_from(&[]), ContinueDecision::Fresh);
}

#[test]
fn a_run_that_died_is_continued_from_its_newest_snapshot() {
    let failure = EntryBody::Failure { operator: None, reason: "disk".into(), restart: false };
    let savepoint = entry(3, 1, EntryBody::Savepoint(record(vec![])));
    let log = [begun(1, None), checkpoint(2, 1), savepoint, entry(4, 1, failure)];
    assert_eq!(continue_from(&log), from("flights@3"));
    assert_eq!(continue_from(&log[..2]), from("flights@2"));
}

#[test]
fn a_run_that_was_ended_is_not_continued() {
    for end in [
        EntryBody::Stop { snapshot: Sequence(2), drained: false },
        EntryBody::Cancel { retained: true },
        EntryBody::Finish { snapshot: None },
    ] {
        let log = [begun(1, None), checkpoint(2, 1), entry(3, 1, end)];
        assert_eq!(continue_from(&log), ContinueDecision::Fresh);
    }
}

#[test]
fn a_run_that_died_before_its_first_snapshot_is_continued_from_where_it_began() {
    let stop = || entry(3, 1, EntryBody::Stop { snapshot: Sequence(2), drained: false });
    let earlier = || [begun(1, None), checkpoint(2, 1), stop()];
    let log = [&earlier()[..], &[begun(4, Some("trains#v1"))]].concat();
    assert_eq!(continue_from(&log), from("trains#v1"));
    let log = [&earlier()[..], &[begun(4, None)]].concat();
    assert_eq!(continue_from(&log), ContinueDecision::Fresh, "the snapshots of an ended run do not count");
}

#[test]
fn a_copy_in_the_log_is_no_run() {
    let mut copied = record(vec![]);
    copied.copied_from = Some(CopiedFrom { store: "s3://x".into(), id: "flights@9".parse().unwrap() });
    let copy = entry(4, 4, EntryBody::Savepoint(copied));
    assert_eq!(continue_from(std::slice::from_ref(&copy)), ContinueDecision::Fresh);
    let log = [begun(1, None), checkpoint(2, 1), copy];
    assert_eq!(continue_from(&log), from("flights@2"));
}

#[test]
fn whoever_begins_anew_is_told_of_the_newest_snapshot() {
    let ended_by = |end| [begun(1, None), checkpoint(2, 1), checkpoint(3, 1), entry(4, 1, end)];
    let newest = |log: &[Entry]| passed_over(log).map(|id| id.to_string());
    assert_eq!(newest(&[]), None);
    assert_eq!(newest(&[begun(1, None)]), None);
    let stop = EntryBody::Stop { snapshot: Sequence(3), drained: false };
    assert_eq!(newest(&ended_by(stop)).as_deref(), Some("flights@3"));
    assert_eq!(newest(&ended_by(EntryBody::Cancel { retained: true })).as_deref(), Some("flights@3"));
    assert_eq!(newest(&ended_by(EntryBody::Finish { snapshot: None })), None, "there is nothing to go on with");
    let mut copied = record(vec![]);
    copied.copied_from = Some(CopiedFrom { store: "s3://x".into(), id: "flights@9".parse().unwrap() });
    let copy = entry(1, 1, EntryBody::Savepoint(copied));
    assert_eq!(newest(&[copy]).as_deref(), Some("flights@1"), "a copy waits to be started from");
}
