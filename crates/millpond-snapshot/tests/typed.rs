//! Rust values survive a chunk.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};
use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, ChunkReader, StateKind, encode_chunk};
use millpond_snapshot::manifest::SchemaFields;
use millpond_snapshot::typed::{column, column_of, decode, decode_column, encode, nullable};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

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
fn survives<T: Serialize + DeserializeOwned + Debug + PartialEq>(values: Vec<T>, json: bool) {
    let field = nullable(&column::<T>("value").unwrap());
    assert_eq!(field.metadata().contains_key("millpond:encoding"), json, "{field:?}");
    SchemaFields::new(vec![Arc::clone(&field)]).unwrap();
    let hashes: ArrayRef = Arc::new(arrow_array::UInt64Array::from_iter_values(0..values.len() as u64));
    let hash = Arc::new(Field::new("hash", DataType::UInt64, false));
    let key = Arc::new(Field::new("key", DataType::UInt64, false));
    let schema = Arc::new(arrow_schema::Schema::new(vec![hash, key, Arc::clone(&field)]));
    let columns = vec![Arc::clone(&hashes), hashes, encode(&field, &values).unwrap()];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let range = millpond_snapshot::hash::HashRange::FULL;
    let meta = ChunkMeta { job: "j".parse().unwrap(), state: StateKind::Value, kind: ChunkKind::Base, range };
    let chunk = encode_chunk(&schema, [batch], &meta).unwrap();
    let reader = ChunkReader::new(chunk.bytes.clone(), &chunk.reference(), StateKind::Value, range).unwrap();
    let read: Vec<T> = reader.flat_map(|batch| decode_column::<T>(&batch.unwrap(), "value").unwrap()).collect();
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
    survives(vec![json!({"any": [1, "thing"]}), json!(null)], true);
}

#[test]
fn values_of_unknown_type_get_the_type_that_they_have_in_common() {
    let of = |values: Vec<serde_json::Value>| {
        let field = column_of("value", &values);
        let array = encode(&field, &values).unwrap();
        assert_eq!(decode::<serde_json::Value>(&field, &array).unwrap(), values);
        field.data_type().clone()
    };
    assert_eq!(of(vec![json!(u64::MAX), json!(1)]), DataType::UInt64);
    assert_eq!(of(vec![json!(i64::MIN), json!(1)]), DataType::Int64);
    assert_eq!(of(vec![json!("a"), json!(null)]), DataType::Utf8);
    assert!(matches!(of(vec![json!({"at": 1}), json!({"at": 2})]), DataType::Struct(_)));
    assert_eq!(of(vec![json!(1), json!("one"), json!({"one": 1})]), DataType::Utf8);
}
