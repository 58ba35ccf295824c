//! A job with a short history, to do things to.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::time::Duration;

use crate::common::{encode, entry, job, record, start};
use millpond_snapshot::chunk::{ChunkKind, ChunkRef};
use millpond_snapshot::log::{AppendOutcome, Entry, EntryBody, JobLog, SnapshotId};
use millpond_snapshot::repository::CollectOptions;
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Sequence, Store};

/// A job of two checkpoints and a savepoint, which share a base chunk of their own object.
pub struct Fixture {
    pub store: Store,
    pub log: JobLog,
    pub base: ChunkRef,
    pub deltas: Vec<ChunkRef>,
}

pub fn id(sequence: u64) -> SnapshotId {
    SnapshotId { job: job("flights"), sequence: Sequence(sequence) }
}

pub async fn chunk(store: &Store, kind: ChunkKind, rows: &[(&str, Option<u64>)]) -> ChunkRef {
    store.put_chunk(encode(kind, rows)).await.unwrap()
}

pub async fn append(log: &JobLog, entry: Entry) {
    assert_eq!(log.append(&entry).await.unwrap(), AppendOutcome::Appended);
}

pub async fn fixture(name: &str) -> Fixture {
    let store = Store::open(&format!("memory://{name}"), OpenMode::CreateIfMissing).await.unwrap();
    let log = JobLog::open(&store, &job("flights"));
    let base = chunk(&store, ChunkKind::Base, &[("a", Some(1)), ("b", Some(2)), ("c", Some(3))]).await;
    let mut deltas = Vec::new();
    append(&log, start(1)).await;
    for (sequence, rows) in [(2, ("a", Some(10))), (3, ("b", None)), (4, ("d", Some(4)))] {
        deltas.push(chunk(&store, ChunkKind::Delta, &[rows]).await);
        let record = record([vec![base.clone()], deltas.clone()].concat());
        let body = if sequence == 4 { EntryBody::Savepoint(record) } else { EntryBody::Checkpoint(record) };
        append(&log, entry(sequence, 1, body)).await;
    }
    Fixture { store, log, base, deltas }
}

pub async fn stop(log: &JobLog) {
    append(log, entry(5, 1, EntryBody::Stop { snapshot: Sequence(4), drained: false })).await;
}

pub fn now() -> CollectOptions {
    CollectOptions { grace: Duration::ZERO, dry_run: false }
}
