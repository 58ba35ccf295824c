//! What went wrong with a query, in words.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::failure::Failure;

/// The failure that an error of DataFusion's is, with the next step where there is one.
pub(super) fn failure(error: &DataFusionError, memory_mib: usize) -> Failure {
    let root = error.find_root();
    Failure::Query(match root {
        DataFusionError::External(error) => error.to_string(),
        DataFusionError::ResourcesExhausted(_) => format!(
            "the query needs more than the {memory_mib} MiB of memory that it may use, and cannot put more aside on disk; \
             give it more with --memory, or ask for less: fewer groups, fewer or narrower columns, a filter before a join"
        ),
        DataFusionError::SQL(error, _) => format!("this is not SQL that can be understood: {error}"),
        DataFusionError::SchemaError(error, _) if matches!(**error, SchemaError::FieldNotFound { .. }) => {
            no_column(error)
        }
        DataFusionError::SchemaError(error, _) => format!("the query does not fit the tables: {error}"),
        DataFusionError::Plan(reason) => format!("the query does not fit the tables: {reason}"),
        other => format!("the query cannot be answered: {}", other.strip_backtrace()),
    })
}

fn no_column(error: &SchemaError) -> String {
    let SchemaError::FieldNotFound { field, valid_fields } = error else {
        return error.to_string();
    };
    let names: Vec<String> = valid_fields.iter().map(|column| column.quoted_flat_name()).collect();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("there is no column {}; here are {there} (case counts in the names of columns)", field.flat_name())
}
