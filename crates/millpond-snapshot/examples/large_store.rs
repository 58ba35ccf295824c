//! Makes a store with a large state, to see what reading it costs:
//!
//! ```text
//! cargo run --release -p millpond-snapshot --example large_store -- DIRECTORY [KEYS]
//! ```
//!
//! Job `large` has one state, `"sum"."total"`, of `KEYS` numbers (20 million if nothing is said). The value of key `k` is
//! `k % 1000`. Checkpoint 2 is base chunks; savepoint 3 adds a delta in which each hundredth key is different: of those, each
//! tenth is gone, and the others are 1000 more.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use millpond_snapshot::chunk::{ChunkEncoder, ChunkKind, ChunkRef, StateKind};
use millpond_snapshot::hash::{HashRange, key_hash};
use millpond_snapshot::log::{Entry, EntryBody, JobLog, SnapshotRecord};
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, SchemaFields, StateSnapshot, UidSource};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Epoch, JobName, Sequence, Store};

type Failure = Box<dyn std::error::Error>;

/// Hash ranges, each of which has chunks of its own, as that many workers would write them.
const RANGES: usize = 8;

/// A row: the hash of the key, the key, and the value if it is there.
type Row = (u64, u64, Option<u64>);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let keys: u64 = arguments.next().map_or(Ok(20_000_000), |keys| keys.parse())?;
    let store = Store::open(&directory, OpenMode::CreateIfMissing).await?;
    let start = EntryBody::Start { parallelism: RANGES as u32, restored_from: None, options: Default::default() };
    append(&store, 1, start).await?;
    let base = chunks(&store, ChunkKind::Base, (0..keys).map(|key| (key, Some(key % 1000)))).await?;
    append(&store, 2, EntryBody::Checkpoint(record(2, base.clone())?)).await?;
    let changed = (0..keys).step_by(100).map(|key| (key, (key % 1000 != 0).then_some(key % 1000 + 1000)));
    let delta = chunks(&store, ChunkKind::Delta, changed).await?;
    append(&store, 3, EntryBody::Savepoint(record(3, [base, delta].concat())?)).await?;
    Ok(())
}

async fn append(store: &Store, sequence: u64, body: EntryBody) -> Result<(), Failure> {
    let job: JobName = "large".parse()?;
    let entry = Entry::new(job.clone(), Sequence(sequence), Sequence(1), body)?;
    JobLog::open(store, &job).append(&entry).await?;
    Ok(())
}

async fn chunks(
    store: &Store,
    kind: ChunkKind,
    rows: impl Iterator<Item = (u64, Option<u64>)>,
) -> Result<Vec<ChunkRef>, Failure> {
    let rows: Result<Vec<Row>, _> =
        rows.map(|(key, value)| key_hash(&key).map(|hash| (hash, key, value))).collect();
    let mut rows = rows?;
    rows.sort_unstable();
    let mut chunks = Vec::new();
    for range in (0..RANGES).map(|index| HashRange::of_worker(index, RANGES)) {
        let (start, end) =
            (rows.partition_point(|row| row.0 < range.start()), rows.partition_point(|row| row.0 <= range.end()));
        let mut encoder = ChunkEncoder::new(&schema(kind), "large".parse()?, StateKind::Value, kind)?;
        for rows in rows[start..end].chunks(64 * 1024) {
            encoder.write(&batch(kind, rows)?)?;
        }
        chunks.push(store.put_chunk(encoder.finish(range)?).await?);
    }
    Ok(chunks)
}

fn schema(kind: ChunkKind) -> Arc<Schema> {
    let mut fields = vec![
        Field::new("hash", DataType::UInt64, false),
        Field::new("key", DataType::UInt64, false),
        Field::new("value", DataType::UInt64, true),
    ];
    fields.extend((kind == ChunkKind::Delta).then(|| Field::new("deleted", DataType::Boolean, false)));
    Arc::new(Schema::new(fields))
}

fn batch(kind: ChunkKind, rows: &[Row]) -> Result<RecordBatch, Failure> {
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(rows.iter().map(|row| row.2).collect::<UInt64Array>()),
    ];
    if kind == ChunkKind::Delta {
        columns.push(Arc::new(rows.iter().map(|row| Some(row.2.is_none())).collect::<BooleanArray>()));
    }
    Ok(RecordBatch::try_new(schema(kind), columns)?)
}

fn record(sequence: u64, chunks: Vec<ChunkRef>) -> Result<SnapshotRecord, Failure> {
    let fields = |name, null| SchemaFields::new(vec![Field::new(name, DataType::UInt64, null)]).map(Some);
    let total = StateSnapshot {
        name: "total".parse()?,
        kind: StateKind::Value,
        key_schema: fields("key", false)?,
        map_key_schema: None,
        value_schema: fields("value", true)?,
        ttl_ms: None,
        chunks,
        rows_inline: None,
    };
    let mut manifest = Manifest::new("large".parse()?, Epoch(sequence));
    manifest.operators = vec![OperatorSnapshot {
        uid: "sum".parse()?,
        uid_source: UidSource::Given,
        name: "the sum".to_owned(),
        kind: "process".to_owned(),
        states: vec![total],
    }];
    Ok(SnapshotRecord {
        request_id: None,
        requested_by: None,
        reason: "to be measured".to_owned(),
        duration_ms: 0,
        parent: None,
        copied_from: None,
        edited: None,
        bytes_new: manifest.bytes(),
        bytes_total: manifest.bytes(),
        manifest,
    })
}
