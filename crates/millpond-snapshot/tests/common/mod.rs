//! What the tests of this crate share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, ChunkRef, EncodedChunk, StateKind, encode_chunk};
use millpond_snapshot::hash::{HashRange, key_hash};
use millpond_snapshot::log::{Entry, EntryBody, SnapshotRecord};
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, SchemaFields, StateSnapshot, UidSource};
use millpond_snapshot::{Epoch, JobName, Sequence};

pub fn job(name: &str) -> JobName {
    name.parse().unwrap()
}

/// The columns of a value state from text to number.
pub fn schema(kind: ChunkKind) -> SchemaRef {
    let mut fields = vec![
        Field::new("hash", DataType::UInt64, false),
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::UInt64, true),
    ];
    if kind == ChunkKind::Delta {
        fields.push(Field::new("deleted", DataType::Boolean, false));
    }
    Arc::new(Schema::new(fields))
}

/// Rows of a value state, sorted; `None` is a tombstone.
pub fn rows(kind: ChunkKind, rows: &[(&str, Option<u64>)]) -> RecordBatch {
    let mut rows: Vec<_> = rows.iter().map(|(k, v)| (key_hash(*k).unwrap(), *k, *v)).collect();
    rows.sort();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(rows.iter().map(|row| row.2).collect::<UInt64Array>()),
    ];
    if kind == ChunkKind::Delta {
        let deleted = rows.iter().map(|row| Some(row.2.is_none()));
        columns.push(Arc::new(deleted.collect::<BooleanArray>()));
    }
    RecordBatch::try_new(schema(kind), columns).unwrap()
}

pub fn meta(kind: ChunkKind) -> ChunkMeta {
    ChunkMeta { job: job("flights"), state: StateKind::Value, kind, range: HashRange::FULL }
}

pub fn encode(kind: ChunkKind, content: &[(&str, Option<u64>)]) -> EncodedChunk {
    encode_chunk(&schema(kind), [rows(kind, content)], &meta(kind)).unwrap()
}

/// A manifest with one operator that has one value state, of these chunks.
pub fn manifest(chunks: Vec<ChunkRef>) -> Manifest {
    let fields = |name, t, null| Some(SchemaFields::new(vec![Field::new(name, t, null)]).unwrap());
    let state = StateSnapshot {
        name: "total".parse().unwrap(),
        kind: StateKind::Value,
        key_schema: fields("key", DataType::Utf8, false),
        map_key_schema: None,
        value_schema: fields("value", DataType::UInt64, true),
        ttl_ms: None,
        chunks,
        rows_inline: None,
    };
    let operator = OperatorSnapshot {
        uid: "sum".parse().unwrap(),
        uid_source: UidSource::Given,
        name: "sum per airport".to_owned(),
        kind: "process".to_owned(),
        states: vec![state],
    };
    Manifest { operators: vec![operator], ..Manifest::new(job("flights"), Epoch(7)) }
}

pub fn record(chunks: Vec<ChunkRef>) -> SnapshotRecord {
    let manifest = manifest(chunks);
    SnapshotRecord {
        request_id: None,
        requested_by: None,
        reason: "interval".to_owned(),
        duration_ms: 12,
        parent: None,
        copied_from: None,
        edited: None,
        bytes_new: manifest.bytes(),
        bytes_total: manifest.bytes(),
        manifest,
    }
}

pub fn entry(sequence: u64, run: u64, body: EntryBody) -> Entry {
    Entry::new(job("flights"), Sequence(sequence), Sequence(run), body).unwrap()
}

pub fn start(sequence: u64) -> Entry {
    let body = EntryBody::Start { parallelism: 2, restored_from: None, options: Default::default() };
    entry(sequence, sequence, body)
}
