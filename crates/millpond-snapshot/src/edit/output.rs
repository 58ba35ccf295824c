//! From sorted rows to the chunks of a state.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use super::fresh::Fresh;
use super::merge::Merge;
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
pub(super) struct SortingOutput<'e, R> {
    pub(super) output: Output<'e>,
    sorter: Sorter,
    shape: Shape,
    merge: Option<Merge<'e, R>>,
}

impl<'e, R: StateRow> SortingOutput<'e, R> {
    /// Of rows with one key, `merge` makes one, in the order in which they are added.
    pub(super) fn new(output: Output<'e>, shape: Shape, merge: Option<Merge<'e, R>>, budget: usize) -> Self {
        SortingOutput { output, sorter: Sorter::new(shape.schema.clone(), shape.kind, budget), shape, merge }
    }

    pub(super) async fn add(&mut self, rows: &[R]) -> Result<()> {
        self.sorter.add(self.shape.batch(rows)?)?;
        self.output.fresh.tend().await
    }

    /// # Errors
    /// [`Error::InvalidInput`] if two rows are of one key and nothing says how they make one; it names the key.
    pub(super) async fn finish(self) -> Result<(Vec<ChunkRef>, u64)> {
        let SortingOutput { mut output, sorter, shape, mut merge } = self;
        let mut sorted = sorter.finish()?;
        // The last row, which the next may be of the same key as.
        let mut held: Option<RecordBatch> = None;
        while let Some(Sorted { rows, again }) = sorted.next()? {
            let mut rows = rows;
            let collides = again.contains(&true);
            if collides && shape.kind == StateKind::Timers {
                // A timer is its key and its time: two of them are one.
                let first: BooleanArray = again.iter().map(|again| Some(!again)).collect();
                rows = filter_record_batch(&rows, &first).map_err(|error| shape.unfit(&error))?;
            } else if collides {
                let merge = merge.as_mut().ok_or_else(|| twice::<R>(&shape, &rows, &again))?;
                let mut made: Vec<R> = held.take().map(|row| R::decode(&row)).transpose()?.unwrap_or_default();
                for (row, again) in R::decode(&rows)?.into_iter().zip(again) {
                    let row = match made.pop_if(|_| again) {
                        Some(before) => merge(before, row)?,
                        None => row,
                    };
                    made.push(row);
                }
                rows = shape.batch(&made)?;
            }
            let Some(last) = rows.num_rows().checked_sub(1) else { continue };
            if let Some(row) = held.replace(rows.slice(last, 1)) {
                output.write(&row).await?;
            }
            output.write(&rows.slice(0, last)).await?;
        }
        if let Some(row) = held {
            output.write(&row).await?;
        }
        output.finish().await
    }
}

/// There is nothing that makes one of two rows.
fn twice<R: StateRow>(shape: &Shape, rows: &RecordBatch, again: &[bool]) -> Error {
    let at = again.iter().position(|again| *again).unwrap_or_default();
    match R::decode(&rows.slice(at, 1)) {
        Err(error) => error,
        Ok(row) => {
            let unit = row.first().map(StateRow::unit).unwrap_or_default();
            shape.unfit(&format!(
                "there are two rows for {unit}, and a state has one; say how their values make one with \
                 merge(|one, other| …), or make one of them before they are written"
            ))
        }
    }
}
