//! Removing against marking, at each step of both, with a remover that dies at any of its steps: what somebody was told is
//! kept is there, whole, and stays so when garbage is collected.

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{encode, entry, job, record, start};
use faulty::{Fault, Faulty};
use futures::FutureExt;
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{Entry, EntryBody, JobLog, SnapshotId};
use millpond_snapshot::repository::{
    CollectOptions, RemoveOptions, begin_from, collect, pin, protected, release, remove, resolve, tag, verify,
};
use millpond_snapshot::store::layout;
use millpond_snapshot::{Error, Result, Sequence, Store};
use object_store::memory::InMemory;

/// More steps than anything here has.
const STEPS: usize = 30;

/// The outcome of something done to a store in memory, which never waits.
fn now<T>(done: impl Future<Output = T>) -> T {
    done.now_or_never().expect("memory never waits")
}

fn two() -> SnapshotId {
    "flights@2".parse().unwrap()
}

fn calm(objects: &Arc<InMemory>) -> Store {
    Store::over(objects.clone(), "calm://")
}

/// A job with snapshots 2, 3 and 4, each of which names a chunk of its own; stopped if it is a person who removes.
fn scene(remover: Remover) -> (Arc<InMemory>, Vec<Entry>) {
    let objects = Arc::new(InMemory::new());
    let store = calm(&objects);
    let log = JobLog::open(&store, &job("flights"));
    now(log.append(&start(1))).unwrap();
    let mut checkpoints = Vec::new();
    for sequence in [2, 3, 4] {
        let chunk = now(store.put_chunk(encode(ChunkKind::Base, &[("a", Some(sequence))]))).unwrap();
        let checkpoint = entry(sequence, 1, EntryBody::Checkpoint(record(vec![chunk])));
        now(log.append(&checkpoint)).unwrap();
        checkpoints.push(checkpoint);
    }
    if remover == Remover::Person {
        let stop = EntryBody::Stop { snapshot: Sequence(4), drained: false };
        now(log.append(&entry(5, 1, stop))).unwrap();
    }
    (objects, checkpoints)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Remover {
    Retention,
    Person,
}

impl Remover {
    /// Removes snapshot 2. Whether it succeeds is its own affair.
    fn remove(self, store: &Store, checkpoints: &[Entry]) {
        match self {
            Remover::Retention => {
                drop(now(release(store, &job("flights"), &checkpoints[..1], &checkpoints[1..])));
            }
            Remover::Person => drop(now(remove(store, &two(), RemoveOptions::default()))),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Marker {
    Tag,
    Pin,
    Fork,
}

impl Marker {
    fn mark(self, store: &Store) -> Result<()> {
        match self {
            Marker::Tag => now(tag(store, &two(), &"kept".parse().unwrap(), None, None)),
            Marker::Pin => now(pin(store, &two(), None, None)),
            Marker::Fork => now(begin_from(store, "flights@2", &job("flights-b"))).map(drop),
        }
    }
}

/// A store on which `meanwhile` happens just before operation number `at`, and which is dead from operation number `dead` on:
/// as if the process that uses it were.
fn disturbed(
    objects: &Arc<InMemory>,
    at: usize,
    dead: usize,
    meanwhile: impl Fn() + Send + Sync + 'static,
) -> Store {
    let (count, busy) = (AtomicUsize::new(0), AtomicBool::new(false));
    let next = move |_: &str| {
        // What happens meanwhile does not happen on this store.
        assert!(!busy.load(Ordering::SeqCst));
        let place = count.fetch_add(1, Ordering::SeqCst);
        if place == at {
            busy.store(true, Ordering::SeqCst);
            meanwhile();
            busy.store(false, Ordering::SeqCst);
        }
        if place >= dead { Fault::Before } else { Fault::None }
    };
    Store::over(Arc::new(Faulty::new(objects.clone(), next)), "disturbed://")
}

/// Snapshot 2 is there and whole, before and after garbage is collected. Number 4 is in any case.
fn check(objects: &Arc<InMemory>, kept: bool, what: &str) {
    let store = calm(objects);
    for round in ["before", "after"] {
        for (id, kept) in [("flights@2", kept), ("flights@4", true)] {
            if !kept {
                continue;
            }
            let found = now(resolve(&store, id)).unwrap_or_else(|error| panic!("{what}, {round}: {error}"));
            let verified = now(verify(&[found], |_, _| {})).unwrap();
            assert_eq!(verified.problems, [], "{what}, {round} collection: {id}");
        }
        let options = CollectOptions { grace: Duration::ZERO, dry_run: false };
        match now(collect(&store, options)) {
            // Somebody died between a mark and the promise, which nobody was given.
            Err(Error::Conflict(why)) if !kept => assert!(why.contains("a moment ago"), "{what}: {why}"),
            collected => drop(collected.unwrap_or_else(|error| panic!("{what}: {error}"))),
        }
    }
}

/// Somebody marks the snapshot between two steps of a remover, which dies at this or any later step.
#[test]
fn what_is_marked_while_a_remover_dies_is_kept() {
    let (mut promised, mut refused, mut lost) = (0, 0, 0);
    for remover in [Remover::Retention, Remover::Person] {
        for marker in [Marker::Tag, Marker::Pin, Marker::Fork] {
            for at in 0..STEPS {
                for dead in at..STEPS {
                    let (objects, checkpoints) = scene(remover);
                    let told = Arc::new(std::sync::Mutex::new(None));
                    let (behind, tell) = (objects.clone(), told.clone());
                    let meanwhile = move || *tell.lock().unwrap() = Some(marker.mark(&calm(&behind)));
                    remover.remove(&disturbed(&objects, at, dead, meanwhile), &checkpoints);
                    let what = format!("{remover:?}, {marker:?} at {at}, dead at {dead}");
                    match told.lock().unwrap().take() {
                        // The remover had come to its end.
                        None => break,
                        Some(Ok(())) => {
                            promised += 1;
                            let log = now(JobLog::open(&calm(&objects), &job("flights")).sequences()).unwrap();
                            lost += usize::from(!log.contains(&Sequence(2)));
                            check(&objects, true, &what);
                        }
                        Some(Err(error)) => {
                            refused += 1;
                            assert!(matches!(error, Error::Conflict(_) | Error::NotFound(_)), "{what}: {error}");
                            check(&objects, false, &what);
                            let marks = now(protected(&calm(&objects), &job("flights"))).unwrap();
                            let forks = marker == Marker::Fork;
                            assert!(forks || marks.is_empty(), "{what}: a mark of nothing stays behind");
                        }
                    }
                }
            }
        }
    }
    // Each of them came about, and the entry was gone and had to be put back.
    assert!(promised > 0 && refused > 0 && lost > 0, "{promised} {refused} {lost}");
}

/// The other way round: somebody removes it between two steps of whoever marks it, and dies at any step; and collects garbage
/// then.
#[test]
fn what_goes_while_it_is_marked_is_either_refused_or_kept() {
    let (mut promised, mut refused) = (0, 0);
    for remover in [Remover::Retention, Remover::Person] {
        for marker in [Marker::Tag, Marker::Pin, Marker::Fork] {
            for at in 0..STEPS {
                for dead in 0..STEPS {
                    let (objects, checkpoints) = scene(remover);
                    let (behind, came) = (objects.clone(), Arc::new(AtomicBool::new(false)));
                    let comes = came.clone();
                    let meanwhile = move || {
                        comes.store(true, Ordering::SeqCst);
                        remover.remove(&disturbed(&behind, STEPS, dead, || {}), &checkpoints);
                        let options = CollectOptions { grace: Duration::ZERO, dry_run: false };
                        drop(now(collect(&calm(&behind), options)));
                    };
                    let told = marker.mark(&disturbed(&objects, at, usize::MAX, meanwhile));
                    if !came.load(Ordering::SeqCst) {
                        break;
                    }
                    let what = format!("{remover:?} at {at} of {marker:?}, dead at {dead}");
                    promised += usize::from(told.is_ok());
                    refused += usize::from(told.is_err());
                    check(&objects, told.is_ok(), &what);
                }
            }
        }
    }
    assert!(promised > 0 && refused > 0, "{promised} {refused}");
}

/// Whoever marks dies too: nothing else suffers, and a later try succeeds or is refused.
#[test]
fn whoever_dies_while_marking_does_no_harm() {
    for marker in [Marker::Tag, Marker::Pin, Marker::Fork] {
        for dead in 0..STEPS {
            let (objects, checkpoints) = scene(Remover::Retention);
            let told = marker.mark(&disturbed(&objects, STEPS, dead, || {}));
            check(&objects, true, &format!("{marker:?}, dead at {dead}"));
            if told.is_ok() {
                assert!(dead > 2, "{marker:?} has some steps");
                break;
            }
            marker.mark(&calm(&objects)).unwrap();
            Remover::Retention.remove(&calm(&objects), &checkpoints);
            check(&objects, true, &format!("{marker:?}, dead at {dead} and again"));
        }
    }
}

/// What a person takes away on purpose does not come back, and leaves nothing behind.
#[test]
fn what_is_removed_with_its_tags_stays_removed() {
    for dead in 0..STEPS {
        let (objects, _) = scene(Remover::Person);
        Marker::Tag.mark(&calm(&objects)).unwrap();
        let with_tags = RemoveOptions { with_tags: true, ..RemoveOptions::default() };
        let removed = now(remove(&disturbed(&objects, STEPS, dead, || {}), &two(), with_tags));
        check(&objects, false, &format!("dead at {dead}"));
        if removed.is_err() {
            // Whatever it had come to, it can be done again.
            match now(remove(&calm(&objects), &two(), with_tags)) {
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(error) => panic!("dead at {dead}: {error}"),
            }
            check(&objects, false, &format!("dead at {dead} and again"));
        }
        let store = calm(&objects);
        assert!(matches!(now(resolve(&store, "flights@2")), Err(Error::NotFound(_))), "dead at {dead}");
        let job = job("flights");
        for below in [layout::all_kept(&job), layout::tags(&job)] {
            assert_eq!(now(store.list(&below)).unwrap(), [], "dead at {dead}");
        }
        assert_eq!(now(store.list(&layout::objects())).unwrap().len(), 2, "dead at {dead}");
        if removed.is_ok() {
            return;
        }
    }
    panic!("it never came to its end");
}
