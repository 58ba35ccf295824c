//! The files that version 1 of the format left behind, and what they mean.
//!
//! They were written once, by `write_version_1` below, and are never written again: whatever a later
//! version does, it reads them, and to the same rows.

mod common;
#[path = "golden/rows.rs"]
mod rows;

use std::path::{Path, PathBuf};

use common::job;
use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, ChunkRef, StateKind, encode_chunk};
use millpond_snapshot::hash::{HashRange, key_hash};
use millpond_snapshot::log::{AppendOutcome, Entry, EntryBody, JobLog, SnapshotId, SnapshotRecord};
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, SchemaFields, StateSnapshot, UidSource};
use millpond_snapshot::repository::{begin_from, copy, export, jobs, pin, protected, resolve, tag, verify};
use millpond_snapshot::state::{CompactOptions, CompactionPlan, StateReader, Tombstones, compact};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Epoch, Error, Sequence, Store};
use rows::{Row, StateRows, fields, state_rows};
use serde_json::Value;

fn golden(version: &str) -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/golden").join(version)
}

async fn open(path: &Path) -> Store {
    Store::open(path.to_str().unwrap(), OpenMode::Existing).await.unwrap()
}

/// The rows of each state of a snapshot, as `expected.json` has them.
async fn read(store: &Store, manifest: &Manifest) -> Value {
    let mut states = serde_json::Map::new();
    for (operator, state) in manifest.states() {
        let mut found = state.rows_inline.clone().unwrap_or_default();
        let mut reader = StateReader::new(store, state.kind, &state.chunks, HashRange::FULL, Tombstones::Drop);
        while let Some(batch) = reader.next().await.unwrap() {
            found.extend(serde_arrow::from_record_batch::<Vec<Value>>(&batch).unwrap());
        }
        for row in found.iter_mut().filter_map(Value::as_object_mut) {
            // JSON cannot hold the hash, and the key says it already.
            row.remove("hash");
        }
        states.insert(format!("{}/{}", operator.uid, state.name), found.into());
    }
    states.into()
}

#[tokio::test]
async fn version_1_reads_as_it_was_written() {
    let store = open(&golden("v1/store")).await;
    let expected: Value = serde_json::from_slice(&std::fs::read(golden("v1/expected.json")).unwrap()).unwrap();
    let snapshot = resolve(&store, "flights#golden").await.unwrap();
    assert_eq!(snapshot.entry.id().to_string(), "flights@3");
    let found = read(&store, &snapshot.record().unwrap().manifest).await;
    assert_eq!(found.as_object().map(|states| states.len()), Some(9));
    assert_eq!(found, expected);

    let exported = resolve(&store, golden("v1/export").to_str().unwrap()).await.unwrap();
    assert_eq!(read(&exported.store, &exported.record().unwrap().manifest).await, expected);
    let verified = verify(&[snapshot, exported], |_, _| {}).await.unwrap();
    assert!(verified.chunks > 15 && verified.problems.is_empty(), "{verified:?}");
}

#[tokio::test]
async fn version_1_logs_hold_every_kind_of_entry() {
    let store = open(&golden("v1/store")).await;
    let all = jobs(&store).await.unwrap();
    let kinds: Vec<_> = all.iter().flat_map(|job| &job.entries).map(|entry| entry.body.kind()).collect();
    let expected = [
        "start",
        "checkpoint",
        "savepoint",
        "failure",
        "savepoint-failed",
        "stop",
        "start",
        "cancel",
        "start",
        "finish",
        "removed",
    ];
    assert_eq!(kinds, expected);
    let kept = protected(&store, &job("flights")).await.unwrap();
    let kept: Vec<_> = kept[&Sequence(3)].iter().map(|why| why.to_string()).collect();
    assert_eq!(kept, ["it is tagged golden", "it is pinned (for ever)", "job flights-b began from it"]);
}

/// The worked rows of one state, cut into a base and what changed since, by worker.
fn chunks_of(state: &StateRows) -> Vec<Vec<millpond_snapshot::chunk::EncodedChunk>> {
    let encode = |kind: ChunkKind, rows: &[Row], range: HashRange| {
        let columns = fields(state, kind);
        let mut rows: Vec<_> = rows.iter().map(|row| (row.hash(), row)).collect();
        rows.retain(|(hash, _)| range.contains(*hash));
        rows.sort_by_key(|(hash, _)| *hash);
        let rows: Vec<_> = rows.iter().map(|(hash, row)| row.columns(*hash, state, kind)).collect();
        let batch = serde_arrow::to_record_batch(&columns, &rows).unwrap();
        let meta = ChunkMeta { job: job("flights"), state: state.kind, kind, range };
        encode_chunk(&batch.schema(), [batch], &meta).unwrap()
    };
    let [left, right] = [0, 1].map(|worker| HashRange::of_worker(worker, 2));
    vec![
        vec![encode(ChunkKind::Base, &state.base, left), encode(ChunkKind::Base, &state.base, right)],
        vec![encode(ChunkKind::Delta, &state.delta, HashRange::FULL)],
    ]
}

fn record(manifest: Manifest, reason: &str) -> SnapshotRecord {
    SnapshotRecord {
        request_id: Some("r-1".to_owned()),
        requested_by: Some("ann".to_owned()),
        reason: reason.to_owned(),
        duration_ms: 12,
        parent: Some("flights@2".parse().unwrap()),
        copied_from: None,
        edited: None,
        bytes_new: manifest.bytes(),
        bytes_total: manifest.bytes(),
        manifest,
    }
}

fn schema_of(columns: &[arrow_schema::FieldRef], name: &str) -> Option<SchemaFields> {
    let field = columns.iter().find(|field| field.name() == name)?;
    Some(SchemaFields::new(vec![(**field).clone()]).unwrap())
}

/// Wrote the golden files. Refuses to do so again.
#[tokio::test]
#[ignore = "golden files are written once"]
async fn write_version_1() {
    let directory = golden("v1/store");
    assert!(!directory.exists(), "golden files are never written again");
    let store = Store::open(directory.to_str().unwrap(), OpenMode::CreateIfMissing).await.unwrap();
    let states = state_rows();
    let mut expected = serde_json::Map::new();
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for state in &states {
        let mut snapshot = StateSnapshot {
            name: state.name.parse().unwrap(),
            kind: state.kind,
            key_schema: None,
            map_key_schema: None,
            value_schema: None,
            ttl_ms: state.ttl_ms,
            chunks: Vec::new(),
            rows_inline: None,
        };
        if state.kind.is_keyed() {
            let columns = fields(state, ChunkKind::Base);
            snapshot.key_schema = schema_of(&columns, "key");
            snapshot.map_key_schema = schema_of(&columns, "map_key");
            snapshot.value_schema = schema_of(&columns, "value");
            let mut parts = chunks_of(state).into_iter();
            snapshot.chunks = store.put_chunks(parts.next().unwrap()).await.unwrap();
            old.push(snapshot.clone());
            let delta: Vec<ChunkRef> = store.put_chunks(parts.next().unwrap()).await.unwrap();
            snapshot.chunks.extend(delta);
        } else {
            snapshot.rows_inline = Some(state.inline.clone());
            old.push(snapshot.clone());
        }
        new.push(snapshot);
        expected.insert(format!("golden/{}", state.name), state.expected());
    }
    let manifest = |states: Vec<StateSnapshot>, epoch| {
        let operator = OperatorSnapshot {
            uid: "golden".parse().unwrap(),
            uid_source: UidSource::Given,
            name: "one state of each kind".to_owned(),
            kind: "process".to_owned(),
            states,
        };
        Manifest { operators: vec![operator], ..Manifest::new(job("flights"), Epoch(epoch)) }
    };
    let start = |restored_from| EntryBody::Start {
        parallelism: 2,
        restored_from,
        options: [("--checkpoint-interval".to_owned(), "10s".to_owned())].into(),
    };
    let failure =
        EntryBody::Failure { operator: Some("golden".into()), reason: "disk on fire".into(), restart: true };
    let failed = EntryBody::SavepointFailed { request_id: "r-2".into(), reason: "no space".into() };
    let flights = [
        start(None),
        EntryBody::Checkpoint(record(manifest(old, 6), "interval")),
        EntryBody::Savepoint(record(manifest(new, 7), "before the release")),
        failure,
        failed,
        EntryBody::Stop { snapshot: Sequence(3), drained: true },
    ];
    let from = "flights@3".parse().unwrap();
    let b = [start(Some(from)), EntryBody::Cancel { retained: true }];
    let c = [start(None), EntryBody::Finish { snapshot: None }, EntryBody::Removed { snapshot: Sequence(2) }];
    for (name, bodies) in [("flights", flights.to_vec()), ("flights-b", b.to_vec()), ("trains", c.to_vec())] {
        let log = JobLog::open(&store, &job(name));
        for (sequence, body) in (1..).zip(bodies) {
            let entry = Entry::new(job(name), Sequence(sequence), Sequence(1), body).unwrap();
            assert_eq!(log.append(&entry).await.unwrap(), AppendOutcome::Appended);
        }
    }
    let id = SnapshotId { job: job("flights"), sequence: Sequence(3) };
    tag(&store, &id, &"golden".parse().unwrap(), Some("ann".into()), None).await.unwrap();
    pin(&store, &id, None, Some("for ever".into())).await.unwrap();
    begin_from(&store, "flights@3", &job("flights-b")).await.unwrap();
    let snapshot = resolve(&store, "flights@3").await.unwrap();
    export(&snapshot, golden("v1/export").to_str().unwrap(), |_, _| {}).await.unwrap();
    let expected = serde_json::to_vec_pretty(&Value::Object(expected)).unwrap();
    std::fs::write(golden("v1/expected.json"), expected).unwrap();
}

#[test]
fn the_rows_are_worth_reading() {
    for state in state_rows() {
        if state.kind.is_keyed() {
            assert!(state.base.len() > 3 && state.delta.len() > 1, "{}", state.name);
            let halves = state.base.iter().filter(|row| row.hash() < 1 << 63).count();
            assert!(halves > 0 && halves < state.base.len(), "{} lies on one worker", state.name);
        } else {
            assert!(!state.inline.is_empty());
        }
    }
    assert!(state_rows().iter().any(|state| state.kind == StateKind::Map));
    assert!(key_hash("a").is_ok());
}

#[tokio::test]
async fn a_store_of_the_next_version_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let marker = std::fs::read_to_string(golden("v1/store/millpond.json")).unwrap();
    let next = marker.replace("\"version\":1", "\"version\":2");
    assert_ne!(marker, next);
    std::fs::write(directory.path().join("millpond.json"), next).unwrap();
    let error = Store::open(directory.path().to_str().unwrap(), OpenMode::Existing).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { found: 2, .. }), "{error}");
}

/// The golden snapshot with each keyed state folded into one base.
async fn folded(to: &Store, expired_at_ms: Option<i64>) -> Manifest {
    let golden = resolve(&open(&golden("v1/store")).await, "flights#golden").await.unwrap();
    let copied = copy(&golden, to, None, |_, _| {}).await.unwrap();
    let copied = resolve(to, &copied.id.to_string()).await.unwrap();
    let mut manifest = copied.record().unwrap().manifest.clone();
    for state in &mut manifest.operators[0].states {
        if !state.kind.is_keyed() {
            continue;
        }
        let inputs = (0..state.chunks.len()).collect();
        let plan = CompactionPlan { kind: ChunkKind::Base, range: HashRange::FULL, inputs };
        let options = CompactOptions { expired_at_ms, ..CompactOptions::new(job("flights"), state.kind) };
        let base = compact(to, &state.chunks, &plan, &options).await.unwrap();
        state.chunks = plan.apply(&state.chunks, base);
        assert_eq!(state.chunks.len(), 1, "{}", state.name);
    }
    manifest
}

#[tokio::test]
async fn folding_a_state_of_any_kind_changes_nothing_that_is_seen() {
    let store = Store::open("memory://golden-fold", OpenMode::CreateIfMissing).await.unwrap();
    let expected: Value = serde_json::from_slice(&std::fs::read(golden("v1/expected.json")).unwrap()).unwrap();
    let manifest = folded(&store, None).await;
    assert_eq!(read(&store, &manifest).await, expected);
}

#[tokio::test]
async fn folding_leaves_out_what_has_expired() {
    let store = Store::open("memory://golden-expire", OpenMode::CreateIfMissing).await.unwrap();
    for (now, left) in [(-1, 2), (-2, 3), (8_999, 2), (9_000, 1)] {
        let manifest = folded(&store, Some(now)).await;
        let found = read(&store, &manifest).await;
        assert_eq!(found["golden/aggregating"].as_array().map(Vec::len), Some(left), "at {now}");
        assert_eq!(found["golden/reducing"].as_array().map(Vec::len), Some(4), "no time to live");
    }
}
