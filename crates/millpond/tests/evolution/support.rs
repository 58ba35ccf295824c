//! A program that puts values under keys, and one with other types that asks for them.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millpond::{
    Collect, Data, Error, IteratorSource, Job, Key, RestartStrategy, RunOptions, StateDescriptor, TypedDescriptor,
    WatermarkStrategy,
};

use crate::on_disk::on_disk;

/// A store that no other test has.
pub(crate) fn fresh_store() -> String {
    static STORES: AtomicU64 = AtomicU64::new(0);
    format!("memory://evolution-{}", STORES.fetch_add(1, Ordering::Relaxed))
}

/// An odd number of workers keep their state on disk, so that what was written by one is taken up by the other.
pub(crate) fn options(store: &str, parallelism: usize, from: Option<String>) -> RunOptions {
    let options = RunOptions {
        parallelism: Some(parallelism),
        store: Some(store.to_owned()),
        checkpoint_interval: Duration::from_secs(3600),
        restart: RestartStrategy::None,
        allow_non_restored: true,
        from,
        ..RunOptions::default()
    };
    on_disk(!parallelism.is_multiple_of(2), options)
}

/// The state's name; all that the old program says.
pub(crate) fn plain<V>() -> TypedDescriptor<V> {
    StateDescriptor::new("state").into()
}

/// Runs a program that puts each value under its key; gives its last snapshot.
pub(crate) fn write<K: Key + Sync, V: Data + Sync>(store: &str, parallelism: usize, rows: &[(K, V)]) -> String {
    let rows = rows.to_vec();
    let job = Job::new("evolving", move |env| {
        let rows = rows.clone();
        env.source(IteratorSource::new(move || rows.clone().into_iter()), WatermarkStrategy::none())
            .uid("rows")
            .key_by(|(key, _): &(K, V)| key.clone())
            .process_fn(|setup| {
                let state = setup.value::<V>("state");
                move |(_, value): &(K, V), _| {
                    state.set(value.clone());
                    Ok(())
                }
            })
            .uid("state")
            .sink(Collect::<()>::new().sink())
            .uid("nothing");
        Ok(())
    });
    job.run(options(store, parallelism, None)).unwrap().snapshot.expect("a snapshot at the end")
}

/// What a program with these types finds under each key, and its last snapshot. `migrate_key` and `state` say what becomes
/// of older ones.
#[expect(clippy::type_complexity, reason = "what was found, and where")]
pub(crate) fn ask<K: Key + Sync, V: Data>(
    store: &str,
    parallelism: usize,
    from: Option<&str>,
    keys: &[K],
    prepare: impl Fn(millpond::KeyedStream<'_, K, K>) -> millpond::KeyedStream<'_, K, K> + Send + Sync + 'static,
    state: impl Fn() -> TypedDescriptor<V> + Send + Sync + 'static,
) -> Result<(Vec<(K, Option<V>)>, String), Error> {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    let (out, keys) = (Collect::new(), keys.to_vec());
    let given = out.clone();
    let job = Job::new("evolving", move |env| {
        let keys = keys.clone();
        let asked = env
            .source(IteratorSource::new(move || keys.clone().into_iter()), WatermarkStrategy::none())
            .uid(&format!("ask-{number}"))
            .key_by(|key: &K| key.clone());
        prepare(asked)
            .process_fn(|setup| {
                let state = setup.value::<V>(state());
                move |key: &K, context| {
                    context.emit((key.clone(), state.get()));
                    Ok(())
                }
            })
            .uid("state")
            .sink(given.sink())
            // What another program has put out is of other types.
            .uid(&format!("out-{number}"));
        Ok(())
    });
    let report = job.run(options(store, parallelism, from.map(str::to_owned)))?;
    Ok((out.items(), report.snapshot.expect("a snapshot at the end")))
}

/// Old rows in one program, and what another finds: at other parallelisms, and once more after its own snapshot.
pub(crate) fn becomes<K0: Key + Sync, V0: Data + Sync, K: Key + Sync + Debug, V: Data + Debug>(
    rows: &[(K0, V0)],
    prepare: impl Fn(millpond::KeyedStream<'_, K, K>) -> millpond::KeyedStream<'_, K, K>
    + Clone
    + Send
    + Sync
    + 'static,
    state: impl Fn() -> TypedDescriptor<V> + Clone + Send + Sync + 'static,
    expected: &[(K, V)],
) {
    assert!(!expected.is_empty(), "nothing is expected");
    let keys: Vec<K> = expected.iter().map(|(key, _)| key.clone()).collect();
    let told = |rows: Vec<(K, Option<V>)>| {
        let mut told: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        told.sort();
        told
    };
    let expected = told(expected.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect());
    for (old, new) in [(1, 1), (2, 3), (3, 2)] {
        let store = fresh_store();
        let from = write(&store, old, rows);
        let (found, then) = ask(&store, new, Some(&from), &keys, prepare.clone(), state.clone()).unwrap();
        assert_eq!(told(found), expected, "from {old} workers to {new}");
        // What the new program wrote is of the new types alone: it needs no migration any more.
        let (again, _) = ask(&store, old, Some(&then), &keys, |keys| keys, plain::<V>).unwrap();
        assert_eq!(told(again), expected, "from the new program's own snapshot");
    }
}

/// That a program with these types refuses what another wrote, with all of these in what it says, and writes nothing.
pub(crate) fn is_refused<K0: Key + Sync, V0: Data + Sync, K: Key + Sync, V: Data>(
    rows: &[(K0, V0)],
    prepare: impl Fn(millpond::KeyedStream<'_, K, K>) -> millpond::KeyedStream<'_, K, K> + Send + Sync + 'static,
    state: impl Fn() -> TypedDescriptor<V> + Send + Sync + 'static,
    reasons: &[&str],
) {
    let store = fresh_store();
    let from = write(&store, 2, rows);
    let before = entries(&store);
    complains::<K, V>(&store, &from, prepare, state, reasons);
    assert_eq!(entries(&store), before, "something was written");
}

/// The entries of the job's log.
pub(crate) fn entries(store: &str) -> Vec<millpond_snapshot::log::Entry> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mode = millpond_snapshot::store::OpenMode::Existing;
        let store = millpond_snapshot::Store::open(store, mode).await.unwrap();
        let log = millpond_snapshot::log::JobLog::open(&store, &"evolving".parse().unwrap());
        log.entries().await.unwrap()
    })
}

/// That a run with these types cannot start, with all of these in what it says. The plan had no objection: it is the rows.
pub(crate) fn fails<K0: Key + Sync, V0: Data + Sync, K: Key + Sync, V: Data>(
    rows: &[(K0, V0)],
    prepare: impl Fn(millpond::KeyedStream<'_, K, K>) -> millpond::KeyedStream<'_, K, K> + Send + Sync + 'static,
    state: impl Fn() -> TypedDescriptor<V> + Send + Sync + 'static,
    reasons: &[&str],
) {
    let store = fresh_store();
    let from = write(&store, 2, rows);
    complains::<K, V>(&store, &from, prepare, state, reasons);
}

/// That a program with these types cannot go on from a snapshot, with all of these in what it says.
fn complains<K: Key + Sync, V: Data>(
    store: &str,
    from: &str,
    prepare: impl Fn(millpond::KeyedStream<'_, K, K>) -> millpond::KeyedStream<'_, K, K> + Send + Sync + 'static,
    state: impl Fn() -> TypedDescriptor<V> + Send + Sync + 'static,
    reasons: &[&str],
) {
    let error = ask::<K, V>(store, 2, Some(from), &[], prepare, state).expect_err("it must not start").to_string();
    for reason in reasons {
        assert!(error.contains(reason), "expected '{reason}' in: {error}");
    }
}

/// Waits until it is `done`; panics if that takes far too long.
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
