//! Rows of keyed state, from Arrow to what people and programs read.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use millpond_snapshot::RecordBatch;
use millpond_snapshot::arrow_schema::{ArrowError, DataType};
use millpond_snapshot::chunk::{EXPIRES_AT, HASH, KEY, MAP_KEY, TIMESTAMP, VALUE};
use serde_json::{Map, Value};

/// The first row of a batch: its columns but for the hash.
pub(super) fn first(batch: &RecordBatch) -> Result<Map<String, Value>, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).filter(|(field, _)| field.name() != HASH);
    columns.map(|(field, column)| Ok((field.name().replace('_', "-"), value(column, 0)?))).collect()
}

/// What a row is about: its key, and what else tells it from others of the key.
pub(super) fn unit(row: &Map<String, Value>) -> String {
    let parts = [KEY, MAP_KEY, TIMESTAMP].into_iter().filter_map(|name| row.get(&name.replace('_', "-")));
    parts.map(Value::to_string).collect::<Vec<_>>().join(", ")
}

/// What a row says about it; `None` if that it is there is all, as with timers.
pub(super) fn content(row: &Map<String, Value>) -> Option<String> {
    let value = row.get(VALUE)?;
    Some(match row.get(&EXPIRES_AT.replace('_', "-")) {
        None | Some(Value::Null) => value.to_string(),
        Some(expires) => format!("{value} (expires at {expires})"),
    })
}

/// A cell as text: JSON but for text itself, which is as it is, and for nothing, which is empty.
pub(super) fn cell(array: &ArrayRef, at: usize) -> Result<String, ArrowError> {
    Ok(match value(array, at)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// An element of an array as JSON. Numbers that JSON has no number for, and types that it does not have, are text.
pub(super) fn value(array: &ArrayRef, at: usize) -> Result<Value, ArrowError> {
    if array.is_null(at) {
        return Ok(Value::Null);
    }
    let all = |items: &ArrayRef| (0..items.len()).map(|at| value(items, at)).collect::<Result<Vec<_>, _>>();
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(at).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(at).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(at).into(),
        DataType::Utf8 => array.as_string::<i32>().value(at).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(at).into(),
        DataType::List(_) => all(&array.as_list::<i32>().value(at))?.into(),
        DataType::LargeList(_) => all(&array.as_list::<i64>().value(at))?.into(),
        DataType::FixedSizeList(..) => all(&array.as_fixed_size_list().value(at))?.into(),
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            columns
                .map(|(field, column)| Ok((field.name().clone(), value(column, at)?)))
                .collect::<Result<Map<_, _>, ArrowError>>()?
                .into()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(at);
            let pair = |at| entries.columns().iter().map(|part| value(part, at)).collect::<Result<Vec<_>, _>>();
            (0..entries.len()).map(|at| pair(at).map(Value::from)).collect::<Result<Vec<_>, _>>()?.into()
        }
        DataType::Union(variants, _) => {
            let union = array.as_union();
            let id = union.type_id(at);
            let name = variants.iter().find(|(variant, _)| *variant == id).map(|(_, field)| field.name().clone());
            let name = name.unwrap_or_default();
            match value(&union.value(at), 0)? {
                Value::Null => name.into(),
                inner => Map::from_iter([(name, inner)]).into(),
            }
        }
        data_type => {
            let text = ArrayFormatter::try_new(array, &FormatOptions::default())?.value(at).try_to_string()?;
            let number = data_type.is_numeric().then(|| serde_json::from_str(&text).ok()).flatten();
            number.unwrap_or(Value::String(text))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray, StructArray, UInt64Array};
    use millpond_snapshot::arrow_schema::Field;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_its_columns_as_json() {
        let field = |name, t| Arc::new(Field::new(name, t, true));
        let value: ArrayRef = Arc::new(StructArray::from(vec![
            (field("sum", DataType::Int64), Arc::new(Int64Array::from(vec![-5])) as ArrayRef),
            (field("mean", DataType::Float64), Arc::new(Float64Array::from(vec![f64::NAN])) as ArrayRef),
            (field("note", DataType::Utf8), Arc::new(StringArray::from(vec![None::<&str>])) as ArrayRef),
        ]));
        let key: ArrayRef = Arc::new(StringArray::from(vec!["12"]));
        let map_key: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        let hash: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
        let batch =
            RecordBatch::try_from_iter([("hash", hash), ("key", key), ("map_key", map_key), ("value", value)]);
        let row = first(&batch.unwrap()).unwrap();
        let expected = json!({
            "key": "12", "map-key": u64::MAX, "value": { "sum": -5, "mean": "NaN", "note": null },
        });
        assert_eq!(Value::from(row.clone()), expected);
        assert_eq!(unit(&row), r#""12", 18446744073709551615"#);
        assert_eq!(content(&row).unwrap(), r#"{"mean":"NaN","note":null,"sum":-5}"#);
    }
}
