//! Everything that people and jobs write or delete beside the log, on a store that fails, lies, or answers late at each of its
//! writes: tried again, it comes to the end that it would have come to, and nothing that is kept suffers on the way.

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{encode, entry, job, record, start};
use faulty::{Fault, Faulty};
use futures::FutureExt;
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{EntryBody, JobLog};
use millpond_snapshot::repository::{
    CollectOptions, RemoveOptions, begin_from, collect, copy, pin, remove, resolve, tag, unpin, untag, verify,
};
use millpond_snapshot::store::layout;
use millpond_snapshot::{Error, Result, Sequence, Store};
use object_store::memory::InMemory;

fn now<T>(done: impl Future<Output = T>) -> T {
    done.now_or_never().expect("memory never waits")
}

fn calm(objects: &Arc<InMemory>) -> Store {
    Store::over(objects.clone(), "calm://")
}

/// A job that was stopped, with savepoints 2, 3 and 4; 3 is tagged, 4 is pinned; and a chunk that nothing names.
fn scene() -> Arc<InMemory> {
    let objects = Arc::new(InMemory::new());
    let store = calm(&objects);
    let log = JobLog::open(&store, &job("flights"));
    now(log.append(&start(1))).unwrap();
    for sequence in [2, 3, 4] {
        let chunk = now(store.put_chunk(encode(ChunkKind::Base, &[("a", Some(sequence))]))).unwrap();
        now(log.append(&entry(sequence, 1, EntryBody::Savepoint(record(vec![chunk]))))).unwrap();
    }
    let stop = EntryBody::Stop { snapshot: Sequence(4), drained: false };
    now(log.append(&entry(5, 1, stop))).unwrap();
    now(store.put_chunk(encode(ChunkKind::Base, &[("stray", Some(1))]))).unwrap();
    now(tag(&store, &"flights@3".parse().unwrap(), &"v1".parse().unwrap(), None, None)).unwrap();
    now(pin(&store, &"flights@4".parse().unwrap(), None, None)).unwrap();
    objects
}

/// What is done, and which snapshot may go by it.
type Deed = (&'static str, Option<&'static str>, fn(&Store) -> Result<()>);

const DEEDS: &[Deed] = &[
    ("tag", None, |store| now(tag(store, &"flights@2".parse()?, &"v2".parse()?, None, None))),
    ("pin", None, |store| now(pin(store, &"flights@2".parse()?, None, None))),
    ("untag", None, |store| found(now(untag(store, &job("flights"), &"v1".parse()?)))),
    ("unpin", None, |store| found(now(unpin(store, &"flights@4".parse()?)))),
    ("fork", None, |store| now(begin_from(store, "flights@2", &job("flights-b"))).map(drop)),
    ("collect", None, |store| {
        now(collect(store, CollectOptions { grace: Duration::ZERO, dry_run: false })).map(drop)
    }),
    ("remove", Some("flights@2"), |store| {
        found(now(remove(store, &"flights@2".parse()?, RemoveOptions::default())).map(drop))
    }),
    ("remove with tags", Some("flights@3"), |store| {
        let with_tags = RemoveOptions { with_tags: true, ..RemoveOptions::default() };
        found(now(remove(store, &"flights@3".parse()?, with_tags)).map(drop))
    }),
    ("copy", None, |store| {
        let from = now(resolve(store, "flights@4"))?;
        now(copy(&from, store, Some(&job("copied")), |_, _| {})).map(drop)
    }),
];

/// That it was done before is as well.
fn found(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Error::NotFound(_)) => Ok(()),
        outcome => outcome,
    }
}

/// The names of all objects.
fn names(objects: &Arc<InMemory>) -> BTreeSet<String> {
    let store = calm(objects);
    let below = [layout::jobs(), layout::objects()];
    let listed = below.iter().flat_map(|below| now(store.list(below)).unwrap());
    // Chunks have random names.
    listed.map(|object| object.path.to_string()).collect()
}

fn whole(objects: &Arc<InMemory>, may_go: Option<&str>, what: &str) {
    let store = calm(objects);
    for id in ["flights@2", "flights@3", "flights@4"] {
        match now(resolve(&store, id)) {
            Err(Error::NotFound(_)) if may_go == Some(id) => {}
            found => {
                let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(now(verify(&[found], |_, _| {})).unwrap().problems, [], "{what}: {id}");
            }
        }
    }
}

#[test]
fn tried_again_it_comes_to_the_same_end() {
    for (name, may_go, deed) in DEEDS {
        let mut failures = 0;
        for fault in [Fault::Before, Fault::After, Fault::Late] {
            for place in 0.. {
                let what = format!("{name}, {fault:?} at write {place}");
                let objects = scene();
                let undisturbed = Arc::new(objects.fork());
                deed(&calm(&undisturbed)).unwrap_or_else(|error| panic!("{name}: {error}"));

                let met = Arc::new(AtomicUsize::new(0));
                let meets = met.clone();
                let next = move |operation: &str| match operation {
                    "put" | "delete" if meets.fetch_add(1, Ordering::SeqCst) == place => fault,
                    _ => Fault::None,
                };
                let faulty = Arc::new(Faulty::new(objects.clone(), next));
                let store = Store::over(faulty.clone(), "faulty://");
                for attempt in 0.. {
                    assert!(attempt < 3, "{what}: it does not get over it");
                    match deed(&store) {
                        Ok(()) => break,
                        Err(error) => {
                            failures += 1;
                            assert!(matches!(error, Error::Storage { .. }), "{what}: {error}");
                            whole(&objects, *may_go, &what);
                        }
                    }
                }
                now(faulty.settle());
                whole(&objects, *may_go, &what);
                assert_eq!(names(&objects), names(&undisturbed), "{what}");
                if met.load(Ordering::SeqCst) <= place {
                    assert!(place > 0, "{name} writes nothing");
                    break;
                }
            }
        }
        assert!(failures > 0, "{name}: nothing ever failed");
    }
}
