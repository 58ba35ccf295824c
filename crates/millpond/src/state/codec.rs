//! Between Rust values and columns, with the engine's errors: what cannot be written is the job's fault, what cannot be
//! read is the snapshot's.

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

/// What can be in a column of keyed state.
pub trait StateValue: Clone + Serialize + for<'a> Deserialize<'a> + Send + 'static {}
impl<T: Clone + Serialize + for<'a> Deserialize<'a> + Send + 'static> StateValue for T {}
