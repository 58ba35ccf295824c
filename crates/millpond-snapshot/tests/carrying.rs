//! Snapshots that are copied to another store, and exported to a directory.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use common::{encode, entry, job, record};
use fixture::{append, fixture, id};
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{EntryBody, JobLog};
use millpond_snapshot::repository::{StateDiff, begin_from, copy, diff, export, jobs, resolve, verify};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Error, Sequence, Store};

#[tokio::test]
async fn a_copy_takes_only_what_is_missing_and_can_be_begun_from() {
    let f = fixture("copy").await;
    let to = Store::open("memory://copy-to", OpenMode::CreateIfMissing).await.unwrap();
    let first = copy(&resolve(&f.store, "flights@2").await.unwrap(), &to, None, |_, _| {}).await.unwrap();
    assert_eq!((first.id, first.objects, first.present), (id(1), 2, 0));
    let mut seen = Vec::new();
    let from = resolve(&f.store, "flights@4").await.unwrap();
    let second = copy(&from, &to, None, |done, total| seen.push((done, total))).await.unwrap();
    assert_eq!((second.id.clone(), second.objects, second.present), (id(2), 2, 2));
    assert!(seen.len() == 4 && seen.last().is_some_and(|(done, total)| done == total));

    let there = resolve(&to, "flights@latest").await.unwrap();
    let record = there.record().unwrap();
    assert_eq!(record.manifest, from.record().unwrap().manifest);
    assert_eq!(record.copied_from.as_ref().map(|origin| &origin.id), Some(&id(4)));
    assert_eq!(verify(&[there], |_, _| {}).await.unwrap().problems, []);
    let (decision, next) = JobLog::open(&to, &job("flights")).plan_start().await.unwrap();
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
    let beside = copy(&from, &to.store, Some(&job("flights-b")), |_, _| {}).await.unwrap();
    assert_eq!(beside.id.to_string(), "flights-b@1");
    let all: Vec<_> = jobs(&to.store).await.unwrap().into_iter().map(|job| job.job.to_string()).collect();
    assert_eq!(all, ["flights", "flights-b"]);
}

#[tokio::test]
async fn a_broken_snapshot_is_not_copied() {
    let f = fixture("copy-broken").await;
    f.store.delete(&f.deltas[1].path()).await.unwrap();
    let to = Store::open("memory://copy-broken-to", OpenMode::CreateIfMissing).await.unwrap();
    let error = copy(&resolve(&f.store, "flights@4").await.unwrap(), &to, None, |_, _| {}).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(jobs(&to).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_exported_directory_needs_no_store() {
    let f = fixture("export").await;
    // Packed chunks are unpacked.
    let packed = vec![encode(ChunkKind::Base, &[("p", Some(1))]), encode(ChunkKind::Delta, &[("q", Some(2))])];
    let packed = f.store.put_chunks(packed).await.unwrap();
    append(&f.log, entry(5, 1, EntryBody::Savepoint(record(packed.clone())))).await;
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("out").to_str().unwrap().to_owned();
    let from = resolve(&f.store, "flights@5").await.unwrap();
    let exported = export(&from, &to, |_, _| {}).await.unwrap();
    assert_eq!(exported.files, 2);
    assert!(matches!(export(&from, &to, |_, _| {}).await, Err(Error::Conflict(_))));

    let opened = resolve(&f.store, &to).await.unwrap();
    assert_eq!(opened.entry.sequence, Sequence(5));
    assert_eq!(verify(std::slice::from_ref(&opened), |_, _| {}).await.unwrap().problems, []);
    let same = diff(&from, &opened, |_, _| panic!("nothing differs")).await.unwrap();
    assert!(same.common.len() == 1 && same.common.values().all(|state| *state == StateDiff::Same));

    let other = Store::open("memory://export-begin", OpenMode::CreateIfMissing).await.unwrap();
    let begun = begin_from(&other, &to, &job("elsewhere")).await.unwrap();
    assert_eq!(begun.entry.id().to_string(), "elsewhere@1");
    assert_eq!(verify(&[begun], |_, _| {}).await.unwrap().problems, []);
}

#[tokio::test]
async fn a_directory_that_is_no_export_says_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let store = Store::open("memory://export-no", OpenMode::CreateIfMissing).await.unwrap();
    assert!(matches!(resolve(&store, path).await, Err(Error::NotFound(_))));
    Store::open(path, OpenMode::CreateIfMissing).await.unwrap();
    let error = resolve(&store, path).await.unwrap_err();
    assert!(error.to_string().contains("is a store"), "{error}");
    for (content, field) in [
        (r#"{"format":"millpond-export","version":1,"files":{"00":"a"}}"#, "json"),
        (r#"{"format":"millpond-export","version":0,"files":{}}"#, "version"),
        (r#"{"format":"tar","version":1,"files":{}}"#, "format"),
        ("nonsense", "json"),
    ] {
        std::fs::write(directory.path().join("millpond.json"), content).unwrap();
        let error = resolve(&store, path).await.unwrap_err();
        assert!(matches!(&error, Error::Corrupt { field: found, .. } if found == field), "{error}");
    }
    let escape = format!(r#"{{"format":"millpond-export","version":1,"files":{{"{}":"../x"}}}}"#, "0".repeat(64));
    std::fs::write(directory.path().join("millpond.json"), escape).unwrap();
    assert!(matches!(resolve(&store, path).await, Err(Error::Corrupt { .. })));
}
