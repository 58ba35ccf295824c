//! Which columns the rows of a state have: what the manifest says, and what the types of the rows say.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::row::StateRow;
use crate::chunk::{EXPIRES_AT, HASH, MAP_KEY, StateKind, TIMESTAMP};
use crate::hash::key_hash;
use crate::manifest::{SchemaFields, StateSnapshot};
use crate::repository::StateId;
use crate::state::hashes;
use crate::typed;
use crate::{Error, Result};

/// The columns of a keyed state.
#[derive(Clone)]
pub(super) struct Shape {
    pub(super) at: StateId,
    pub(super) kind: StateKind,
    /// Key, map key and value, as far as the kind has them: as a manifest says them.
    fields: Vec<FieldRef>,
    /// Those of a base chunk.
    pub(super) schema: SchemaRef,
    expires: bool,
}

/// The fields of key, map key and value that a manifest has for a state.
fn of_manifest(state: &StateSnapshot) -> Vec<FieldRef> {
    let schemas = [&state.key_schema, &state.map_key_schema, &state.value_schema];
    schemas.into_iter().flatten().flat_map(|schema| schema.fields().iter().cloned()).collect()
}

impl Shape {
    /// The columns of a state that rows of type `R` are read from.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the state is of another kind, or has columns of other types.
    pub(super) fn of<R: StateRow>(at: StateId, state: &StateSnapshot) -> Result<Shape> {
        if !R::KINDS.contains(&state.kind) {
            let kinds: Vec<&str> = R::KINDS.iter().map(|kind| kind.as_str()).collect();
            return Err(Error::InvalidInput(format!(
                "{at} is {} state, and the rows that were asked for are those of {} state",
                state.kind,
                kinds.join(", ")
            )));
        }
        let (found, wanted) = (of_manifest(state), R::columns()?);
        if !same(&found, &wanted) {
            return Err(Error::InvalidInput(format!(
                "{at} has {}, and was asked for as {}; give the types that the job has, and change them with map",
                words(&found, &wanted),
                words(&wanted, &found)
            )));
        }
        Ok(Shape::new(at, state.kind, found, state.ttl_ms.is_some()))
    }

    /// The columns of rows of type `R`, said as `old` says them where they are the same.
    pub(super) fn for_rows<R: StateRow>(
        at: StateId,
        kind: StateKind,
        expires: bool,
        old: Option<&Shape>,
    ) -> Result<Shape> {
        let wanted = R::columns()?;
        let fields = match old {
            Some(old) if same(&old.fields, &wanted) => old.fields.clone(),
            _ => wanted,
        };
        Ok(Shape::new(at, kind, fields, expires))
    }

    fn new(at: StateId, kind: StateKind, fields: Vec<FieldRef>, expires: bool) -> Shape {
        let mut columns = vec![Arc::new(Field::new(HASH, DataType::UInt64, false))];
        match kind {
            StateKind::Timers => {
                columns.extend(fields.iter().cloned());
                columns.push(Arc::new(Field::new(TIMESTAMP, DataType::Int64, false)));
            }
            _ => {
                let (value, keys) =
                    fields.split_last().map_or((None, &[][..]), |(value, keys)| (Some(value), keys));
                columns.extend(keys.iter().cloned());
                // Deltas that follow have tombstones, and all chunks of a state have the same columns.
                columns.extend(value.map(typed::nullable));
            }
        }
        if expires {
            columns.push(Arc::new(Field::new(EXPIRES_AT, DataType::Int64, true)));
        }
        Shape { at, kind, fields, schema: Arc::new(Schema::new(columns)), expires }
    }

    /// Says the columns in a manifest.
    pub(super) fn describe(&self, state: &mut StateSnapshot) -> Result<()> {
        let mut schemas = self
            .fields
            .iter()
            .map(|field| SchemaFields::new(vec![Arc::clone(field)]))
            .collect::<Result<Vec<_>>>()?;
        state.value_schema = if self.kind == StateKind::Timers { None } else { schemas.pop() };
        state.map_key_schema = if self.kind == StateKind::Map { schemas.pop() } else { None };
        state.key_schema = schemas.pop();
        Ok(())
    }

    /// The rows of a batch that was read.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if their keys do not hash as the job's do: they would be written to where the job does
    /// not look for them. And if keys of maps are written otherwise than they were read, so that two may have become one.
    pub(super) fn rows<R: StateRow>(&self, batch: &RecordBatch) -> Result<Vec<R>> {
        let rows = R::decode(batch)?;
        for (row, hash) in rows.iter().zip(hashes(batch)) {
            if key_hash(row.key()).ok() != Some(*hash) {
                return Err(Error::InvalidInput(format!(
                    "{}: the key of {} has another hash in the type that was asked for than in the job's; give the type that the job has",
                    self.at,
                    row.unit()
                )));
            }
        }
        if let (StateKind::Map, Some(stored)) = (self.kind, batch.column_by_name(MAP_KEY)) {
            let written = self.columns(&rows)?;
            let respelled = written.get(1).and_then(|written| typed::first_difference(stored, written));
            if let Some(row) = respelled.and_then(|row| rows.get(row)) {
                return Err(self.unfit(&format!(
                    "the map key of {} is written otherwise in the type that was asked for than in the job's; give the type \
                     that the job has",
                    row.unit()
                )));
            }
        }
        Ok(rows)
    }

    /// The columns behind the hash, without expiry.
    fn columns<R: StateRow>(&self, rows: &[R]) -> Result<Vec<ArrayRef>> {
        let fields: Vec<FieldRef> = self.schema.fields().iter().skip(1).cloned().collect();
        R::encode(&fields, rows)
    }

    /// Rows as a batch, in the order given.
    pub(super) fn batch<R: StateRow>(&self, rows: &[R]) -> Result<RecordBatch> {
        let hashes = rows.iter().map(|row| key_hash(row.key())).collect::<std::result::Result<Vec<_>, _>>();
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(UInt64Array::from(hashes.map_err(|error| self.unfit(&error))?))];
        columns.extend(self.columns(rows)?);
        let expiries = rows.iter().map(StateRow::expires_at);
        if self.expires {
            columns.push(Arc::new(Int64Array::from_iter(expiries)));
        } else if let Some(row) = rows.iter().find(|row| row.expires_at().is_some()) {
            return Err(
                self.unfit(&format!("the row of {} expires, and the state has no time to live", row.unit()))
            );
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| self.unfit(&error))
    }

    /// Why rows cannot be those of the state.
    pub(super) fn unfit(&self, why: &dyn std::fmt::Display) -> Error {
        Error::InvalidInput(format!("{}: {why}", self.at))
    }
}

/// Whether columns hold the same types, written the same way.
fn same(a: &[FieldRef], b: &[FieldRef]) -> bool {
    let type_of = |field: &FieldRef| (field.data_type().clone(), field.metadata().clone());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| type_of(a) == type_of(b))
}

/// Columns in words; where `other` says the same of each, what tells them apart nevertheless.
fn words(fields: &[FieldRef], other: &[FieldRef]) -> String {
    let types = |fields: &[FieldRef]| fields.iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    let alike = types(fields) == types(other);
    let fields = fields.iter().map(|field| match (alike, typed::renamed(field)) {
        (false, _) => format!("{} {}", field.name(), field.data_type()),
        (true, None) => format!("{} {}", field.name(), typed::Shape::of_column(field)),
        (true, Some(renamed)) => {
            format!(
                "{} {} (read by other names than written: {renamed})",
                field.name(),
                typed::Shape::of_column(field)
            )
        }
    });
    fields.collect::<Vec<_>>().join(", ")
}
