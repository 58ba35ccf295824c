//! Sorted runs of rows, taken a window of hashes at a time.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_select::concat::concat_batches;

use crate::chunk::ChunkReader;
use crate::{Error, Result};

/// The decoded rows at the front of a sorted run.
#[derive(Default)]
pub(super) struct Front {
    batch: Option<RecordBatch>,
    at_end: bool,
}

impl Front {
    fn hashes(&self) -> &[u64] {
        self.batch.as_ref().map_or(&[], hashes)
    }

    /// The hash up to which, exclusively, all rows are decoded; `None` if all rows are.
    pub(super) fn horizon(&self) -> Option<u64> {
        if self.at_end { None } else { self.hashes().last().copied() }
    }

    /// The hash of the next row; `None` if no rows are decoded.
    pub(super) fn next_hash(&self) -> Option<u64> {
        self.hashes().first().copied()
    }

    /// Whether rows must be added before anything can be said.
    pub(super) fn is_dry(&self) -> bool {
        !self.at_end && self.hashes().is_empty()
    }

    /// Adds what was decoded next; `None` is the end.
    pub(super) fn add(&mut self, more: Option<RecordBatch>) -> Result<()> {
        let Some(more) = more else {
            self.at_end = true;
            return Ok(());
        };
        self.batch = Some(match self.batch.take() {
            Some(batch) if batch.num_rows() > 0 => {
                concat_batches(more.schema_ref(), [&batch, &more]).map_err(unmergeable)?
            }
            _ => more,
        });
        Ok(())
    }

    /// Takes the decoded rows before the hash `end`, or all of them if there is none; `None` if there
    /// are no such rows.
    pub(super) fn take(&mut self, end: Option<u64>) -> Option<RecordBatch> {
        let rows = match end {
            Some(end) => self.hashes().partition_point(|hash| *hash < end),
            None => self.hashes().len(),
        };
        let batch = self.batch.as_mut().filter(|_| rows > 0)?;
        let taken = batch.slice(0, rows);
        *batch = batch.slice(rows, batch.num_rows() - rows);
        Some(taken)
    }
}

/// One part of one chunk.
pub(super) struct Input {
    /// The chunk's place in the state's list: of two rows for one unit, the one of greater age counts.
    pub(super) age: usize,
    pub(super) front: Front,
    reader: ChunkReader,
}

impl Input {
    pub(super) fn new(age: usize, reader: ChunkReader) -> Result<Self> {
        let mut input = Input { age, front: Front::default(), reader };
        input.extend()?;
        Ok(input)
    }

    /// Takes the rows before the hash `end`, and decodes more if none are left.
    pub(super) fn take(&mut self, end: Option<u64>) -> Result<Option<RecordBatch>> {
        let taken = self.front.take(end);
        if self.front.is_dry() {
            self.extend()?;
        }
        Ok(taken)
    }

    /// Decodes more rows behind those that there are.
    pub(super) fn extend(&mut self) -> Result<()> {
        let more = self.reader.next().transpose()?;
        self.front.add(more)
    }
}

pub(crate) fn hashes(batch: &RecordBatch) -> &[u64] {
    batch.column(0).as_primitive::<UInt64Type>().values()
}

pub(super) fn unmergeable(error: arrow_schema::ArrowError) -> Error {
    Error::InvalidInput(format!("cannot merge the chunks of a state: {error}"))
}
