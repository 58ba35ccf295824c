//! Garbage collection, and what snapshots cost.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use common::{encode, job};
use fixture::{chunk, fixture, now, stop};
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::repository::{CollectOptions, collect, resolve, verify};
use millpond_snapshot::store::{OpenMode, layout};
use millpond_snapshot::{Error, Sequence, Store};

#[tokio::test]
async fn collection_deletes_what_nothing_names_and_nothing_young() {
    let f = fixture("gc").await;
    let stray = chunk(&f.store, ChunkKind::Base, &[("stray", Some(1))]).await;
    let held = collect(&f.store, now()).await.unwrap();
    assert_eq!((held.named, held.young.0, held.deleted.len()), (4, 1, 0), "a run may be about to name it");
    assert_eq!(held.held_by, Some(job("flights")));

    stop(&f.log).await;
    let young = collect(&f.store, CollectOptions::default()).await.unwrap();
    assert_eq!((young.young.0, young.deleted.len(), young.held_by), (1, 0, None));
    let dry = collect(&f.store, CollectOptions { dry_run: true, ..now() }).await.unwrap();
    assert_eq!((dry.deleted.len(), dry.bytes), (1, stray.bytes));
    assert!(f.store.info(&stray.path()).await.unwrap().is_some());
    let done = collect(&f.store, now()).await.unwrap();
    assert_eq!(done.deleted, dry.deleted);
    assert!(f.store.info(&stray.path()).await.unwrap().is_none());
    let snapshots = [resolve(&f.store, "flights@4").await.unwrap(), resolve(&f.store, "flights@2").await.unwrap()];
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
    assert!(matches!(&error, Error::Corrupt { file, .. } if *file == path.to_string()), "{error}");
    assert_eq!(f.store.list(&layout::objects()).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_snapshot_of_one_change_in_a_hundred_writes_a_hundredth() {
    let names: Vec<String> = (0..100_000).map(|i| format!("airport {i}")).collect();
    let all: Vec<_> = names.iter().zip(0..).map(|(n, i)| (n.as_str(), Some(i))).collect();
    let some: Vec<_> = all.iter().step_by(100).map(|(n, v)| (*n, v.map(|v| v + 1))).collect();
    let (base, delta) = (encode(ChunkKind::Base, &all), encode(ChunkKind::Delta, &some));
    assert!(delta.bytes.len() * 50 < base.bytes.len(), "{} of {}", delta.bytes.len(), base.bytes.len());
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_collected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let store = Store::open(path, OpenMode::CreateIfMissing).await.unwrap();
    std::fs::create_dir_all(directory.path().join("tmp")).unwrap();
    std::fs::write(directory.path().join("tmp/.tmpAbCdEf"), "half").unwrap();
    std::fs::write(directory.path().join("stranger"), "not ours").unwrap();
    let young = collect(&store, CollectOptions::default()).await.unwrap();
    assert_eq!((young.young, young.deleted.len()), ((1, 4), 0));
    assert_eq!(collect(&store, now()).await.unwrap().bytes, 4);
    assert!(!directory.path().join("tmp/.tmpAbCdEf").exists());
    assert!(directory.path().join("stranger").exists());
}
