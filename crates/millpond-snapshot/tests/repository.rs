//! Tags, pins, retention, removal, collection, copies, exports, verification and differences.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{encode, entry, job, record, start};
use millpond_snapshot::chunk::{ChunkKind, ChunkRef};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::log::{AppendOutcome, Entry, EntryBody, JobLog, SnapshotId};
use millpond_snapshot::repository::{
    CollectOptions, KeepPolicy, StateDiff, begin_from, collect, copy, diff, export, jobs, pin,
    protected, release, remove, resolve, select, tag, tags, thin, unpin, untag, verify,
};
use millpond_snapshot::state::DiffCounts;
use millpond_snapshot::store::{OpenMode, layout};
use millpond_snapshot::{Error, Sequence, Store};

/// A job of two checkpoints and a savepoint, which share a base chunk of their own object.
struct Fixture {
    store: Store,
    log: JobLog,
    base: ChunkRef,
    deltas: Vec<ChunkRef>,
}

fn id(sequence: u64) -> SnapshotId {
    SnapshotId {
        job: job("flights"),
        sequence: Sequence(sequence),
    }
}

async fn chunk(store: &Store, kind: ChunkKind, rows: &[(&str, Option<u64>)]) -> ChunkRef {
    store.put_chunk(encode(kind, rows)).await.unwrap()
}

async fn append(log: &JobLog, entry: Entry) {
    assert_eq!(log.append(&entry).await.unwrap(), AppendOutcome::Appended);
}

async fn fixture(name: &str) -> Fixture {
    let store = Store::open(&format!("memory://{name}"), OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let log = JobLog::open(&store, &job("flights"));
    let base = chunk(
        &store,
        ChunkKind::Base,
        &[("a", Some(1)), ("b", Some(2)), ("c", Some(3))],
    )
    .await;
    let mut deltas = Vec::new();
    append(&log, start(1)).await;
    for (sequence, rows) in [(2, ("a", Some(10))), (3, ("b", None)), (4, ("d", Some(4)))] {
        deltas.push(chunk(&store, ChunkKind::Delta, &[rows]).await);
        let record = record([vec![base.clone()], deltas.clone()].concat());
        let body = if sequence == 4 {
            EntryBody::Savepoint(record)
        } else {
            EntryBody::Checkpoint(record)
        };
        append(&log, entry(sequence, 1, body)).await;
    }
    Fixture {
        store,
        log,
        base,
        deltas,
    }
}

async fn stop(log: &JobLog) {
    append(
        log,
        entry(
            5,
            1,
            EntryBody::Stop {
                snapshot: Sequence(4),
                drained: false,
            },
        ),
    )
    .await;
}

fn now() -> CollectOptions {
    CollectOptions {
        grace: Duration::ZERO,
        dry_run: false,
    }
}

#[tokio::test]
async fn a_tag_names_one_snapshot_until_it_is_removed() {
    let f = fixture("tags").await;
    let name = "v1".parse().unwrap();
    tag(&f.store, &id(3), &name, None, Some("before the fix".into()))
        .await
        .unwrap();
    tag(&f.store, &id(3), &name, None, None).await.unwrap();
    assert_eq!(
        resolve(&f.store, "flights#v1")
            .await
            .unwrap()
            .entry
            .sequence,
        Sequence(3)
    );
    assert_eq!(
        tags(&f.store, &job("flights")).await.unwrap()[&name]
            .reason
            .as_deref(),
        Some("before the fix")
    );

    let taken = tag(&f.store, &id(4), &name, None, None).await.unwrap_err();
    assert!(matches!(taken, Error::Conflict(_)), "{taken}");
    assert!(matches!(
        tag(&f.store, &id(1), &name, None, None).await,
        Err(Error::InvalidInput(_))
    ));
    assert!(matches!(
        tag(&f.store, &id(9), &name, None, None).await,
        Err(Error::NotFound(_))
    ));
    untag(&f.store, &job("flights"), &name).await.unwrap();
    assert!(matches!(
        untag(&f.store, &job("flights"), &name).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        resolve(&f.store, "flights#v1").await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn retention_takes_old_checkpoints_and_their_chunks_only() {
    let f = fixture("retention").await;
    let entries = f.log.entries().await.unwrap();
    assert_eq!(select(&entries, 1, &BTreeSet::new()), [Sequence(2)]);
    assert_eq!(
        select(&entries, 0, &BTreeSet::from([Sequence(3)])),
        [Sequence(2)]
    );
    assert_eq!(select(&entries, 5, &BTreeSet::new()), []);

    // Only the second checkpoint names this chunk.
    let own = chunk(&f.store, ChunkKind::Delta, &[("x", Some(1))]).await;
    append(
        &f.log,
        entry(
            5,
            1,
            EntryBody::Checkpoint(record(vec![f.base.clone(), own.clone()])),
        ),
    )
    .await;
    append(
        &f.log,
        entry(6, 1, EntryBody::Checkpoint(record(vec![f.base.clone()]))),
    )
    .await;
    let entries = f.log.entries().await.unwrap();
    let gone = select(&entries, 1, &BTreeSet::new());
    assert_eq!(gone, [Sequence(2), Sequence(3), Sequence(5)]);
    let (removed, remaining): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|entry| gone.contains(&entry.sequence));
    let released = release(&f.store, &job("flights"), &removed, &remaining)
        .await
        .unwrap();
    assert_eq!((released.entries, released.objects), (3, 1));
    assert!(f.store.info(&own.path()).await.unwrap().is_none());
    let left = verify(&[resolve(&f.store, "flights@4").await.unwrap()], |_, _| {})
        .await
        .unwrap();
    assert_eq!((left.chunks, left.problems), (4, vec![]));
}

#[tokio::test]
async fn once_another_job_began_here_chunks_are_left_to_collection() {
    let f = fixture("fork").await;
    let begun = begin_from(&f.store, "flights@2", &job("flights-b"))
        .await
        .unwrap();
    assert_eq!(begun.entry.id(), id(2));
    let kept = protected(&f.store, &job("flights")).await.unwrap();
    assert_eq!(kept.keys().copied().collect::<Vec<_>>(), [Sequence(2)]);

    let entries = f.log.entries().await.unwrap();
    let removed: Vec<_> = entries
        .iter()
        .filter(|e| e.snapshot().is_some())
        .cloned()
        .collect();
    let released = release(&f.store, &job("flights"), &removed, &[])
        .await
        .unwrap();
    assert_eq!((released.entries, released.objects), (3, 0));
}

#[tokio::test]
async fn a_job_never_deletes_chunks_that_another_wrote() {
    let f = fixture("inherited").await;
    let log = JobLog::open(&f.store, &job("other"));
    let body = EntryBody::Checkpoint(record(vec![f.base.clone()]));
    let inherits = Entry::new(job("other"), Sequence(1), Sequence(1), body).unwrap();
    append(&log, inherits.clone()).await;
    let released = release(&f.store, &job("other"), &[inherits], &[])
        .await
        .unwrap();
    assert_eq!(released.objects, 0);
    assert!(f.store.info(&f.base.path()).await.unwrap().is_some());
}

#[tokio::test]
async fn removal_refuses_what_is_kept_or_needed() {
    let f = fixture("rm").await;
    let running = remove(&f.store, &id(4), false).await.unwrap_err();
    assert!(running.to_string().contains("goes on from it"), "{running}");
    stop(&f.log).await;
    pin(&f.store, &id(4), None, Some("audit".into()))
        .await
        .unwrap();
    tag(&f.store, &id(4), &"v1".parse().unwrap(), None, None)
        .await
        .unwrap();
    let kept = remove(&f.store, &id(4), false)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        kept.contains("pinned (audit)") && kept.contains("tagged v1"),
        "{kept}"
    );
    unpin(&f.store, &id(4)).await.unwrap();
    untag(&f.store, &job("flights"), &"v1".parse().unwrap())
        .await
        .unwrap();

    let would = remove(&f.store, &id(4), true).await.unwrap();
    assert_eq!((would.objects, would.bytes), (1, f.deltas[2].bytes));
    assert!(resolve(&f.store, "flights@4").await.is_ok());
    assert_eq!(remove(&f.store, &id(4), false).await.unwrap(), would);
    assert!(matches!(
        resolve(&f.store, "flights@4").await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        remove(&f.store, &id(4), false).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn the_number_of_a_removed_snapshot_is_not_given_again() {
    let f = fixture("rm-head").await;
    stop(&f.log).await;
    let other = Store::open("memory://rm-head-copy", OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let from = resolve(&f.store, "flights@4").await.unwrap();
    let copied = copy(&from, &other, None, |_, _| {}).await.unwrap();
    assert_eq!(copied.id, id(1));
    remove(&other, &copied.id, false).await.unwrap();
    let again = copy(&from, &other, None, |_, _| {}).await.unwrap();
    assert_eq!((again.id, again.objects), (id(3), 0));
}

#[tokio::test]
async fn collection_deletes_what_nothing_names_and_nothing_young() {
    let f = fixture("gc").await;
    let stray = chunk(&f.store, ChunkKind::Base, &[("stray", Some(1))]).await;
    let held = collect(&f.store, now()).await.unwrap();
    assert_eq!(
        (held.named, held.young.0, held.deleted.len()),
        (4, 1, 0),
        "a run may be about to name it"
    );
    assert_eq!(held.held_by, Some(job("flights")));

    stop(&f.log).await;
    let young = collect(&f.store, CollectOptions::default()).await.unwrap();
    assert_eq!(
        (young.young.0, young.deleted.len(), young.held_by),
        (1, 0, None)
    );
    let dry = collect(
        &f.store,
        CollectOptions {
            dry_run: true,
            ..now()
        },
    )
    .await
    .unwrap();
    assert_eq!((dry.deleted.len(), dry.bytes), (1, stray.bytes));
    assert!(f.store.info(&stray.path()).await.unwrap().is_some());
    let done = collect(&f.store, now()).await.unwrap();
    assert_eq!(done.deleted, dry.deleted);
    assert!(f.store.info(&stray.path()).await.unwrap().is_none());
    let snapshots = [
        resolve(&f.store, "flights@4").await.unwrap(),
        resolve(&f.store, "flights@2").await.unwrap(),
    ];
    assert_eq!(verify(&snapshots, |_, _| {}).await.unwrap().problems, []);
}

#[tokio::test]
async fn collection_deletes_nothing_if_a_log_cannot_be_read() {
    let f = fixture("gc-corrupt").await;
    stop(&f.log).await;
    chunk(&f.store, ChunkKind::Base, &[("stray", Some(1))]).await;
    let path = layout::entry(&job("flights"), Sequence(6));
    f.store.put_if_absent(&path, "{}".into()).await.unwrap();
    let error = collect(&f.store, now()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt { file, .. } if *file == path.to_string()),
        "{error}"
    );
    assert_eq!(f.store.list(&layout::objects()).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_copy_takes_only_what_is_missing_and_can_be_begun_from() {
    let f = fixture("copy").await;
    let to = Store::open("memory://copy-to", OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let first = copy(
        &resolve(&f.store, "flights@2").await.unwrap(),
        &to,
        None,
        |_, _| {},
    )
    .await
    .unwrap();
    assert_eq!((first.id, first.objects, first.present), (id(1), 2, 0));
    let mut seen = Vec::new();
    let from = resolve(&f.store, "flights@4").await.unwrap();
    let second = copy(&from, &to, None, |done, total| seen.push((done, total)))
        .await
        .unwrap();
    assert_eq!(
        (second.id.clone(), second.objects, second.present),
        (id(2), 2, 2)
    );
    assert!(seen.len() == 4 && seen.last().is_some_and(|(done, total)| done == total));

    let there = resolve(&to, "flights@latest").await.unwrap();
    let record = there.record().unwrap();
    assert_eq!(record.manifest, from.record().unwrap().manifest);
    assert_eq!(
        record.copied_from.as_ref().map(|origin| &origin.id),
        Some(&id(4))
    );
    assert_eq!(verify(&[there], |_, _| {}).await.unwrap().problems, []);
    let (decision, next) = JobLog::open(&to, &job("flights"))
        .plan_start()
        .await
        .unwrap();
    assert_eq!(decision, millpond_snapshot::log::ContinueDecision::Fresh);
    assert_eq!(next, Sequence(3));
}

#[tokio::test]
async fn a_copy_does_not_end_a_run() {
    let f = fixture("copy-live").await;
    let to = fixture("copy-live-to").await;
    let from = resolve(&f.store, "flights@4").await.unwrap();
    let refused = copy(&from, &to.store, None, |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    let beside = copy(&from, &to.store, Some(&job("flights-b")), |_, _| {})
        .await
        .unwrap();
    assert_eq!(beside.id.to_string(), "flights-b@1");
    let all: Vec<_> = jobs(&to.store)
        .await
        .unwrap()
        .into_iter()
        .map(|job| job.job.to_string())
        .collect();
    assert_eq!(all, ["flights", "flights-b"]);
}

#[tokio::test]
async fn a_broken_snapshot_is_not_copied() {
    let f = fixture("copy-broken").await;
    f.store.delete(&f.deltas[1].path()).await.unwrap();
    let to = Store::open("memory://copy-broken-to", OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let error = copy(
        &resolve(&f.store, "flights@4").await.unwrap(),
        &to,
        None,
        |_, _| {},
    )
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(jobs(&to).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_exported_directory_needs_no_store() {
    let f = fixture("export").await;
    // Packed chunks are unpacked.
    let packed = vec![
        encode(ChunkKind::Base, &[("p", Some(1))]),
        encode(ChunkKind::Delta, &[("q", Some(2))]),
    ];
    let packed = f.store.put_chunks(packed).await.unwrap();
    append(
        &f.log,
        entry(5, 1, EntryBody::Savepoint(record(packed.clone()))),
    )
    .await;
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("out").to_str().unwrap().to_owned();
    let from = resolve(&f.store, "flights@5").await.unwrap();
    let exported = export(&from, &to, |_, _| {}).await.unwrap();
    assert_eq!(exported.files, 2);
    assert!(matches!(
        export(&from, &to, |_, _| {}).await,
        Err(Error::Conflict(_))
    ));

    let opened = resolve(&f.store, &to).await.unwrap();
    assert_eq!(opened.entry.sequence, Sequence(5));
    assert_eq!(
        verify(std::slice::from_ref(&opened), |_, _| {})
            .await
            .unwrap()
            .problems,
        []
    );
    let same = diff(&from, &opened, |_, _| panic!("nothing differs"))
        .await
        .unwrap();
    assert!(same.common.len() == 1 && same.common.values().all(|state| *state == StateDiff::Same));

    let other = Store::open("memory://export-begin", OpenMode::CreateIfMissing)
        .await
        .unwrap();
    let begun = begin_from(&other, &to, &job("elsewhere")).await.unwrap();
    assert_eq!(begun.entry.id().to_string(), "elsewhere@1");
    assert_eq!(verify(&[begun], |_, _| {}).await.unwrap().problems, []);
}

#[tokio::test]
async fn a_directory_that_is_no_export_says_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let store = Store::open("memory://export-no", OpenMode::CreateIfMissing)
        .await
        .unwrap();
    assert!(matches!(
        resolve(&store, path).await,
        Err(Error::NotFound(_))
    ));
    Store::open(path, OpenMode::CreateIfMissing).await.unwrap();
    let error = resolve(&store, path).await.unwrap_err();
    assert!(error.to_string().contains("is a store"), "{error}");
    for (content, field) in [
        (
            r#"{"format":"millpond-export","version":1,"files":{"00":"a"}}"#,
            "json",
        ),
        (
            r#"{"format":"millpond-export","version":0,"files":{}}"#,
            "version",
        ),
        (r#"{"format":"tar","version":1,"files":{}}"#, "format"),
        ("nonsense", "json"),
    ] {
        std::fs::write(directory.path().join("millpond.json"), content).unwrap();
        let error = resolve(&store, path).await.unwrap_err();
        assert!(
            matches!(&error, Error::Corrupt { field: found, .. } if found == field),
            "{error}"
        );
    }
    let escape = format!(
        r#"{{"format":"millpond-export","version":1,"files":{{"{}":"../x"}}}}"#,
        "0".repeat(64)
    );
    std::fs::write(directory.path().join("millpond.json"), escape).unwrap();
    assert!(matches!(
        resolve(&store, path).await,
        Err(Error::Corrupt { .. })
    ));
}

#[tokio::test]
async fn verification_names_what_is_broken_and_whom_it_touches() {
    let f = fixture("verify").await;
    let snapshots = [
        resolve(&f.store, "flights@2").await.unwrap(),
        resolve(&f.store, "flights@4").await.unwrap(),
    ];
    let good = verify(&snapshots, |_, _| {}).await.unwrap();
    assert_eq!((good.chunks, good.rows, good.problems), (4, 6, vec![]));

    let mut bytes = f.store.get_chunk(&f.base).await.unwrap().to_vec();
    bytes[100] ^= 1;
    f.store.delete(&f.base.path()).await.unwrap();
    f.store
        .put_if_absent(&f.base.path(), bytes.into())
        .await
        .unwrap();
    f.store.delete(&f.deltas[2].path()).await.unwrap();
    let mut problems = verify(&snapshots, |_, _| {}).await.unwrap().problems;
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.snapshots.len()));
    assert_eq!(problems.len(), 2);
    assert_eq!(
        (&problems[0].object, &problems[0].snapshots),
        (&f.base.path(), &vec![id(2), id(4)])
    );
    assert!(problems[0].problem.contains("BLAKE3"), "{:?}", problems[0]);
    assert_eq!(problems[1].snapshots, [id(4)]);
    assert!(
        problems[1].problem.contains("not there"),
        "{:?}",
        problems[1]
    );
}

#[tokio::test]
async fn a_difference_is_told_by_state_and_key() {
    let f = fixture("diff").await;
    let (before, after) = (
        resolve(&f.store, "flights@2").await.unwrap(),
        resolve(&f.store, "flights@4").await.unwrap(),
    );
    let mut changes = Vec::new();
    let found = diff(&before, &after, |state, change| {
        changes.push((
            state.to_string(),
            change.before.is_some(),
            change.after.is_some(),
        ));
    });
    let found = found.await.unwrap();
    changes.sort();
    assert_eq!(
        changes,
        [
            ("sum/total".into(), false, true),
            ("sum/total".into(), true, false)
        ]
    );
    let counts = DiffCounts {
        added: 1,
        removed: 1,
        changed: 0,
        same: 2,
    };
    assert_eq!(
        found.common.into_values().collect::<Vec<_>>(),
        [StateDiff::Rows(counts)]
    );
}

#[tokio::test]
async fn a_snapshot_of_one_change_in_a_hundred_writes_a_hundredth() {
    let names: Vec<String> = (0..100_000).map(|i| format!("airport {i}")).collect();
    let all: Vec<_> = names
        .iter()
        .zip(0..)
        .map(|(n, i)| (n.as_str(), Some(i)))
        .collect();
    let some: Vec<_> = all
        .iter()
        .step_by(100)
        .map(|(n, v)| (*n, v.map(|v| v + 1)))
        .collect();
    let (base, delta) = (
        encode(ChunkKind::Base, &all),
        encode(ChunkKind::Delta, &some),
    );
    assert!(
        delta.bytes.len() * 50 < base.bytes.len(),
        "{} of {}",
        delta.bytes.len(),
        base.bytes.len()
    );
}

#[tokio::test]
async fn a_state_is_read_by_name() {
    let f = fixture("read").await;
    let snapshot = resolve(&f.store, "flights@4").await.unwrap();
    let (uid, name) = ("sum".parse().unwrap(), "total".parse().unwrap());
    let mut reader = snapshot.read(&uid, &name, HashRange::FULL).unwrap();
    let mut rows = 0;
    while let Some(batch) = reader.next().await.unwrap() {
        assert_eq!(
            batch
                .schema()
                .fields()
                .iter()
                .map(|f| f.name())
                .collect::<Vec<_>>(),
            ["hash", "key", "value"]
        );
        rows += batch.num_rows();
    }
    assert_eq!(rows, 3);
    let missing = snapshot
        .read(&uid, &"totals".parse().unwrap(), HashRange::FULL)
        .err()
        .unwrap();
    assert!(missing.to_string().contains("sum/total"), "{missing}");
}

#[tokio::test]
async fn a_checkpoint_is_promoted_by_one_small_write() {
    let f = fixture("promote").await;
    let newest = f.log.read(Sequence(3)).await.unwrap().unwrap();
    let promoted = newest.snapshot().unwrap().promoted(
        newest.id(),
        None,
        Some("ann".into()),
        "release".into(),
    );
    append(&f.log, entry(5, 1, EntryBody::Savepoint(promoted))).await;
    let found = resolve(&f.store, "flights@latest").await.unwrap();
    assert_eq!(
        found.record().unwrap().manifest,
        newest.snapshot().unwrap().manifest
    );
    assert_eq!(
        (
            found.record().unwrap().bytes_new,
            &found.record().unwrap().parent
        ),
        (0, &Some(id(3)))
    );
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
        let protected = protected
            .iter()
            .map(|sequence| Sequence(*sequence))
            .collect();
        let gone = thin(&entries, policy, &protected);
        gone.into_iter()
            .map(|sequence| sequence.0)
            .collect::<Vec<_>>()
    };
    let none = KeepPolicy::default();
    assert_eq!(
        gone(none, &[]),
        [0; 0],
        "a policy that keeps nothing is a mistake"
    );
    assert_eq!(gone(KeepPolicy { last: 2, ..none }, &[]), [1, 2, 3]);
    assert_eq!(gone(KeepPolicy { last: 2, ..none }, &[2]), [1, 3]);
    assert_eq!(gone(KeepPolicy { hourly: 3, ..none }, &[]), [1, 2]);
    assert_eq!(gone(KeepPolicy { daily: 3, ..none }, &[]), [1, 2]);
    assert_eq!(gone(KeepPolicy { daily: 9, ..none }, &[]), [2]);
    assert_eq!(gone(KeepPolicy { weekly: 2, ..none }, &[]), [1, 2, 3]);
    assert_eq!(gone(KeepPolicy { monthly: 2, ..none }, &[]), [1, 2, 3]);
    assert_eq!(
        gone(
            KeepPolicy {
                monthly: 2,
                last: 3,
                ..none
            },
            &[]
        ),
        [1, 2]
    );
}
