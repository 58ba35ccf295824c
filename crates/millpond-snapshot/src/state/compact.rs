//! Folding chunks into fewer.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use super::input::unmergeable;
use super::plan::CompactionPlan;
use super::reader::{StateReader, Tombstones};
use super::write::{ChunkCutter, ChunkLimits};
use crate::Result;
use crate::chunk::{ChunkKind, ChunkRef, EXPIRES_AT, StateKind};
use crate::ids::JobName;
use crate::store::Store;

/// How to fold.
#[derive(Debug, Clone)]
pub struct CompactOptions {
    /// The job that writes the result.
    pub job: JobName,
    /// The kind of the state.
    pub state: StateKind,
    /// The time until which rows have expired, in milliseconds since 1970-01-01 UTC; a base leaves them
    /// out. `None` keeps all.
    pub expired_at_ms: Option<i64>,
    /// A chunk is ended when it has this many rows.
    pub chunk_rows: u64,
    /// A chunk is ended when it has about this many bytes.
    pub chunk_bytes: u64,
}

impl CompactOptions {
    /// The usual sizes: 4 Mi rows or 64 MiB.
    pub fn new(job: JobName, state: StateKind) -> Self {
        CompactOptions { job, state, expired_at_ms: None, chunk_rows: 4 << 20, chunk_bytes: 64 << 20 }
    }
}

/// Folds the chunks that a plan names, and stores the result, durably. The result of a base speaks
/// about exactly the plan's range, whatever is left in it.
///
/// Memory is bounded by the chunks that meet at one hash, and one that is being written. It takes
/// processor time: call it where that does not stall others.
pub async fn compact(
    store: &Store,
    chunks: &[ChunkRef],
    plan: &CompactionPlan,
    options: &CompactOptions,
) -> Result<Vec<ChunkRef>> {
    let inputs: Vec<ChunkRef> = plan.inputs.iter().filter_map(|&place| chunks.get(place)).cloned().collect();
    let tombstones = match plan.kind {
        ChunkKind::Base => Tombstones::Drop,
        ChunkKind::Delta => Tombstones::Keep,
    };
    let mut reader = StateReader::new(store, options.state, &inputs, plan.range, tombstones);
    let limits = ChunkLimits { rows: options.chunk_rows, bytes: options.chunk_bytes };
    let mut cutter = ChunkCutter::new(options.job.clone(), options.state, plan.kind, plan.range, limits);
    let mut done = Vec::new();
    while let Some(batch) = reader.next().await? {
        let batch = match (plan.kind, options.expired_at_ms) {
            (ChunkKind::Base, Some(now)) => without_expired(batch, now)?,
            _ => batch,
        };
        if let Some(chunk) = cutter.write(&batch)? {
            done.push(store.put_chunk(chunk).await?);
        }
    }
    // If chunks were cut, rows are left in the last one.
    if let Some(chunk) = cutter.finish(reader.columns().as_ref())? {
        done.push(store.put_chunk(chunk).await?);
    }
    Ok(done)
}

fn without_expired(batch: RecordBatch, now: i64) -> Result<RecordBatch> {
    let Some(expires) = batch.column_by_name(EXPIRES_AT) else {
        return Ok(batch);
    };
    let expires = expires.as_primitive::<Int64Type>();
    let live: BooleanArray =
        (0..expires.len()).map(|row| Some(expires.is_null(row) || expires.value(row) > now)).collect();
    filter_record_batch(&batch, &live).map_err(unmergeable)
}
