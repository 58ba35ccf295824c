//! Between Rust values and Arrow columns.
//!
//! A column's type is derived from the Rust type by `serde_arrow`: field names, types and nullability end up in the
//! file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, FieldRef};
use millpond_snapshot::manifest::SchemaFields;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_arrow::schema::{SchemaLike, TracingOptions};
use serde_arrow::utils::{Item, Items};

use crate::error::Error;

/// Says in a field's metadata how its values are written, if not as a column of their own type.
const ENCODING: &str = "millpond:encoding";
const JSON: &str = "json";

/// The column called `name` for values of `T`.
///
/// A type that has no column type of its own (an enum whose variants hold data, a type that does not know its shape) is
/// written as JSON text: it can still be read by anything, but not field by field.
pub(crate) fn column<T: DeserializeOwned>(name: &str) -> Result<FieldRef, Error> {
    let options = TracingOptions::default()
        .allow_null_fields(true)
        .map_as_struct(false)
        .strings_as_large_utf8(false)
        .sequence_as_large_list(false)
        .enums_without_data_as_strings(true);
    let traced = Vec::<FieldRef>::from_type::<Item<T>>(options).ok().and_then(|fields| fields.into_iter().next());
    Ok(Arc::new(match traced.filter(|field| has_column(field.data_type())) {
        Some(field) => Field::clone(&field).with_name(name),
        None => {
            let metadata = HashMap::from([(ENCODING.to_owned(), JSON.to_owned())]);
            Field::new(name, DataType::Utf8, false).with_metadata(metadata)
        }
    }))
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
    let failed = |error: &dyn std::fmt::Display| Error::job(format!("column '{}': {error}", field.name()));
    if is_json(field) {
        let texts: Result<Vec<String>, _> = values.iter().map(serde_json::to_string).collect();
        return Ok(Arc::new(StringArray::from(texts.map_err(|error| failed(&error))?)));
    }
    let mut arrays = serde_arrow::to_arrow(&item(field), Items(values)).map_err(|error| failed(&error))?;
    arrays.pop().ok_or_else(|| Error::job("a column was lost while encoding"))
}

/// Turns one column into values.
pub(crate) fn decode<T: DeserializeOwned>(field: &FieldRef, array: &ArrayRef) -> Result<Vec<T>, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::snapshot(format!("column '{}': {error}", field.name()));
    if is_json(field) {
        let texts = array.as_any().downcast_ref::<StringArray>().ok_or_else(|| failed(&"it is not text"))?;
        let values = texts.iter().map(|text| serde_json::from_str(text.unwrap_or("null")));
        return values.collect::<Result<_, _>>().map_err(|error| failed(&error));
    }
    let values: Result<Items<Vec<T>>, _> = serde_arrow::from_arrow(&item(field), &[Arc::clone(array)]);
    values.map(|Items(values)| values).map_err(|error| failed(&error))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Point,
        Circle(u32),
        Box { width: u32, name: Option<String> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        id: u64,
        name: Option<String>,
        list: Vec<i32>,
        map: BTreeMap<u32, String>,
        pair: (u8, bool),
    }

    /// Writes values as a column of a chunk, reads the chunk, and compares.
    fn survives<T: StateValue + Debug + PartialEq>(values: Vec<T>, json: bool) {
        let field = nullable(&column::<T>("value").unwrap());
        assert_eq!(is_json(&field), json, "{field:?}");
        fields(Arc::clone(&field)).unwrap();
        let hashes: ArrayRef = Arc::new(arrow_array::UInt64Array::from_iter_values(0..values.len() as u64));
        let hash = Arc::new(Field::new("hash", DataType::UInt64, false));
        let key = Arc::new(Field::new("key", DataType::UInt64, false));
        let schema = Arc::new(arrow_schema::Schema::new(vec![hash, key, Arc::clone(&field)]));
        let columns = vec![Arc::clone(&hashes), hashes, encode(&field, &values).unwrap()];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, ChunkReader, StateKind, encode_chunk};
        let range = millpond_snapshot::hash::HashRange::FULL;
        let meta = ChunkMeta { job: "j".parse().unwrap(), state: StateKind::Value, kind: ChunkKind::Base, range };
        let chunk = encode_chunk(&schema, [batch], &meta).unwrap();
        let reader = ChunkReader::new(chunk.bytes.clone(), &chunk.reference(), StateKind::Value, range).unwrap();
        let read: Vec<T> =
            reader.flat_map(|batch| decode_column::<T>(&batch.unwrap(), "value").unwrap()).collect();
        assert_eq!(read, values);
    }

    #[test]
    fn values_of_every_shape_survive_a_chunk() {
        survives(vec![1_u64, u64::MAX], false);
        survives(vec![Some(1.5_f64), None], false);
        survives(vec!["a".to_owned(), String::new()], false);
        survives(vec![(), ()], false);
        survives(vec![(1_i8, 'x', true)], false);
        survives(vec![vec![1_u16], vec![]], false);
        let map = BTreeMap::from([(7, "seven".to_owned())]);
        let row = Row { id: 1, name: None, list: vec![-1, 2], map, pair: (3, true) };
        survives(vec![row.clone(), Row { name: Some("n".to_owned()), ..row }], false);
    }

    #[test]
    fn what_has_no_column_is_written_as_text() {
        let named = Shape::Box { width: 2, name: Some("b".to_owned()) };
        survives(vec![Shape::Point, Shape::Circle(1), named], true);
        survives(vec![serde_json::json!({"any": [1, "thing"]}), serde_json::json!(null)], true);
    }
}
