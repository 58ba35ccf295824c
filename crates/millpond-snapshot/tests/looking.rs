//! Snapshots that are verified, compared and read.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use common::{job, record};
use fixture::{append, fixture, id};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::log::{Entry, EntryBody, JobLog};
use millpond_snapshot::repository::{Descent, StateDiff, copy, diff, jobs, lineage, resolve, verify};
use millpond_snapshot::state::DiffCounts;
use millpond_snapshot::{Error, Sequence};

#[tokio::test]
async fn verification_names_what_is_broken_and_whom_it_touches() {
    let f = fixture("verify").await;
    let snapshots = [resolve(&f.store, "flights@2").await.unwrap(), resolve(&f.store, "flights@4").await.unwrap()];
    let good = verify(&snapshots, |_, _| {}).await.unwrap();
    assert_eq!((good.chunks, good.rows, good.problems), (4, 6, vec![]));

    let mut bytes = f.store.get_chunk(&f.base).await.unwrap().to_vec();
    bytes[100] ^= 1;
    f.store.delete(&f.base.path()).await.unwrap();
    f.store.put_if_absent(&f.base.path(), bytes.into()).await.unwrap();
    f.store.delete(&f.deltas[2].path()).await.unwrap();
    let mut problems = verify(&snapshots, |_, _| {}).await.unwrap().problems;
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.snapshots.len()));
    assert_eq!(problems.len(), 2);
    assert_eq!((&problems[0].object, &problems[0].snapshots), (&f.base.path(), &vec![id(2), id(4)]));
    assert!(problems[0].problem.contains("BLAKE3"), "{:?}", problems[0]);
    assert_eq!(problems[1].snapshots, [id(4)]);
    assert!(problems[1].problem.contains("not there"), "{:?}", problems[1]);
}

#[tokio::test]
async fn a_difference_is_told_by_state_and_key() {
    let f = fixture("diff").await;
    let (before, after) =
        (resolve(&f.store, "flights@2").await.unwrap(), resolve(&f.store, "flights@4").await.unwrap());
    let mut changes = Vec::new();
    let found = diff(&before, &after, |state, change| {
        changes.push((state.to_string(), change.before.is_some(), change.after.is_some()));
    });
    let found = found.await.unwrap();
    changes.sort();
    assert_eq!(changes, [("sum/total".into(), false, true), ("sum/total".into(), true, false)]);
    let counts = DiffCounts { added: 1, removed: 1, changed: 0, same: 2 };
    assert_eq!(found.common.into_values().collect::<Vec<_>>(), [StateDiff::Rows(counts)]);
}

#[tokio::test]
async fn a_state_is_read_by_name() {
    let f = fixture("read").await;
    let snapshot = resolve(&f.store, "flights@4").await.unwrap();
    let (uid, name) = ("sum".parse().unwrap(), "total".parse().unwrap());
    let mut reader = snapshot.read(&uid, &name, HashRange::FULL).unwrap();
    let mut rows = 0;
    while let Some(batch) = reader.next().await.unwrap() {
        assert_eq!(batch.schema().fields().iter().map(|f| f.name()).collect::<Vec<_>>(), ["hash", "key", "value"]);
        rows += batch.num_rows();
    }
    assert_eq!(rows, 3);
    #[derive(serde::Deserialize)]
    struct Total {
        key: String,
        value: u64,
    }
    let mut reader = snapshot.read(&uid, &name, HashRange::FULL).unwrap();
    let mut totals = Vec::new();
    while let Some(rows) = reader.next_rows::<Total>().await.unwrap() {
        totals.extend(rows.into_iter().map(|row| (row.key, row.value)));
    }
    totals.sort();
    assert_eq!(totals, [("a".to_owned(), 10), ("c".to_owned(), 3), ("d".to_owned(), 4)]);
    #[derive(Debug, serde::Deserialize)]
    struct Wrong {
        #[serde(rename = "key")]
        _key: u64,
    }
    let mut reader = snapshot.read(&uid, &name, HashRange::FULL).unwrap();
    let error = reader.next_rows::<Wrong>().await.unwrap_err();
    assert!(matches!(error, Error::InvalidInput(_)), "{error}");
    let missing = snapshot.read(&uid, &"totals".parse().unwrap(), HashRange::FULL).err().unwrap();
    assert!(missing.to_string().contains("sum/total"), "{missing}");
}

#[tokio::test]
async fn lineage_is_told_across_jobs_and_stores() {
    let f = fixture("lineage").await;
    let log = JobLog::open(&f.store, &job("flights-b"));
    let begun = EntryBody::Start {
        parallelism: 1,
        restored_from: Some("flights@4".parse().unwrap()),
        options: Default::default(),
    };
    let own = |sequence, body| Entry::new(job("flights-b"), Sequence(sequence), Sequence(1), body).unwrap();
    append(&log, own(1, begun)).await;
    append(&log, own(2, EntryBody::Checkpoint(record(vec![])))).await;
    let mut next = record(vec![]);
    next.parent = Some("flights-b@2".parse().unwrap());
    append(&log, own(3, EntryBody::Savepoint(next))).await;
    let from = resolve(&f.store, "flights@4").await.unwrap();
    copy(&from, &f.store, Some(&job("archive")), |_, _| {}).await.unwrap();

    let edges = lineage(&jobs(&f.store).await.unwrap());
    let edges: Vec<_> = edges.iter().map(|edge| (edge.from.as_str(), edge.to.to_string(), edge.descent)).collect();
    let expected = [
        ("flights@4 in memory://lineage", "archive@1".to_owned(), Descent::Copy),
        ("flights@4", "flights-b@2".to_owned(), Descent::Fork),
        ("flights-b@2", "flights-b@3".to_owned(), Descent::Parent),
    ];
    assert_eq!(edges, expected);
}
