//! What is kept: tags, pins, retention, policies, and removal by a person.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use std::collections::BTreeSet;

use common::{entry, job, record};
use fixture::{append, chunk, fixture, id, stop};
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{Entry, EntryBody, JobLog};
use millpond_snapshot::repository::{
    KeepPolicy, RemoveOptions, begin_from, copy, pin, protected, release, remove, resolve, select, tag, tags,
    thin, unpin, untag, verify,
};
use millpond_snapshot::store::{OpenMode, layout};
use millpond_snapshot::{Error, Sequence, Store, Tag};

#[tokio::test]
async fn a_tag_names_one_snapshot_until_it_is_removed() {
    let f = fixture("tags").await;
    let name = "v1".parse().unwrap();
    tag(&f.store, &id(3), &name, None, Some("before the fix".into())).await.unwrap();
    tag(&f.store, &id(3), &name, None, None).await.unwrap();
    assert_eq!(resolve(&f.store, "flights#v1").await.unwrap().entry.sequence, Sequence(3));
    assert_eq!(tags(&f.store, &job("flights")).await.unwrap()[&name].reason.as_deref(), Some("before the fix"));

    let taken = tag(&f.store, &id(4), &name, None, None).await.unwrap_err();
    assert!(matches!(taken, Error::Conflict(_)), "{taken}");
    assert!(matches!(tag(&f.store, &id(1), &name, None, None).await, Err(Error::InvalidInput(_))));
    assert!(matches!(tag(&f.store, &id(9), &name, None, None).await, Err(Error::NotFound(_))));
    untag(&f.store, &job("flights"), &name).await.unwrap();
    assert!(matches!(untag(&f.store, &job("flights"), &name).await, Err(Error::NotFound(_))));
    assert!(matches!(resolve(&f.store, "flights#v1").await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn retention_takes_old_checkpoints_and_their_chunks_only() {
    let f = fixture("retention").await;
    let entries = f.log.entries().await.unwrap();
    assert_eq!(select(&entries, 1, &BTreeSet::new()), [Sequence(2)]);
    assert_eq!(select(&entries, 0, &BTreeSet::from([Sequence(3)])), [Sequence(2)]);
    assert_eq!(select(&entries, 5, &BTreeSet::new()), []);

    // Only the second checkpoint names this chunk.
    let own = chunk(&f.store, ChunkKind::Delta, &[("x", Some(1))]).await;
    append(&f.log, entry(5, 1, EntryBody::Checkpoint(record(vec![f.base.clone(), own.clone()])))).await;
    append(&f.log, entry(6, 1, EntryBody::Checkpoint(record(vec![f.base.clone()])))).await;
    let entries = f.log.entries().await.unwrap();
    let gone = select(&entries, 1, &BTreeSet::new());
    assert_eq!(gone, [Sequence(2), Sequence(3), Sequence(5)]);
    let (removed, remaining): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| gone.contains(&entry.sequence));
    let released = release(&f.store, &job("flights"), &removed, &remaining).await.unwrap();
    assert_eq!((released.entries, released.objects), (3, 1));
    assert!(f.store.info(&own.path()).await.unwrap().is_none());
    let left = verify(&[resolve(&f.store, "flights@4").await.unwrap()], |_, _| {}).await.unwrap();
    assert_eq!((left.chunks, left.problems), (4, vec![]));
}

#[tokio::test]
async fn once_another_job_began_here_chunks_are_left_to_collection() {
    let f = fixture("fork").await;
    let begun = begin_from(&f.store, "flights@2", &job("flights-b")).await.unwrap();
    assert_eq!(begun.entry.id(), id(2));
    let kept = protected(&f.store, &job("flights")).await.unwrap();
    assert_eq!(kept.keys().copied().collect::<Vec<_>>(), [Sequence(2)]);

    let entries = f.log.entries().await.unwrap();
    let removed: Vec<_> = entries.iter().filter(|e| e.snapshot().is_some()).cloned().collect();
    let released = release(&f.store, &job("flights"), &removed, &[]).await.unwrap();
    // The one that it began from stays, whatever the caller says.
    assert_eq!((released.entries, released.objects, released.kept), (2, 0, vec![Sequence(2)]));
    resolve(&f.store, "flights@2").await.unwrap();
}

#[tokio::test]
async fn a_job_never_deletes_chunks_that_another_wrote() {
    let f = fixture("inherited").await;
    let log = JobLog::open(&f.store, &job("other"));
    let body = EntryBody::Checkpoint(record(vec![f.base.clone()]));
    let inherits = Entry::new(job("other"), Sequence(1), Sequence(1), body).unwrap();
    append(&log, inherits.clone()).await;
    let released = release(&f.store, &job("other"), &[inherits], &[]).await.unwrap();
    assert_eq!(released.objects, 0);
    assert!(f.store.info(&f.base.path()).await.unwrap().is_some());
}

#[tokio::test]
async fn removal_refuses_what_is_kept_or_needed() {
    let f = fixture("rm").await;
    let running = remove(&f.store, &id(4), RemoveOptions::default()).await.unwrap_err();
    assert!(running.to_string().contains("goes on from it"), "{running}");
    stop(&f.log).await;
    pin(&f.store, &id(4), None, Some("audit".into())).await.unwrap();
    tag(&f.store, &id(4), &"v1".parse().unwrap(), None, None).await.unwrap();
    let kept = remove(&f.store, &id(4), RemoveOptions::default()).await.unwrap_err().to_string();
    assert!(kept.contains("pinned (audit)") && kept.contains("tagged v1"), "{kept}");
    assert!(kept.contains("unpin flights@4") && kept.contains("untag flights#v1"), "{kept}");
    unpin(&f.store, &id(4)).await.unwrap();
    untag(&f.store, &job("flights"), &"v1".parse().unwrap()).await.unwrap();

    let would = remove(&f.store, &id(4), RemoveOptions { dry_run: true, ..Default::default() }).await.unwrap();
    assert_eq!((would.objects, would.bytes), (1, f.deltas[2].bytes));
    assert!(resolve(&f.store, "flights@4").await.is_ok());
    assert_eq!(remove(&f.store, &id(4), RemoveOptions::default()).await.unwrap(), would);
    assert!(matches!(resolve(&f.store, "flights@4").await, Err(Error::NotFound(_))));
    assert!(matches!(remove(&f.store, &id(4), RemoveOptions::default()).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn tags_go_with_a_snapshot_when_they_are_to_and_a_name_of_nothing_can_be_given_again() {
    let f = fixture("rm-tagged").await;
    stop(&f.log).await;
    let (v1, v2): (Tag, Tag) = ("v1".parse().unwrap(), "v2".parse().unwrap());
    tag(&f.store, &id(3), &v1, None, None).await.unwrap();
    let with_tags = RemoveOptions { with_tags: true, ..Default::default() };
    pin(&f.store, &id(3), None, None).await.unwrap();
    assert!(matches!(remove(&f.store, &id(3), with_tags).await, Err(Error::Conflict(_))));
    unpin(&f.store, &id(3)).await.unwrap();
    let would = remove(&f.store, &id(3), RemoveOptions { dry_run: true, ..with_tags }).await.unwrap();
    assert_eq!(resolve(&f.store, "flights#v1").await.unwrap().entry.sequence, Sequence(3));
    assert_eq!(remove(&f.store, &id(3), with_tags).await.unwrap(), would);
    assert_eq!(would.tags, [v1]);
    assert!(tags(&f.store, &job("flights")).await.unwrap().is_empty());

    // As if somebody had died while removing it, and did not know of the tag.
    tag(&f.store, &id(2), &v2, None, None).await.unwrap();
    f.store.delete(&layout::entry(&job("flights"), Sequence(2))).await.unwrap();
    assert_eq!(resolve(&f.store, "flights#v2").await.unwrap().entry.sequence, Sequence(2));
    // As if nobody had been told of the tag.
    f.store.delete(&layout::entry(&job("flights"), Sequence(2))).await.unwrap();
    f.store.delete(&layout::kept(&job("flights"), Sequence(2))).await.unwrap();
    assert!(matches!(resolve(&f.store, "flights#v2").await, Err(Error::NotFound(_))));
    tag(&f.store, &id(4), &v2, None, None).await.unwrap();
    assert_eq!(resolve(&f.store, "flights#v2").await.unwrap().entry.sequence, Sequence(4));
}

#[tokio::test]
async fn what_was_copied_before_is_not_there_twice() {
    let f = fixture("copy-again").await;
    let other = Store::open("memory://copy-again-there", OpenMode::CreateIfMissing).await.unwrap();
    let from = resolve(&f.store, "flights@4").await.unwrap();
    let first = copy(&from, &other, None, |_, _| {}).await.unwrap();
    assert!(first.objects > 0 && !first.before);
    let again = copy(&from, &other, None, |_, _| {}).await.unwrap();
    assert_eq!((again.id, again.before, again.objects), (first.id, true, 0));
    assert_eq!(again.present, first.objects);
    // Another snapshot under the same address and number is another.
    let mut changed = from.clone();
    if let EntryBody::Checkpoint(record) | EntryBody::Savepoint(record) = &mut changed.entry.body {
        record.manifest.operators[0].name.push('x');
    }
    let third = copy(&changed, &other, None, |_, _| {}).await.unwrap();
    assert_eq!((third.id, third.before), (id(2), false));
}

#[tokio::test]
async fn the_number_of_a_removed_snapshot_is_not_given_again() {
    let f = fixture("rm-head").await;
    stop(&f.log).await;
    let other = Store::open("memory://rm-head-copy", OpenMode::CreateIfMissing).await.unwrap();
    let from = resolve(&f.store, "flights@4").await.unwrap();
    let copied = copy(&from, &other, None, |_, _| {}).await.unwrap();
    assert_eq!(copied.id, id(1));
    remove(&other, &copied.id, RemoveOptions::default()).await.unwrap();
    let again = copy(&from, &other, None, |_, _| {}).await.unwrap();
    assert_eq!((again.id, again.objects), (id(3), 0));
}

#[tokio::test]
async fn a_checkpoint_is_promoted_by_one_small_write() {
    let f = fixture("promote").await;
    let newest = f.log.read(Sequence(3)).await.unwrap().unwrap();
    let promoted = newest.snapshot().unwrap().promoted(newest.id(), None, Some("ann".into()), "release".into());
    append(&f.log, entry(5, 1, EntryBody::Savepoint(promoted))).await;
    let found = resolve(&f.store, "flights@latest").await.unwrap();
    assert_eq!(found.record().unwrap().manifest, newest.snapshot().unwrap().manifest);
    assert_eq!((found.record().unwrap().bytes_new, &found.record().unwrap().parent), (0, &Some(id(3))));
}

#[test]
fn a_policy_keeps_the_newest_of_each_period() {
    let savepoints = [
        "2026-01-31T23:30:00Z",
        "2026-02-01T00:10:00Z",
        "2026-02-01T00:50:00Z",
        "2026-02-02T00:00:00Z",
        "2026-03-01T12:00:00Z",
    ];
    let mut entries: Vec<Entry> = savepoints
        .iter()
        .zip(1..)
        .map(|(time, sequence)| {
            let mut entry = entry(sequence, 1, EntryBody::Savepoint(record(vec![])));
            entry.time = time.parse().unwrap();
            entry
        })
        .collect();
    entries.push(entry(6, 1, EntryBody::Cancel { retained: true }));
    let gone = |policy, protected: &[u64]| {
        let protected = protected.iter().map(|sequence| Sequence(*sequence)).collect();
        let gone = thin(&entries, policy, &protected);
        gone.into_iter().map(|sequence| sequence.0).collect::<Vec<_>>()
    };
    let none = KeepPolicy::default();
    assert_eq!(gone(none, &[]), [0; 0], "a policy that keeps nothing is a mistake");
    assert_eq!(gone(KeepPolicy { last: 2, ..none }, &[]), [1, 2, 3]);
    assert_eq!(gone(KeepPolicy { last: 2, ..none }, &[2]), [1, 3]);
    assert_eq!(gone(KeepPolicy { hourly: 3, ..none }, &[]), [1, 2]);
    assert_eq!(gone(KeepPolicy { daily: 3, ..none }, &[]), [1, 2]);
    assert_eq!(gone(KeepPolicy { daily: 9, ..none }, &[]), [2]);
    assert_eq!(gone(KeepPolicy { weekly: 2, ..none }, &[]), [1, 2, 3]);
    assert_eq!(gone(KeepPolicy { monthly: 2, ..none }, &[]), [1, 2, 3]);
    assert_eq!(gone(KeepPolicy { monthly: 2, last: 3, ..none }, &[]), [1, 2]);
}

#[tokio::test]
async fn a_snapshot_from_which_a_job_is_beginning_is_not_removed() {
    let f = fixture("rm-beginning").await;
    stop(&f.log).await;
    for name in ["flights", "flights-b"] {
        begin_from(&f.store, "flights@2", &job(name)).await.unwrap();
        let refused = remove(&f.store, &id(2), RemoveOptions::default()).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("job {name} is beginning from it")), "{refused}");
    }
    // Once both have begun and ended, it is free.
    let log = JobLog::open(&f.store, &job("flights-b"));
    let begun = |name: &str, sequence| {
        let restored_from = Some("flights@2".parse().unwrap());
        let body = EntryBody::Start { parallelism: 1, restored_from, options: Default::default() };
        Entry::new(job(name), Sequence(sequence), Sequence(sequence), body).unwrap()
    };
    append(&f.log, begun("flights", 6)).await;
    append(&log, begun("flights-b", 1)).await;
    let needed = remove(&f.store, &id(2), RemoveOptions::default()).await.unwrap_err().to_string();
    assert!(needed.contains("job flights goes on") && needed.contains("job flights-b goes on"), "{needed}");
    let cancel = || EntryBody::Cancel { retained: true };
    append(&f.log, entry(7, 6, cancel())).await;
    append(&log, Entry::new(job("flights-b"), Sequence(2), Sequence(1), cancel()).unwrap()).await;
    remove(&f.store, &id(2), RemoveOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_job_that_begins_from_its_own_snapshot_still_cleans_up_after_itself() {
    let f = fixture("begin-self").await;
    begin_from(&f.store, "flights@2", &job("flights")).await.unwrap();
    assert!(protected(&f.store, &job("flights")).await.unwrap().is_empty());
    let entries = f.log.entries().await.unwrap();
    let (removed, remaining): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.sequence == Sequence(4));
    assert_eq!(release(&f.store, &job("flights"), &removed, &remaining).await.unwrap().objects, 1);
}
