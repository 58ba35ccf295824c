//! The rows of a state, as a stream in bounded memory.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use futures::future::try_join_all;
use serde::de::DeserializeOwned;

use super::input::{Input, unmergeable};
use super::merge::merge_windows;
use crate::chunk::{ChunkRef, Columns, DELETED, StateKind, read_chunk_columns, visible};
use crate::hash::HashRange;
use crate::store::Store;
use crate::{Error, Result};

/// What becomes of units whose newest row is a tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// They are left out: the rows are the state. The batches have no `deleted` column.
    Drop,
    /// They are given: the rows are a change to older chunks. The batches have a `deleted` column.
    Keep,
}

/// Reads a state, or a hash range of it: for each merge unit the newest row, sorted by hash.
///
/// At any time it holds those chunks whose ranges meet at the hash that it has reached. Rows past
/// their time to live are given like others; their `expires_at` tells.
pub struct StateReader {
    store: Store,
    state: StateKind,
    tombstones: Tombstones,
    columns: Columns,
    /// Parts of chunks that are not yet open, by the beginning of their ranges.
    pending: VecDeque<(HashRange, usize, ChunkRef)>,
    /// Open parts, oldest chunk first.
    open: Vec<Input>,
    schema: Option<SchemaRef>,
}

impl StateReader {
    /// Reads the rows of `chunks`, oldest first, whose hash lies in `range`.
    pub fn new(
        store: &Store,
        state: StateKind,
        chunks: &[ChunkRef],
        range: HashRange,
        tombstones: Tombstones,
    ) -> Self {
        let parts = visible(chunks, range).into_iter().enumerate();
        let parts = parts.flat_map(|(age, parts)| parts.into_iter().map(move |part| (part, age)));
        let mut pending: Vec<_> = parts.map(|(part, age)| (part, age, chunks[age].clone())).collect();
        pending.sort_by_key(|(part, age, _)| (part.start(), *age));
        StateReader {
            store: store.clone(),
            state,
            tombstones,
            columns: Columns::ALL,
            pending: pending.into(),
            open: Vec::new(),
            schema: None,
        }
    }

    /// Decodes only these columns; the batches lack the others.
    pub fn select(mut self, columns: Columns) -> Self {
        self.columns = columns;
        self
    }

    /// The next rows; `None` at the end. Batches are never empty.
    ///
    /// Decoding takes processor time: call it where that does not stall others.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the chunk that is not what the manifest says, or that differs from the
    /// others in its columns.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(end) = self.advance().await? else {
                return Ok(None);
            };
            let mut windows = Vec::with_capacity(self.open.len());
            for input in &mut self.open {
                windows.extend(input.take(end)?);
            }
            let Some(schema) = self.schema.clone() else {
                return Ok(None);
            };
            let windows = windows.into_iter().map(|window| shape(&schema, window));
            let windows = windows.collect::<Result<Vec<_>>>()?;
            let drop = self.tombstones == Tombstones::Drop;
            let mut merged = merge_windows(&schema, self.state, &windows, drop)?;
            if merged.num_rows() == 0 {
                continue;
            }
            if drop {
                // The last one: see `with_deleted`.
                merged.remove_column(schema.fields().len() - 1);
            }
            return Ok(Some(merged));
        }
    }

    /// The next rows, each as a struct whose fields are named after the columns that it wants: `key`,
    /// `map_key`, `value`, `timestamp`, `expires_at`, `hash`. `None` at the end.
    ///
    /// ```no_run
    /// # async fn example(mut reader: millpond_snapshot::state::StateReader) -> millpond_snapshot::Result<()> {
    /// #[derive(serde::Deserialize)]
    /// struct Total {
    ///     key: String,
    ///     value: i64,
    /// }
    /// while let Some(totals) = reader.next_rows::<Total>().await? {
    ///     println!("{} of {}", totals[0].value, totals[0].key);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`StateReader::next`], and [`Error::InvalidInput`] if the rows do not fit the struct.
    pub async fn next_rows<R: DeserializeOwned>(&mut self) -> Result<Option<Vec<R>>> {
        let Some(batch) = self.next().await? else {
            return Ok(None);
        };
        let rows = serde_arrow::from_record_batch(&batch);
        rows.map(Some).map_err(|error| {
            let columns = batch.schema();
            Error::InvalidInput(format!("rows of {columns} do not fit the struct that was asked for: {error}"))
        })
    }

    /// The columns of the rows, as far as is known: once a batch was given, or the end was reached.
    pub fn columns(&self) -> Option<SchemaRef> {
        let schema = self.schema.as_ref()?;
        match self.tombstones {
            Tombstones::Keep => Some(schema.clone()),
            Tombstones::Drop => {
                let kept = schema.fields().iter().filter(|field| field.name() != DELETED);
                let kept: Vec<Arc<Field>> = kept.cloned().collect();
                Some(Arc::new(Schema::new(kept)))
            }
        }
    }

    /// Opens what begins next and gives the hash before which all rows are decoded. The outer `None`
    /// means that there are no more rows; an inner one that there is no such hash, because all rows
    /// are decoded.
    async fn advance(&mut self) -> Result<Option<Option<u64>>> {
        loop {
            self.open.retain(|input| input.front.next_hash().is_some());
            let least = self.open.iter().filter_map(|input| input.front.next_hash()).min();
            if self.open_due(least).await? {
                continue;
            }
            if least.is_none() {
                return Ok(None);
            }
            let opens = self.pending.front().map(|(part, ..)| part.start());
            let horizons = self.open.iter().map(|input| (input.front.horizon(), input.age));
            let slowest = horizons.filter_map(|(hash, age)| Some((hash?, age))).min();
            let end = opens.into_iter().chain(slowest.map(|(hash, _)| hash)).min();
            if end.is_none_or(|end| least.is_some_and(|least| least < end)) {
                return Ok(Some(end));
            }
            // All decoded rows of some chunk have one hash, and there may be more of it.
            let slowest = slowest.map(|(_, age)| age);
            for input in self.open.iter_mut().filter(|input| Some(input.age) == slowest) {
                input.extend()?;
            }
        }
    }

    /// Opens the parts that begin at or before a hash, or without one those that begin first; tells
    /// whether there were any. They are all needed now, so they are fetched together.
    async fn open_due(&mut self, least: Option<u64>) -> Result<bool> {
        let Some(first) = self.pending.front().map(|(part, ..)| part.start()) else {
            return Ok(false);
        };
        let until = least.unwrap_or(first);
        let due = self.pending.partition_point(|(part, ..)| part.start() <= until);
        let due: Vec<_> = self.pending.drain(..due).collect();
        let read = |part, chunk| read_chunk_columns(&self.store, chunk, self.state, part, self.columns);
        let readers = due.iter().map(|(part, _, chunk)| read(*part, chunk));
        let readers = try_join_all(readers).await?;
        for ((_, age, chunk), reader) in due.iter().zip(readers) {
            let schema = with_deleted(reader.schema());
            match &self.schema {
                Some(expected) if *expected != schema => {
                    let problem = format!("other chunks of the state have {expected}, this one {schema}");
                    return Err(Error::corrupt(chunk.path(), "columns", problem));
                }
                _ => self.schema = Some(schema),
            }
            let at = self.open.partition_point(|input| input.age < *age);
            self.open.insert(at, Input::new(*age, reader)?);
        }
        Ok(!due.is_empty())
    }
}

/// Gives rows of a base the column that those of deltas have, so that they can stand together.
fn shape(schema: &SchemaRef, window: RecordBatch) -> Result<RecordBatch> {
    let mut columns = window.columns().to_vec();
    if columns.len() < schema.fields().len() {
        let deleted: ArrayRef = Arc::new(BooleanArray::from(vec![false; window.num_rows()]));
        columns.push(deleted);
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(unmergeable)
}

/// The columns of a delta, given those of a base or a delta: `deleted` is the last.
fn with_deleted(schema: &SchemaRef) -> SchemaRef {
    if schema.column_with_name(DELETED).is_some() {
        return schema.clone();
    }
    let mut fields: Vec<Arc<Field>> = schema.fields().to_vec();
    fields.push(Arc::new(Field::new(DELETED, arrow_schema::DataType::Boolean, false)));
    Arc::new(Schema::new(fields))
}
