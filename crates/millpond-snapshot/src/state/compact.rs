//! Folding chunks into fewer.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use super::input::{hashes, unmergeable};
use super::plan::CompactionPlan;
use super::reader::{StateReader, Tombstones};
use crate::Result;
use crate::chunk::{ChunkEncoder, ChunkKind, ChunkRef, EXPIRES_AT, EncodedChunk, StateKind};
use crate::hash::HashRange;
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
    let mut writer = Writer { store, options, kind: plan.kind, rest: Some(plan.range), open: None, done: vec![] };
    while let Some(batch) = reader.next().await? {
        let batch = match (plan.kind, options.expired_at_ms) {
            (ChunkKind::Base, Some(now)) => without_expired(batch, now)?,
            _ => batch,
        };
        writer.write(&batch).await?;
    }
    if writer.open.is_none() && writer.done.is_empty() && plan.kind == ChunkKind::Base {
        // Nothing is left, which must be said, or what was before would be seen again.
        let Some(schema) = reader.columns() else {
            return Ok(vec![]);
        };
        writer.open = Some(ChunkEncoder::new(&schema, options.job.clone(), options.state, plan.kind)?);
    }
    writer.finish().await
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

/// Cuts a stream of rows into chunks, between hashes, whose ranges together are the whole range.
struct Writer<'a> {
    store: &'a Store,
    options: &'a CompactOptions,
    kind: ChunkKind,
    /// The part of the range that no finished chunk speaks about.
    rest: Option<HashRange>,
    open: Option<ChunkEncoder>,
    done: Vec<ChunkRef>,
}

impl Writer<'_> {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let (Some(&first), Some(rest)) = (hashes(batch).first(), self.rest) else {
            return Ok(());
        };
        // The last row may share its hash with the first of this batch: cut only where they differ.
        let full = self.open.as_ref().is_some_and(|chunk| {
            chunk.rows() >= self.options.chunk_rows || chunk.bytes() >= self.options.chunk_bytes
        });
        if full
            && let Some(range) = first.checked_sub(1).and_then(|end| HashRange::new(rest.start(), end))
            && let Some(chunk) = self.open.take_if(|chunk| chunk.ended_before(first))
        {
            self.rest = HashRange::new(first, rest.end());
            self.put(chunk.finish(range)?).await?;
        }
        let chunk = match &mut self.open {
            Some(chunk) => chunk,
            none => {
                let (job, state) = (self.options.job.clone(), self.options.state);
                none.insert(ChunkEncoder::new(&batch.schema(), job, state, self.kind)?)
            }
        };
        chunk.write(batch)
    }

    async fn finish(mut self) -> Result<Vec<ChunkRef>> {
        if let (Some(chunk), Some(range)) = (self.open.take(), self.rest) {
            self.put(chunk.finish(range)?).await?;
        }
        Ok(self.done)
    }

    async fn put(&mut self, chunk: EncodedChunk) -> Result<()> {
        self.done.push(self.store.put_chunk(chunk).await?);
        Ok(())
    }
}
