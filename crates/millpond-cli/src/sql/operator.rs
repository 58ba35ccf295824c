//! The state of an operator as a table: its rows stand in the manifest, as JSON.

use std::sync::Arc;

use arrow_array::ArrayRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use millpond_snapshot::arrow_schema::{Field, FieldRef, Schema};
use millpond_snapshot::chunk::{KEY, VALUE};
use millpond_snapshot::manifest::{SchemaFields, StateSnapshot};
use millpond_snapshot::{Error, RecordBatch, typed};
use serde_json::Value;

/// A table of a column `value`, and, of a broadcast state that says what its keys are, a column `key` before it.
pub(super) fn table(state: &StateSnapshot, label: &str) -> Result<Arc<dyn TableProvider>, Error> {
    let rows = rows(state).map_err(|problem| {
        Error::InvalidInput(format!(
            "table {label} cannot be read: {problem}; `millpond snapshots show --json` has it as it is"
        ))
    })?;
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]);
    Ok(Arc::new(table.map_err(|error| Error::InvalidInput(error.strip_backtrace()))?))
}

fn rows(state: &StateSnapshot) -> Result<RecordBatch, String> {
    let rows = state.rows_inline.as_deref().unwrap_or_default();
    let value_schema = state.value_schema.as_ref();
    let columns = match &state.key_schema {
        None => vec![column(VALUE, value_schema, rows)],
        Some(keys) => {
            let entries = rows.iter().map(|row| match row.as_array().map(Vec::as_slice) {
                Some([key, value]) => Ok((key.clone(), value.clone())),
                _ => Err(format!("a row of broadcast state is a key and a value, found {row}")),
            });
            let (key, value): (Vec<_>, Vec<_>) = entries.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            vec![column(KEY, Some(keys), &key), column(VALUE, value_schema, &value)]
        }
    };
    let columns = columns.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| error.to_string())
}

/// A column of the type that the manifest says, or else of the one that the rows have in common, or else of JSON text.
fn column(name: &str, schema: Option<&SchemaFields>, rows: &[Value]) -> Result<(FieldRef, ArrayRef), Error> {
    let said = schema.and_then(|schema| match &schema.fields()[..] {
        [field] => Some(Arc::new(Field::clone(field).with_name(name))),
        _ => None,
    });
    for field in said.into_iter().chain([typed::column_of(name, rows)]) {
        if let Ok(array) = typed::encode(&field, rows) {
            return Ok((field, array));
        }
    }
    let field = typed::json_column(name);
    let array = typed::encode(&field, rows)?;
    Ok((field, array))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt8Type;
    use millpond_snapshot::arrow_schema::DataType;
    use millpond_snapshot::chunk::StateKind;
    use serde_json::json;

    use super::*;

    fn state(kind: StateKind, rows: Vec<Value>) -> StateSnapshot {
        StateSnapshot {
            name: "rules".parse().unwrap(),
            kind,
            key_schema: None,
            map_key_schema: None,
            value_schema: None,
            ttl_ms: None,
            chunks: Vec::new(),
            rows_inline: Some(rows),
        }
    }

    fn fields(name: &str, data_type: DataType) -> Option<SchemaFields> {
        SchemaFields::new(vec![Field::new(name, data_type, false)]).ok()
    }

    #[test]
    fn broadcast_state_has_keys_and_values_of_the_types_that_it_says() {
        let mut rules = state(StateKind::Broadcast, vec![json!(["a", 1]), json!(["b", 2])]);
        (rules.key_schema, rules.value_schema) =
            (fields("key", DataType::LargeUtf8), fields("value", DataType::UInt8));
        let found = rows(&rules).unwrap();
        assert_eq!(found.column_by_name("key").unwrap().as_string::<i64>().value(1), "b");
        assert_eq!(found.column_by_name("value").unwrap().as_primitive::<UInt8Type>().values(), &[1, 2]);
        rules.rows_inline = Some(vec![json!("a")]);
        assert!(rows(&rules).unwrap_err().contains("found \"a\""));
    }

    #[test]
    fn rows_that_do_not_fit_their_type_or_one_another_are_text() {
        let mut mixed = state(StateKind::OperatorList, vec![json!(1), json!({"two": 2})]);
        for value_schema in [None, fields("value", DataType::UInt8)] {
            mixed.value_schema = value_schema;
            let found = rows(&mixed).unwrap();
            let texts: Vec<_> = found.column(0).as_string::<i32>().iter().flatten().collect();
            assert_eq!(texts, ["1", "{\"two\":2}"]);
        }
    }

    #[test]
    fn no_rows_are_a_table_all_the_same() {
        let found = rows(&state(StateKind::OperatorUnion, Vec::new())).unwrap();
        assert_eq!((found.num_rows(), found.schema().field(0).name().as_str()), (0, "value"));
    }
}
