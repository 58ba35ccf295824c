//! What went wrong with a query, in words.

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
        DataFusionError::SchemaError(error, _) => format!("the query does not fit the tables: {error}"),
        DataFusionError::Plan(reason) => format!("the query does not fit the tables: {reason}"),
        other => format!("the query failed: {}", other.strip_backtrace()),
    })
}
