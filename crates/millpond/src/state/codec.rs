//! Between Rust values and Arrow columns.
//!
//! A column's type is derived from the Rust type by `serde_arrow`. A record or a key may be any `serde` type that has
//! a fixed shape; field names, types and nullability end up in the file.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, FieldRef};
use millpond_snapshot::manifest::SchemaFields;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_arrow::schema::{SchemaLike, TracingOptions};
use serde_arrow::utils::{Item, Items};

use crate::error::Error;

/// The column called `name` for values of `T`.
pub(crate) fn column<T: DeserializeOwned>(name: &str) -> Result<FieldRef, Error> {
    let options = TracingOptions::default()
        .allow_null_fields(true)
        .map_as_struct(false)
        .strings_as_large_utf8(false)
        .sequence_as_large_list(false)
        .enums_without_data_as_strings(true);
    let fields = Vec::<FieldRef>::from_type::<Item<T>>(options).map_err(|error| {
        Error::job(format!(
            "the type {} has no column schema: {error}. State needs types of a fixed shape: structs, enums, Option, Vec, maps, \
             strings, numbers and tuples of them",
            std::any::type_name::<T>()
        ))
    })?;
    let field = fields.into_iter().next().ok_or_else(|| Error::job("a column schema without a column"))?;
    Ok(Arc::new(Field::clone(&field).with_name(name)))
}

/// The schema of `T` as a plan and a manifest say it.
pub(crate) fn schema<T: DeserializeOwned>(name: &str) -> Result<SchemaFields, Error> {
    fields(column::<T>(name)?)
}

/// One column as a plan and a manifest say it.
pub(crate) fn fields(field: FieldRef) -> Result<SchemaFields, Error> {
    SchemaFields::new(vec![field]).map_err(Error::job)
}

/// `field` for an item column, as `serde_arrow` wants it to be named.
fn item(field: &FieldRef) -> [FieldRef; 1] {
    [Arc::new(Field::clone(field).with_name("item"))]
}

/// Turns values into one column.
pub(crate) fn encode<T: Serialize>(field: &FieldRef, values: &[T]) -> Result<ArrayRef, Error> {
    let mut arrays = serde_arrow::to_arrow(&item(field), Items(values))
        .map_err(|error| Error::job(format!("column '{}': {error}", field.name())))?;
    arrays.pop().ok_or_else(|| Error::job("a column was lost while encoding"))
}

/// Turns one column into values.
pub(crate) fn decode<T: DeserializeOwned>(field: &FieldRef, array: &ArrayRef) -> Result<Vec<T>, Error> {
    let Items(values): Items<Vec<T>> = serde_arrow::from_arrow(&item(field), &[Arc::clone(array)])
        .map_err(|error| Error::snapshot(format!("column '{}': {error}", field.name())))?;
    Ok(values)
}

/// Turns the column called `name` of a batch into values.
pub(crate) fn decode_column<T: DeserializeOwned>(batch: &RecordBatch, name: &str) -> Result<Vec<T>, Error> {
    let (index, field) = batch
        .schema_ref()
        .column_with_name(name)
        .ok_or_else(|| Error::snapshot(format!("a chunk has no column '{name}'")))?;
    decode(&Arc::new(field.clone()), batch.column(index))
}

/// The same field, nullable: a tombstone has no value.
pub(crate) fn nullable(field: &FieldRef) -> FieldRef {
    Arc::new(Field::clone(field).with_nullable(true))
}

/// What can be in a column of keyed state.
pub trait StateValue: Clone + Serialize + for<'a> Deserialize<'a> + Send + 'static {}
impl<T: Clone + Serialize + for<'a> Deserialize<'a> + Send + 'static> StateValue for T {}
