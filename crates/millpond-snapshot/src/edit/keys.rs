//! Taking keys out of states, whatever their types: by tombstones in a chunk of their own.
//!
//! What is written is as much as what is removed. The rows of the state are read once, in the order of their hashes,
//! and beside them the keys, sorted the same way.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use futures::{Stream, StreamExt};
use std::pin::pin;

use super::Edit;
use super::change::Change;
use super::open::state_id;
use super::output::Output;
use crate::chunk::{ChunkKind, DELETED, EXPIRES_AT, HASH, KEY, StateKind, VALUE};
use crate::hash::HashRange;
use crate::ids::{OperatorUid, StateName};
use crate::manifest::StateSnapshot;
use crate::repository::StateId;
use crate::state::{SortedRows, Sorter, StateReader, Tombstones, hashes};
use crate::{Error, Result};

impl Edit {
    /// The type of an operator's keys, as its keyed states say it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such operator, [`Error::InvalidInput`] if it has no keyed state.
    pub fn key_type(&mut self, uid: &OperatorUid) -> Result<DataType> {
        let states = &self.operator_mut(uid)?.states;
        let keyed = states.iter().filter(|state| state.kind.is_keyed());
        let schema = keyed.filter_map(|state| state.key_schema.as_ref()).next();
        schema.and_then(|schema| schema.data_type().cloned()).ok_or_else(|| {
            Error::InvalidInput(format!(
                "operator {uid} has no state that belongs to keys, so that none can be deleted"
            ))
        })
    }

    /// Takes the rows of some keys out of the keyed states of an operator, timers included, or out of one state.
    /// `keys` gives, in any order and as often as it likes, batches that have the columns `hash` and `key` of rows of
    /// the operator. Gives the rows that are gone from each state.
    ///
    /// The rows are hidden by tombstones, and stay in the chunks of the snapshot that was edited until those are
    /// removed with it or folded by a running job. Rewrite the state with [`filter`](super::StateEdit::filter) where
    /// nothing of them may be left in the result's own chunks.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such operator or state, [`Error::InvalidInput`] if the keys are of another
    /// type.
    pub async fn remove_keys(
        &mut self,
        uid: &OperatorUid,
        only: Option<&StateName>,
        keys: impl Stream<Item = Result<RecordBatch>>,
    ) -> Result<Vec<(StateId, u64)>> {
        let key_type = self.key_type(uid)?;
        if let Some(name) = only {
            let id = state_id(uid, name);
            let kind = self.state_mut(&id)?.kind;
            if !kind.is_keyed() {
                return Err(Error::InvalidInput(format!("{id} is {kind} state, which has no keys")));
            }
        }
        let fields = [(HASH, DataType::UInt64), (KEY, key_type)].map(|(name, t)| Field::new(name, t, false));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let mut sorter = Sorter::new(schema.clone(), StateKind::Value, self.sort_budget);
        let mut keys = pin!(keys);
        while let Some(batch) = keys.next().await {
            sorter.add(project(uid, &schema, &batch?)?)?;
            self.fresh.tend().await?;
        }
        let mut sorted = sorter.into_file()?;

        self.bring_chunks_here().await?;
        let states = self.operator_mut(uid)?.states.iter();
        let states = states.filter(|state| state.kind.is_keyed() && only.is_none_or(|only| state.name == *only));
        let states: Vec<StateSnapshot> = states.cloned().collect();
        let mut removed = Vec::new();
        for state in states {
            let id = state_id(uid, &state.name);
            let rows = self.bury(&id, &state, sorted.read()?).await?;
            if rows > 0 {
                self.changes.push(Change::KeysDeleted { state: id.clone(), rows });
            }
            removed.push((id, rows));
        }
        Ok(removed)
    }

    /// Writes tombstones for the rows of `keys` in a state.
    async fn bury(&mut self, id: &StateId, state: &StateSnapshot, keys: SortedRows) -> Result<u64> {
        let store = self.chunks_stand_in().clone();
        let mut reader = StateReader::new(&store, state.kind, &state.chunks, HashRange::FULL, Tombstones::Drop);
        let mut output = Output::new(&mut self.fresh, &self.job, state.kind, ChunkKind::Delta);
        let mut keys = KeysAt::new(keys)?;
        while let Some(batch) = reader.next().await? {
            let doomed = keys.among(&batch)?;
            if doomed.true_count() > 0 {
                output.write(&tombstones(id, &batch, &doomed)?).await?;
            }
        }
        let (chunks, rows) = output.finish().await?;
        if !self.fresh.dry_run {
            self.state_mut(id)?.chunks.extend(chunks);
        }
        Ok(rows)
    }
}

/// The two columns that count, of the types that they must have.
fn project(uid: &OperatorUid, schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| {
        let found = batch.column_by_name(field.name()).ok_or_else(|| {
            Error::InvalidInput(format!(
                "keys of {uid} are told by the columns hash and key, and {} is missing",
                field.name()
            ))
        })?;
        if found.data_type() != field.data_type() {
            return Err(Error::InvalidInput(format!(
                "the {} of operator {uid} is {}, and {} was given",
                field.name(),
                field.data_type(),
                found.data_type()
            )));
        }
        Ok(Arc::clone(found))
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| Error::InvalidInput(format!("keys of {uid}: {error}")))
}

/// The keys that are to go, as far as the hash that was reached.
struct KeysAt {
    keys: SortedRows,
    converter: Option<RowConverter>,
    batch: Option<RecordBatch>,
    at: usize,
    /// Those of one hash, as bytes that are equal if the keys are.
    hash: u64,
    here: BTreeSet<Vec<u8>>,
}

impl KeysAt {
    fn new(keys: SortedRows) -> Result<Self> {
        let mut keys = KeysAt { keys, converter: None, batch: None, at: 0, hash: 0, here: BTreeSet::new() };
        keys.read_on()?;
        Ok(keys)
    }

    fn read_on(&mut self) -> Result<()> {
        self.at = 0;
        self.batch = self.keys.next()?.map(|sorted| sorted.rows);
        Ok(())
    }

    /// Which rows of a batch, whose hashes are not before those asked about earlier, are of these keys.
    fn among(&mut self, rows: &RecordBatch) -> Result<BooleanArray> {
        let key = rows.column(1);
        let mut converter = match self.converter.take() {
            Some(converter) => converter,
            None => RowConverter::new(vec![SortField::new(key.data_type().clone())]).map_err(incomparable)?,
        };
        let units = converter.convert_columns(std::slice::from_ref(key)).map_err(incomparable)?;
        let mut found = Vec::with_capacity(rows.num_rows());
        for (row, hash) in hashes(rows).iter().enumerate() {
            self.advance(*hash, &mut converter)?;
            found.push(self.hash == *hash && self.here.contains(units.row(row).data()));
        }
        self.converter = Some(converter);
        Ok(found.into())
    }

    /// Moves on to the keys of a hash.
    fn advance(&mut self, hash: u64, converter: &mut RowConverter) -> Result<()> {
        if self.hash != hash {
            (self.hash, self.here) = (hash, BTreeSet::new());
        }
        while let Some(batch) = &self.batch {
            match hashes(batch).get(self.at) {
                None => self.read_on()?,
                Some(next) if *next > hash => break,
                Some(next) => {
                    if *next == hash {
                        let key = batch.column(1).slice(self.at, 1);
                        let key = converter.convert_columns(&[key]).map_err(incomparable)?;
                        self.here.insert(key.row(0).data().to_vec());
                    }
                    self.at += 1;
                }
            }
        }
        Ok(())
    }
}

/// The rows that `doomed` says, as tombstones.
fn tombstones(id: &StateId, batch: &RecordBatch, doomed: &BooleanArray) -> Result<RecordBatch> {
    let unfit = |error: ArrowError| {
        Error::InvalidInput(format!(
            "{id}: tombstones cannot be written beside its chunks ({error}); rewrite the state"
        ))
    };
    let rows = filter_record_batch(batch, doomed).map_err(unfit)?;
    let schema = rows.schema();
    let mut fields = schema.fields().to_vec();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in fields.iter().zip(rows.columns()) {
        let empty = [VALUE, EXPIRES_AT].contains(&field.name().as_str());
        columns.push(if empty { new_null_array(field.data_type(), rows.num_rows()) } else { Arc::clone(column) });
    }
    fields.push(Arc::new(Field::new(DELETED, DataType::Boolean, false)));
    columns.push(Arc::new(BooleanArray::from(vec![true; rows.num_rows()])));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(unfit)
}

fn incomparable(error: ArrowError) -> Error {
    Error::InvalidInput(format!("keys cannot be compared: {error}"))
}
