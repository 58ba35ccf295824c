//! What happens between two steps of one operation: something is done to the store just before a chosen
//! one.

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{encode, entry, job, record, start};
use faulty::{Fault, Faulty};
use futures::FutureExt;
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{EntryBody, JobLog};
use millpond_snapshot::repository::{
    RemoveOptions, begin_from, copy, jobs, pin, release, remove, resolve, tag, verify,
};
use millpond_snapshot::store::{OpenMode, layout};
use millpond_snapshot::{Error, Sequence, Store};
use object_store::memory::InMemory;

/// The outcome of something done to a store in memory, which never waits.
fn now<T>(done: impl Future<Output = T>) -> T {
    done.now_or_never().expect("memory never waits")
}

/// A job that was stopped, with snapshots 2 and 3.
async fn stopped(store: &Store) {
    let log = JobLog::open(store, &job("flights"));
    let stop = EntryBody::Stop { snapshot: Sequence(3), drained: false };
    let snapshots = [2, 3].map(|sequence| entry(sequence, 1, EntryBody::Savepoint(record(vec![]))));
    for entry in [start(1)].into_iter().chain(snapshots).chain([entry(4, 1, stop)]) {
        log.append(&entry).await.unwrap();
    }
}

/// The store of `objects`, to which `meanwhile` is done once, just before the first `operation`.
fn interrupted(
    objects: &Arc<InMemory>,
    operation: &'static str,
    meanwhile: impl Fn(&Store) + Send + Sync + 'static,
) -> Store {
    let (calm, done) = (Store::over(objects.clone(), "calm://"), AtomicBool::new(false));
    let next = move |met: &str| {
        if met == operation && !done.swap(true, Ordering::SeqCst) {
            meanwhile(&calm);
        }
        Fault::None
    };
    Store::over(Arc::new(Faulty::new(objects.clone(), next)), "interrupted://")
}

#[tokio::test]
async fn a_job_that_begins_while_its_origin_is_removed_keeps_it() {
    let objects = Arc::new(InMemory::new());
    let calm = Store::over(objects.clone(), "calm://");
    stopped(&calm).await;
    let store = interrupted(&objects, "delete", |calm| {
        now(begin_from(calm, "flights@2", &job("flights-b"))).unwrap();
    });
    let id = "flights@2".parse().unwrap();
    let refused = remove(&store, &id, RemoveOptions::default()).await.unwrap_err();
    assert!(matches!(&refused, Error::Conflict(why) if why.contains("a job began from it")), "{refused}");
    assert!(JobLog::open(&calm, &job("flights")).read(Sequence(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_log_that_changes_while_it_is_read_is_read_again() {
    let objects = Arc::new(InMemory::new());
    let calm = Store::over(objects.clone(), "calm://");
    let log = JobLog::open(&calm, &job("flights"));
    log.append(&start(1)).await.unwrap();
    log.append(&entry(2, 1, EntryBody::Checkpoint(record(vec![])))).await.unwrap();
    let store = interrupted(&objects, "get", |calm| {
        let log = JobLog::open(calm, &job("flights"));
        now(log.append(&entry(3, 1, EntryBody::Checkpoint(record(vec![]))))).unwrap();
        now(calm.delete(&layout::entry(&job("flights"), Sequence(2)))).unwrap();
    });
    let read = jobs(&store).await.unwrap();
    let sequences: Vec<_> = read[0].entries.iter().map(|entry| entry.sequence.0).collect();
    assert_eq!(sequences, [1, 3], "collection would take what entry 3 names for garbage");
}

#[tokio::test]
async fn what_is_collected_while_a_copy_counts_on_it_is_copied_after_all() {
    let from = Store::open("memory://race-copy", OpenMode::CreateIfMissing).await.unwrap();
    let chunk = from.put_chunk(encode(ChunkKind::Base, &[("a", Some(1))])).await.unwrap();
    let log = JobLog::open(&from, &job("flights"));
    log.append(&entry(1, 1, EntryBody::Savepoint(record(vec![chunk.clone()])))).await.unwrap();
    let snapshot = resolve(&from, "flights@1").await.unwrap();

    let objects = Arc::new(InMemory::new());
    copy(&snapshot, &Store::over(objects.clone(), "calm://"), None, |_, _| {}).await.unwrap();
    let path = chunk.path();
    let store = interrupted(&objects, "put", move |calm| now(calm.delete(&path)).unwrap());
    let copied = copy(&snapshot, &store, None, |_, _| {}).await.unwrap();
    assert_eq!((copied.objects, copied.present), (0, 1));
    let copied = resolve(&store, &copied.id.to_string()).await.unwrap();
    assert_eq!(verify(&[copied], |_, _| {}).await.unwrap().problems, []);
}

/// A run that goes on, with checkpoints 2 and 3, each of which names a chunk of its own.
async fn two_checkpoints(store: &Store) -> Vec<millpond_snapshot::log::Entry> {
    let log = JobLog::open(store, &job("flights"));
    log.append(&start(1)).await.unwrap();
    let mut checkpoints = Vec::new();
    for sequence in [2, 3] {
        let chunk = store.put_chunk(encode(ChunkKind::Base, &[("a", Some(sequence))])).await.unwrap();
        let checkpoint = entry(sequence, 1, EntryBody::Checkpoint(record(vec![chunk])));
        log.append(&checkpoint).await.unwrap();
        checkpoints.push(checkpoint);
    }
    checkpoints
}

/// Retention has looked who is protected, and is about to delete: what is marked at that moment stays, with its chunks.
#[tokio::test]
async fn what_is_marked_while_retention_removes_it_stays_whole() {
    for how in ["tag", "pin", "fork"] {
        let objects = Arc::new(InMemory::new());
        let calm = Store::over(objects.clone(), "calm://");
        let checkpoints = two_checkpoints(&calm).await;
        let store = interrupted(&objects, "delete", move |calm| {
            let id = "flights@2".parse().unwrap();
            match how {
                "tag" => now(tag(calm, &id, &"kept".parse().unwrap(), None, None)).unwrap(),
                "pin" => now(pin(calm, &id, None, None)).unwrap(),
                _ => drop(now(begin_from(calm, "flights@2", &job("flights-b"))).unwrap()),
            }
        });
        let released = release(&store, &job("flights"), &checkpoints[..1], &checkpoints[1..]).await.unwrap();
        assert_eq!((released.kept, released.entries, released.objects), (vec![Sequence(2)], 0, 0), "{how}");
        let kept = resolve(&calm, "flights@2").await.unwrap();
        assert_eq!(kept.entry, checkpoints[0], "{how}");
        assert_eq!(verify(&[kept], |_, _| {}).await.unwrap().problems, [], "{how}");
    }
}

#[tokio::test]
async fn what_is_marked_while_a_person_removes_it_stays() {
    for how in ["tag", "pin"] {
        let objects = Arc::new(InMemory::new());
        let calm = Store::over(objects.clone(), "calm://");
        stopped(&calm).await;
        let store = interrupted(&objects, "delete", move |calm| {
            let id = "flights@2".parse().unwrap();
            match how {
                "tag" => now(tag(calm, &id, &"kept".parse().unwrap(), None, None)).unwrap(),
                _ => now(pin(calm, &id, None, None)).unwrap(),
            }
        });
        let refused = remove(&store, &"flights@2".parse().unwrap(), RemoveOptions::default()).await.unwrap_err();
        assert!(matches!(&refused, Error::Conflict(why) if why.contains("is not removed")), "{refused}");
        resolve(&calm, "flights@2").await.unwrap();
    }
}

/// The other way round: what was removed before the mark was written is not said to be marked, and no mark stays behind.
#[tokio::test]
async fn a_mark_on_what_goes_meanwhile_is_refused() {
    for how in ["tag", "pin"] {
        let objects = Arc::new(InMemory::new());
        let calm = Store::over(objects.clone(), "calm://");
        let checkpoints = two_checkpoints(&calm).await;
        let store = interrupted(&objects, "put", move |calm| {
            let released = now(release(calm, &job("flights"), &checkpoints[..1], &checkpoints[1..])).unwrap();
            assert_eq!((released.kept, released.entries), (vec![], 1));
        });
        let id = "flights@2".parse().unwrap();
        let marked = match how {
            "tag" => tag(&store, &id, &"kept".parse().unwrap(), None, None).await,
            _ => pin(&store, &id, None, None).await,
        };
        assert!(
            matches!(&marked, Err(Error::Conflict(why)) if why.contains("removed meanwhile")),
            "{how}: {marked:?}"
        );
        for marks in [layout::tags(&job("flights")), layout::pins(&job("flights"))] {
            assert_eq!(calm.list(&marks).await.unwrap(), [], "{how}");
        }
    }
}

/// Retention whose deletions fail, happen and are reported as failed, or happen late, one by one: tried again, it comes to
/// the same end, and what stays is whole at every moment.
#[tokio::test]
async fn retention_on_a_store_that_fails_comes_to_the_same_end() {
    for place in 0..4 {
        for fault in [Fault::Before, Fault::After, Fault::Late] {
            let objects = Arc::new(InMemory::new());
            let calm = Store::over(objects.clone(), "calm://");
            let checkpoints = two_checkpoints(&calm).await;
            let met = std::sync::atomic::AtomicUsize::new(0);
            let next = move |operation: &str| match operation {
                "delete" if met.fetch_add(1, Ordering::SeqCst) == place => fault,
                _ => Fault::None,
            };
            let faulty = Arc::new(Faulty::new(objects.clone(), next));
            let store = Store::over(faulty.clone(), "faulty://");
            let mut failures = 0;
            while release(&store, &job("flights"), &checkpoints[..1], &checkpoints[1..]).await.is_err() {
                failures += 1;
                let kept = resolve(&calm, "flights@3").await.unwrap();
                assert_eq!(verify(&[kept], |_, _| {}).await.unwrap().problems, [], "{place} {fault:?}");
            }
            faulty.settle().await;
            // It deletes an entry, then an object, and a copy that nobody made.
            assert_eq!(failures, usize::from(place < 3), "{place} {fault:?}");
            let log = JobLog::open(&calm, &job("flights"));
            assert_eq!(log.sequences().await.unwrap(), [Sequence(1), Sequence(3)], "{place} {fault:?}");
            assert_eq!(calm.list(&layout::objects()).await.unwrap().len(), 1, "{place} {fault:?}");
            let kept = resolve(&calm, "flights@3").await.unwrap();
            assert_eq!(verify(&[kept], |_, _| {}).await.unwrap().problems, [], "{place} {fault:?}");
        }
    }
}
