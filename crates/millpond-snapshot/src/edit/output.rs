//! From sorted rows to the chunks of a state.

use arrow_array::RecordBatch;

use super::fresh::Fresh;
use super::row::StateRow;
use super::shape::Shape;
use crate::chunk::{ChunkKind, ChunkRef, StateKind};
use crate::hash::HashRange;
use crate::ids::JobName;
use crate::state::{ChunkCutter, ChunkLimits, Sorted, Sorter};
use crate::{Error, Result};

/// Rows that are encoded together.
pub(super) const ROWS: usize = 4096;

/// Chunks of one state on their way into the store.
pub(super) struct Output<'e> {
    fresh: &'e mut Fresh,
    cutter: ChunkCutter,
    chunks: Vec<ChunkRef>,
    rows: u64,
}

impl<'e> Output<'e> {
    pub(super) fn new(fresh: &'e mut Fresh, job: &JobName, state: StateKind, kind: ChunkKind) -> Self {
        let cutter = ChunkCutter::new(job.clone(), state, kind, HashRange::FULL, ChunkLimits::default());
        Output { fresh, cutter, chunks: Vec::new(), rows: 0 }
    }

    /// Adds rows, sorted by hash and behind those before.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        if let Some(chunk) = self.cutter.write(batch)? {
            self.chunks.push(self.fresh.put(chunk).await?);
        }
        self.fresh.tend().await
    }

    /// The chunks, none if there were no rows, and the number of rows.
    pub(super) async fn finish(mut self) -> Result<(Vec<ChunkRef>, u64)> {
        if let Some(chunk) = self.cutter.finish(None)? {
            self.chunks.push(self.fresh.put(chunk).await?);
        }
        Ok((self.chunks, self.rows))
    }
}

/// Sorts rows that come in any order, and writes them.
pub(super) struct SortingOutput<'e> {
    pub(super) output: Output<'e>,
    sorter: Sorter,
}

impl<'e> SortingOutput<'e> {
    pub(super) fn new(output: Output<'e>, shape: &Shape, budget: usize) -> Self {
        SortingOutput { output, sorter: Sorter::new(shape.schema.clone(), shape.kind, budget) }
    }

    pub(super) async fn add(&mut self, batch: RecordBatch) -> Result<()> {
        self.sorter.add(batch)?;
        self.output.fresh.tend().await
    }

    /// # Errors
    /// [`Error::InvalidInput`] if two rows are of one key; it names the key.
    pub(super) async fn finish<R: StateRow>(self, shape: &Shape) -> Result<(Vec<ChunkRef>, u64)> {
        let SortingOutput { mut output, sorter } = self;
        let mut sorted = sorter.finish()?;
        loop {
            match sorted.next()? {
                Sorted::Rows(batch) => output.write(&batch).await?,
                Sorted::Again(batch) => {
                    let unit = R::decode(&batch)?.first().map(StateRow::unit).unwrap_or_default();
                    return Err(Error::InvalidInput(format!(
                        "{}: there are two rows for {unit}, and a state has one; make one of them before they are written",
                        shape.at
                    )));
                }
                Sorted::End => return output.finish().await,
            }
        }
    }
}
