//! The state of an operator as a table: its rows stand in the manifest, as JSON.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use millpond_snapshot::arrow_schema::{Field, FieldRef, Schema};
use millpond_snapshot::chunk::{KEY, VALUE};
use millpond_snapshot::manifest::{SchemaFields, StateSnapshot};
use millpond_snapshot::{Error, RecordBatch, typed};
use serde_json::Value;

/// A table of a column `value`, and, of a broadcast state that says what its keys are, a column `key` before it.
pub(super) fn table(state: &StateSnapshot, label: &str) -> Result<Arc<dyn TableProvider>, Error> {
    let rows = state.rows_inline.as_deref().unwrap_or_default();
    let columns = match &state.key_schema {
        Some(keys) => {
            let entry = |row: &Value| match row.as_array().map(Vec::as_slice) {
                Some([key, value]) => Ok((key.clone(), value.clone())),
                _ => Err(Error::InvalidInput(format!(
                    "table {label} cannot be read: a row of broadcast state is a key and a value, found {row}; \
                     `millpond snapshots show --json` has it as it is"
                ))),
            };
            let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            let (key, value): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
            vec![column(KEY, Some(keys), &key)?, column(VALUE, state.value_schema.as_ref(), &value)?]
        }
        None => vec![column(VALUE, state.value_schema.as_ref(), rows)?],
    };
    let (fields, columns): (Vec<FieldRef>, Vec<_>) = columns.into_iter().unzip();
    let unreadable =
        |error: &dyn std::fmt::Display| Error::InvalidInput(format!("table {label} cannot be read: {error}"));
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|error| unreadable(&error))?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(|error| unreadable(&error))?;
    Ok(Arc::new(table))
}

/// A column of the type that the manifest says, or else of the one that the rows have in common, or else of JSON text.
fn column(
    name: &str,
    schema: Option<&SchemaFields>,
    rows: &[Value],
) -> Result<(FieldRef, datafusion::arrow::array::ArrayRef), Error> {
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
