//! Between Rust values and the columns of a chunk.
//!
//! A column's type is derived from the Rust type by `serde_arrow`: field names, types and nullability end up in the
//! file. What has no column of its own is JSON text.
//!
//! ```
//! use millpond_snapshot::typed;
//! # fn main() -> millpond_snapshot::Result<()> {
//! let field = typed::column::<u64>("value")?;
//! let array = typed::encode(&field, &[3_u64, 4])?;
//! assert_eq!(typed::decode::<u64>(&field, &array)?, [3, 4]);
//! # Ok(())
//! # }
//! ```

mod direct;
mod names;
mod probe;
mod shape;
mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, FieldRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_arrow::schema::{SchemaLike, TracingOptions};
use serde_arrow::utils::{Item, Items};

use crate::{Error, Result};

pub use names::renamed;
pub use probe::shape_of;
pub use shape::{FieldShape, Shape, StructShape, VariantShape};
pub use tree::Tree;

/// Says in a field's metadata how its values are written, if not as a column of their own type.
const ENCODING: &str = "millpond:encoding";
const JSON: &str = "json";
/// Says in a field's metadata what its values look like, where the columns do not.
const SHAPE: &str = "millpond:shape";

/// The column called `name` for values of `T`.
///
/// A type that has no column type of its own (an enum whose variants hold data, a type that does not know its shape) is
/// written as JSON text: it can still be read by anything, but not field by field.
///
/// # Errors
/// None today; the signature leaves room for types that can be neither.
pub fn column<T: DeserializeOwned>(name: &str) -> Result<FieldRef> {
    let traced = Vec::<FieldRef>::from_type::<Item<T>>(tracing().map_as_struct(false));
    let shape = shape_of::<T>();
    // `serde_arrow` takes a field with another name for two, and gives up.
    let field = match traced {
        Ok(fields) => typed(name, fields),
        Err(_) => shape.column(name).filter(|field| has_column(field.data_type())).map(Arc::new),
    };
    let mut field = Field::clone(&field.unwrap_or_else(|| json_column(name)));
    let shape = shape.stored();
    if shape != Shape::Unknown && shape != Shape::of_column(&field) {
        let text = serde_json::to_string(&shape)
            .map_err(|error| Error::InvalidInput(format!("the shape of column '{name}': {error}")))?;
        let mut metadata = field.metadata().clone();
        metadata.insert(SHAPE.to_owned(), text);
        field.set_metadata(metadata);
    }
    Ok(Arc::new(field))
}

/// The column called `name` for keys, or keys of maps, of type `K`. Besides what [`column`](fn@column) says, its metadata says which
/// names of variants are read and written as others: that is a key's identity, and no shape shows it.
///
/// # Errors
/// As [`column`](fn@column).
pub fn key_column<K: Serialize + DeserializeOwned>(name: &str) -> Result<FieldRef> {
    Ok(names::note::<K>(column::<K>(name)?))
}

/// The column called `name` for JSON values of which nobody has said the type: the one that they have in common, or else
/// JSON text.
pub fn column_of(name: &str, values: &[serde_json::Value]) -> FieldRef {
    let traced = Vec::<FieldRef>::from_samples(Items(values), tracing().coerce_numbers(true));
    traced.ok().and_then(|fields| typed(name, fields)).unwrap_or_else(|| json_column(name))
}

/// The column called `name` whose values are JSON text, whatever they are.
pub fn json_column(name: &str) -> FieldRef {
    let metadata = HashMap::from([(ENCODING.to_owned(), JSON.to_owned())]);
    Arc::new(Field::new(name, DataType::Utf8, false).with_metadata(metadata))
}

fn tracing() -> TracingOptions {
    TracingOptions::default()
        .allow_null_fields(true)
        .strings_as_large_utf8(false)
        .sequence_as_large_list(false)
        .enums_without_data_as_strings(true)
}

/// The one field that was traced, if Parquet has a column for it.
fn typed(name: &str, fields: Vec<FieldRef>) -> Option<FieldRef> {
    let field = fields.into_iter().next().filter(|field| has_column(field.data_type()))?;
    Some(Arc::new(Field::clone(&field).with_name(name)))
}

/// Whether Parquet has a column for a type.
fn has_column(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) => false,
        DataType::Struct(fields) => !fields.is_empty() && fields.iter().all(|field| has_column(field.data_type())),
        DataType::List(field) | DataType::LargeList(field) | DataType::Map(field, _) => {
            has_column(field.data_type())
        }
        DataType::FixedSizeList(field, _) => has_column(field.data_type()),
        _ => true,
    }
}

fn is_json(field: &Field) -> bool {
    field.metadata().get(ENCODING).is_some_and(|encoding| encoding == JSON)
}

/// `field` for an item column, as `serde_arrow` wants it to be named.
fn item(field: &FieldRef) -> [FieldRef; 1] {
    [Arc::new(Field::clone(field).with_name("item"))]
}

/// Turns values into one column.
///
/// # Errors
/// [`Error::InvalidInput`] if a value does not fit the column.
pub fn encode<T: Serialize>(field: &FieldRef, values: &[T]) -> Result<ArrayRef> {
    let failed =
        |error: &dyn std::fmt::Display| Error::InvalidInput(format!("column '{}': {error}", field.name()));
    if is_json(field) {
        let texts: std::result::Result<Vec<String>, _> = values.iter().map(serde_json::to_string).collect();
        return Ok(Arc::new(StringArray::from(texts.map_err(|error| failed(&error))?)));
    }
    if let Some(array) = direct::encode(field, values) {
        return Ok(array);
    }
    let mut arrays = through_serde_arrow(field, values).map_err(|error| failed(&error))?;
    arrays.pop().ok_or_else(|| Error::InvalidInput("a column was lost while encoding".to_owned()))
}

fn through_serde_arrow<T: Serialize>(field: &FieldRef, values: &[T]) -> serde_arrow::Result<Vec<ArrayRef>> {
    serde_arrow::to_arrow(&item(field), Items(values))
}

/// Turns one column into values.
///
/// # Errors
/// [`Error::InvalidInput`] if a row does not fit the type.
pub fn decode<T: DeserializeOwned>(field: &FieldRef, array: &ArrayRef) -> Result<Vec<T>> {
    let failed =
        |error: &dyn std::fmt::Display| Error::InvalidInput(format!("column '{}': {error}", field.name()));
    if is_json(field) {
        let texts = array.as_any().downcast_ref::<StringArray>().ok_or_else(|| failed(&"it is not text"))?;
        let values = texts.iter().map(|text| serde_json::from_str(text.unwrap_or("null")));
        return values.collect::<std::result::Result<_, _>>().map_err(|error| failed(&error));
    }
    let values: std::result::Result<Items<Vec<T>>, _> =
        serde_arrow::from_arrow(&item(field), &[Arc::clone(array)]);
    values.map(|Items(values)| values).map_err(|error| failed(&error))
}

/// Turns the column called `name` of a batch into values.
///
/// # Errors
/// [`Error::InvalidInput`] if there is no such column, or a row does not fit the type.
pub fn decode_column<T: DeserializeOwned>(batch: &RecordBatch, name: &str) -> Result<Vec<T>> {
    let (index, field) = batch
        .schema_ref()
        .column_with_name(name)
        .ok_or_else(|| Error::InvalidInput(format!("a chunk has no column '{name}'")))?;
    decode(&Arc::new(field.clone()), batch.column(index))
}

/// The first row of a column whose value, which was read from it, is written otherwise: a type may hide a conversion that no
/// column shows. What is found by such a value is not what the column has, and two rows may have become one.
///
/// # Errors
/// [`Error::InvalidInput`] if a value does not fit the column.
pub fn first_respelled<T: Serialize>(field: &FieldRef, array: &ArrayRef, values: &[T]) -> Result<Option<usize>> {
    Ok(first_difference(array, &encode(field, values)?))
}

/// The first row in which two columns of one type differ.
pub(crate) fn first_difference(one: &ArrayRef, other: &ArrayRef) -> Option<usize> {
    if one.to_data() == other.to_data() {
        return None;
    }
    let differs = |row: &usize| one.slice(*row, 1).to_data() != other.slice(*row, 1).to_data();
    (0..one.len().min(other.len())).find(differs)
}

/// The same field, nullable: a tombstone has no value.
pub fn nullable(field: &FieldRef) -> FieldRef {
    Arc::new(Field::clone(field).with_nullable(true))
}
