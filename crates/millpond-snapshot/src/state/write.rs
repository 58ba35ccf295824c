//! Cutting a stream of sorted rows into chunks. CPU only: whoever writes says where the chunks go.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::input::hashes;
use crate::Result;
use crate::chunk::{ChunkEncoder, ChunkKind, EncodedChunk, StateKind};
use crate::hash::HashRange;
use crate::ids::JobName;

/// When a chunk is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkLimits {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Default for ChunkLimits {
    /// The usual sizes: 4 Mi rows or 64 MiB.
    fn default() -> Self {
        ChunkLimits { rows: 4 << 20, bytes: 64 << 20 }
    }
}

/// Cuts rows into chunks, between hashes, whose ranges together are the whole range.
pub(crate) struct ChunkCutter {
    job: JobName,
    state: StateKind,
    kind: ChunkKind,
    limits: ChunkLimits,
    /// The part of the range that no finished chunk speaks about.
    rest: Option<HashRange>,
    open: Option<ChunkEncoder>,
}

impl ChunkCutter {
    pub(crate) fn new(
        job: JobName,
        state: StateKind,
        kind: ChunkKind,
        range: HashRange,
        limits: ChunkLimits,
    ) -> Self {
        ChunkCutter { job, state, kind, limits, rest: Some(range), open: None }
    }

    /// Adds rows, sorted by hash and behind those before; gives a chunk if that completes one.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<Option<EncodedChunk>> {
        let (Some(&first), Some(rest)) = (hashes(batch).first(), self.rest) else {
            return Ok(None);
        };
        // The last row may share its hash with the first of this batch: cut only where they differ.
        let full = self
            .open
            .as_ref()
            .is_some_and(|chunk| chunk.rows() >= self.limits.rows || chunk.bytes() >= self.limits.bytes);
        let mut done = None;
        if full
            && let Some(range) = first.checked_sub(1).and_then(|end| HashRange::new(rest.start(), end))
            && let Some(chunk) = self.open.take_if(|chunk| chunk.ended_before(first))
        {
            self.rest = HashRange::new(first, rest.end());
            done = Some(chunk.finish(range)?);
        }
        self.open(&batch.schema())?.write(batch)?;
        Ok(done)
    }

    /// The last chunk, if any rows are left. A base that no rows came for says so in a chunk without rows, of
    /// the columns `empty`, or what was before would be seen again.
    pub(crate) fn finish(mut self, empty: Option<&SchemaRef>) -> Result<Option<EncodedChunk>> {
        let untouched = self.open.is_none() && self.kind == ChunkKind::Base;
        if let (true, Some(schema)) = (untouched, empty) {
            self.open(schema)?;
        }
        match (self.open, self.rest) {
            (Some(chunk), Some(range)) => chunk.finish(range).map(Some),
            _ => Ok(None),
        }
    }

    fn open(&mut self, schema: &SchemaRef) -> Result<&mut ChunkEncoder> {
        match &mut self.open {
            Some(chunk) => Ok(chunk),
            none => Ok(none.insert(ChunkEncoder::new(schema, self.job.clone(), self.state, self.kind)?)),
        }
    }
}
