//! Between Rust values and columns, with the engine's errors: what cannot be written is the job's fault, what cannot be
//! read is the snapshot's.

use std::any::TypeId;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::FieldRef;
use millpond_snapshot::manifest::SchemaFields;
use millpond_snapshot::typed;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

pub(crate) use millpond_snapshot::typed::nullable;

/// The column called `name` for values of `T`.
pub(crate) fn column<T: DeserializeOwned>(name: &str) -> Result<FieldRef, Error> {
    typed::column::<T>(name).map_err(Error::job)
}

/// The schema of `T` as a plan and a manifest say it.
pub(crate) fn schema<T: DeserializeOwned>(name: &str) -> Result<SchemaFields, Error> {
    fields(column::<T>(name)?)
}

/// The column called `name` for keys of type `K`, in a table of keys, a map or broadcast state.
pub(crate) fn key_column<K: Serialize + DeserializeOwned>(name: &str) -> Result<FieldRef, Error> {
    typed::key_column::<K>(name).map_err(Error::job)
}

/// The schema of keys of type `K` as a plan and a manifest say it.
pub(crate) fn key_schema<K: Serialize + DeserializeOwned>(name: &str) -> Result<SchemaFields, Error> {
    fields(key_column::<K>(name)?)
}

/// One column as a plan and a manifest say it.
pub(crate) fn fields(field: FieldRef) -> Result<SchemaFields, Error> {
    SchemaFields::new(vec![field]).map_err(Error::job)
}

/// Turns values into one column.
pub(crate) fn encode<T: Serialize>(field: &FieldRef, values: &[T]) -> Result<ArrayRef, Error> {
    typed::encode(field, values).map_err(Error::job)
}

/// Turns the column called `name` of a batch into values.
pub(crate) fn decode_column<T: DeserializeOwned>(batch: &RecordBatch, name: &str) -> Result<Vec<T>, Error> {
    typed::decode_column(batch, name).map_err(Error::snapshot)
}

/// That keys of maps, which were read from the column called `name`, are written as they stand there. A conversion of the
/// job's own that has changed, or a variant's name that was not found, makes another key of what is there: the old entry would
/// stay beside the new one, and which of them counts at the next restore would be chance.
pub(crate) fn are_as_stored<M: StateValue>(keys: &[M], batch: &RecordBatch, name: &str) -> Result<(), Error> {
    if is_written_plainly::<M>() {
        return Ok(());
    }
    let Some((place, field)) = batch.schema_ref().column_with_name(name) else { return Ok(()) };
    let column = batch.column(place);
    let respelled = typed::first_respelled(&Arc::new(field.clone()), column, keys).map_err(Error::job)?;
    let Some(row) = respelled else { return Ok(()) };
    let text = |column: &str| {
        let value = typed::decode_column::<serde_json::Value>(&batch.slice(row, 1), column).ok()?.pop()?;
        Some(value.to_string())
    };
    Err(Error::snapshot(format!(
        "key {}: map key {} is written as {} in this program: it writes keys of the map otherwise than the one that took the \
         snapshot, though their types look the same. Give the type of the map key another shape, say a struct with a new \
         field name, and turn old ones into new ones with .migrate_map_key(…)",
        text("key").unwrap_or_else(|| "?".to_owned()),
        text(name).unwrap_or_else(|| "?".to_owned()),
        keys.get(row).and_then(|key| serde_json::to_string(key).ok()).unwrap_or_else(|| "?".to_owned())
    )))
}

/// Whether a type is known to hide nothing.
fn is_written_plainly<T: 'static>() -> bool {
    macro_rules! is_one_of {
        ($($known:ty),*) => { [$(TypeId::of::<$known>()),*].contains(&TypeId::of::<T>()) };
    }
    is_one_of!(String, bool, char, u8, u16, u32, u64, i8, i16, i32, i64)
}

/// What can be in a column of keyed state.
pub trait StateValue: Clone + Serialize + for<'a> Deserialize<'a> + Send + 'static {}
impl<T: Clone + Serialize + for<'a> Deserialize<'a> + Send + 'static> StateValue for T {}
