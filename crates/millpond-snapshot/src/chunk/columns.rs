//! Which columns a chunk has, by the kind of its state.

use arrow_schema::{DataType, Schema};

use super::pages::MAX_FIXED_BYTES;
use super::{ChunkKind, StateKind};

/// The key's hash: `UInt64`, not null.
pub const HASH: &str = "hash";
/// The key: any type that can be a key, not null.
pub const KEY: &str = "key";
/// The key within a map state: not null; only there.
pub const MAP_KEY: &str = "map_key";
/// The value; null in tombstones. In all kinds but timers.
pub const VALUE: &str = "value";
/// When a timer fires: `Int64`, not null; only in timers.
pub const TIMESTAMP: &str = "timestamp";
/// When the row is to be forgotten: `Int64`, milliseconds since 1970-01-01 UTC, or null for never.
/// Only in states with a time to live.
pub const EXPIRES_AT: &str = "expires_at";
/// Whether the row is a tombstone: `Boolean`, not null; in delta chunks, and only there.
pub const DELETED: &str = "deleted";

/// Checks that a schema is one that a chunk of this kind may have; the error names the column.
pub fn check_columns(schema: &Schema, state: StateKind, chunk: ChunkKind) -> Result<(), (String, String)> {
    if !state.is_keyed() {
        return Err(("state kind".into(), format!("{state} state has no chunks")));
    }
    let expected: &[&str] = match state {
        StateKind::Timers => &[HASH, KEY, TIMESTAMP],
        StateKind::Map => &[HASH, KEY, MAP_KEY, VALUE],
        _ => &[HASH, KEY, VALUE],
    };
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut rest = names.strip_prefix(expected).ok_or_else(|| {
        let problem = format!("a chunk of {state} state begins with {expected:?}, found {names:?}");
        ("columns".to_owned(), problem)
    })?;
    if state != StateKind::Timers && rest.first() == Some(&EXPIRES_AT) {
        rest = &rest[1..];
    }
    let tail: &[&str] = if chunk == ChunkKind::Delta { &[DELETED] } else { &[] };
    if rest != tail {
        let problem = format!("a {chunk} chunk of {state} state ends with {tail:?}, found {rest:?}");
        return Err(("columns".into(), problem));
    }
    for field in schema.fields() {
        if let Some(refused) = refused_type(field.data_type()) {
            let problem = match refused {
                DataType::FixedSizeBinary(_) => {
                    format!("{refused}: a binary of fixed size has at most {MAX_FIXED_BYTES} bytes")
                }
                _ => format!("Parquet has no {refused}; say an enum as a struct of optional fields"),
            };
            return Err((format!("column {}", field.name()), problem));
        }
        let (expected, nullable) = match field.name().as_str() {
            HASH => (Some(DataType::UInt64), false),
            TIMESTAMP => (Some(DataType::Int64), false),
            EXPIRES_AT => (Some(DataType::Int64), true),
            DELETED => (Some(DataType::Boolean), false),
            KEY | MAP_KEY => (None, false),
            _ => (None, true),
        };
        if let Some(expected) = expected
            && *field.data_type() != expected
        {
            let problem = format!("expected {expected}, found {}", field.data_type());
            return Err((format!("column {}", field.name()), problem));
        }
        if field.is_nullable() && !nullable {
            let problem = "must not be nullable".to_owned();
            return Err((format!("column {}", field.name()), problem));
        }
    }
    Ok(())
}

/// A type, or a part of one, that cannot stand in a Parquet file, or in a chunk.
fn refused_type(data_type: &DataType) -> Option<&DataType> {
    use DataType as T;
    match data_type {
        T::Union(..) | T::RunEndEncoded(..) | T::ListView(_) | T::LargeListView(_) => Some(data_type),
        T::FixedSizeBinary(bytes) if *bytes > MAX_FIXED_BYTES => Some(data_type),
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::Map(item, _) => {
            refused_type(item.data_type())
        }
        T::Struct(fields) => fields.iter().find_map(|field| refused_type(field.data_type())),
        T::Dictionary(_, value) => refused_type(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::Field;

    use super::*;

    fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
        Schema::new(fields.iter().map(|(n, t, null)| Field::new(*n, t.clone(), *null)).collect::<Vec<_>>())
    }

    #[test]
    fn each_kind_has_its_columns() {
        let (u, i, b) = (DataType::UInt64, DataType::Int64, DataType::Boolean);
        let value = schema(&[(HASH, u.clone(), false), (KEY, u.clone(), false), (VALUE, u.clone(), true)]);
        assert!(check_columns(&value, StateKind::Value, ChunkKind::Base).is_ok());
        assert!(check_columns(&value, StateKind::Value, ChunkKind::Delta).is_err());
        assert!(check_columns(&value, StateKind::Map, ChunkKind::Base).is_err());
        assert!(check_columns(&value, StateKind::Broadcast, ChunkKind::Base).is_err());

        let timers = schema(&[
            (HASH, u.clone(), false),
            (KEY, u.clone(), false),
            (TIMESTAMP, i.clone(), false),
            (DELETED, b.clone(), false),
        ]);
        assert!(check_columns(&timers, StateKind::Timers, ChunkKind::Delta).is_ok());

        let ttl = schema(&[
            (HASH, u.clone(), false),
            (KEY, u.clone(), false),
            (MAP_KEY, u.clone(), false),
            (VALUE, u.clone(), true),
            (EXPIRES_AT, i, true),
            (DELETED, b, false),
        ]);
        assert!(check_columns(&ttl, StateKind::Map, ChunkKind::Delta).is_ok());
    }

    #[test]
    fn a_wrong_type_is_named() {
        let wrong =
            schema(&[(HASH, DataType::Int64, false), (KEY, DataType::Utf8, false), (VALUE, DataType::Utf8, true)]);
        let (field, problem) = check_columns(&wrong, StateKind::Value, ChunkKind::Base).unwrap_err();
        assert_eq!(field, "column hash");
        assert!(problem.contains("UInt64") && problem.contains("Int64"), "{problem}");
    }
}
