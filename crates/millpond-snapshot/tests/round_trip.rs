//! A snapshot is written, published, found and read back.

mod common;

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use common::{encode, entry, job, record, start};
use millpond_snapshot::chunk::{ChunkKind, ChunkRef, StateKind, read_chunk};
use millpond_snapshot::hash::{HashRange, worker_of};
use millpond_snapshot::log::{AppendOutcome, EntryBody, JobLog};
use millpond_snapshot::repository::resolve;
use millpond_snapshot::store::{OpenMode, Store};
use millpond_snapshot::{Error, Sequence};

async fn read(store: &Store, chunk: &ChunkRef, range: HashRange) -> BTreeMap<String, (u64, Option<u64>)> {
    let reader = read_chunk(store, chunk, StateKind::Value, range).await.unwrap();
    let mut found = BTreeMap::new();
    for batch in reader {
        let batch = batch.unwrap();
        let (hashes, keys) = (batch.column(0).as_primitive::<UInt64Type>(), batch.column(1).as_string::<i32>());
        let values = batch.column(2).as_primitive::<UInt64Type>();
        for row in 0..batch.num_rows() {
            let value = values.iter().nth(row).unwrap();
            found.insert(keys.value(row).to_owned(), (hashes.value(row), value));
        }
    }
    found
}

async fn round_trip(address: &str) {
    let store = Store::open(address, OpenMode::CreateIfMissing).await.unwrap();
    let names: Vec<String> = (0..1000).map(|i| format!("airport {i}")).collect();
    let content: Vec<_> = names.iter().enumerate().map(|(i, n)| (n.as_str(), Some(i as u64))).collect();
    let chunks = vec![encode(ChunkKind::Base, &content), encode(ChunkKind::Delta, &[("airport 3", None)])];
    let references = store.put_chunks(chunks).await.unwrap();
    assert!(references.iter().all(|chunk| chunk.pack.is_some()), "small chunks share an object");

    let log = JobLog::open(&store, &job("flights"));
    assert_eq!(log.append(&start(1)).await.unwrap(), AppendOutcome::Appended);
    let snapshot = entry(2, 1, EntryBody::Savepoint(record(references)));
    assert_eq!(log.append(&snapshot).await.unwrap(), AppendOutcome::Appended);
    assert_eq!(log.append(&snapshot).await.unwrap(), AppendOutcome::Appended, "the same entry again");
    let rival = entry(2, 1, snapshot.body.clone());
    assert_eq!(log.append(&rival).await.unwrap(), AppendOutcome::Taken);

    let store = Store::open(address, OpenMode::Existing).await.unwrap();
    for name in ["flights@2", "flights@latest"] {
        assert_eq!(resolve(&store, name).await.unwrap().entry, snapshot);
    }
    let found = resolve(&store, "flights@2").await.unwrap();
    let chunks: Vec<_> = found.record().unwrap().manifest.chunks().cloned().collect();
    let all = read(&store, &chunks[0], HashRange::FULL).await;
    assert_eq!(all.len(), 1000);
    assert_eq!(all["airport 17"].1, Some(17));
    assert_eq!(read(&store, &chunks[1], HashRange::FULL).await["airport 3"].1, None);
    let mut seen = 0;
    for worker in 0..3 {
        let part = read(&store, &chunks[0], HashRange::of_worker(worker, 3)).await;
        assert!(!part.is_empty() && part.values().all(|(hash, _)| worker_of(*hash, 3) == worker));
        seen += part.len();
    }
    assert_eq!(seen, 1000);
    assert_eq!(log.head().await.unwrap(), Some(Sequence(2)));
}

#[tokio::test]
async fn in_memory() {
    round_trip("memory://round-trip").await;
}

#[tokio::test]
async fn in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    round_trip(directory.path().join("deep/store").to_str().unwrap()).await;
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_is() {
    let store = Store::open("memory://missing", OpenMode::CreateIfMissing).await.unwrap();
    let log = JobLog::open(&store, &job("flights"));
    log.append(&start(1)).await.unwrap();
    let references = store.put_chunks(vec![encode(ChunkKind::Base, &[("a", Some(1))])]).await.unwrap();
    log.append(&entry(2, 1, EntryBody::Checkpoint(record(references)))).await.unwrap();
    let error = resolve(&store, "flights@9").await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)) && error.to_string().contains("flights@2"), "{error}");
    let error = resolve(&store, "trains@latest").await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)) && error.to_string().contains("flights"), "{error}");
    let error = resolve(&store, "flights@1").await.unwrap_err();
    assert!(error.to_string().contains("a start"), "{error}");
}
