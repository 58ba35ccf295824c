//! From the names in a query to the states of a snapshot.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use millpond_snapshot::Error;
use millpond_snapshot::manifest::StateSnapshot;
use millpond_snapshot::repository::Resolved;

use super::{keyed, operator};

/// The schema of a table that is named without one.
pub(super) const NO_SCHEMA: &str = "any operator";

/// The operators of a snapshot, as schemas.
#[derive(Debug, Clone)]
pub(super) struct SnapshotCatalog {
    snapshot: Arc<Resolved>,
}

/// The states of one operator, as tables.
#[derive(Debug)]
struct OperatorSchema {
    catalog: SnapshotCatalog,
    name: String,
}

impl SnapshotCatalog {
    pub(super) fn new(snapshot: Resolved) -> std::result::Result<Self, Error> {
        snapshot.record()?;
        Ok(SnapshotCatalog { snapshot: Arc::new(snapshot) })
    }

    /// The operators' uids and their states.
    fn states(&self) -> impl Iterator<Item = (&str, &StateSnapshot)> {
        let manifest = self.snapshot.entry.snapshot().map(|record| &record.manifest);
        manifest.into_iter().flat_map(|manifest| manifest.states()).map(|(op, state)| (op.uid.as_str(), state))
    }

    /// The state that a table of this name is. Names are taken as they are written, or else without regard to case; a
    /// state whose operator is not named must be the only one of its name.
    fn state(&self, schema: &str, table: &str) -> std::result::Result<(&str, &StateSnapshot), String> {
        let states: Vec<_> = self.states().collect();
        let same: fn(&str, &str) -> bool = |a, b| a == b;
        let alike: fn(&str, &str) -> bool = |a, b| a.to_lowercase() == b.to_lowercase();
        for equal in [same, alike] {
            let named = |(uid, state): &&(&str, &StateSnapshot)| {
                (schema == NO_SCHEMA || equal(uid, schema)) && equal(state.name.as_str(), table)
            };
            match &states.iter().filter(named).collect::<Vec<_>>()[..] {
                [] => {}
                [only] => return Ok(**only),
                several => {
                    let several = list(several.iter().copied());
                    return Err(format!("{table} may be any of {several}: say which"));
                }
            }
        }
        let id = self.snapshot.entry.id();
        let name = if schema == NO_SCHEMA { table.to_owned() } else { quoted(schema, table) };
        Err(match states.is_empty() {
            true => format!("{id} has no table {name}, nor any other: its operators have no state"),
            false => format!("{id} has no table {name}; it has {}", list(states.iter())),
        })
    }

    /// The uid of the operator and the name of the state that a table is.
    pub(super) fn find(&self, schema: &str, table: &str) -> std::result::Result<(String, String), String> {
        self.state(schema, table).map(|(uid, state)| (uid.to_owned(), state.name.to_string()))
    }

    /// Whether there is such a table; the error lists those that there are.
    pub(super) fn check(&self, schema: &str, table: &str) -> std::result::Result<(), String> {
        self.state(schema, table).map(|_| ())
    }
}

fn list<'a>(states: impl Iterator<Item = &'a (&'a str, &'a StateSnapshot)>) -> String {
    let mut names: Vec<_> = states.map(|(uid, state)| quoted(uid, state.name.as_str())).collect();
    names.sort();
    names.join(", ")
}

fn quoted(uid: &str, state: &str) -> String {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quote(uid), quote(state))
}

impl CatalogProvider for SnapshotCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.states().map(|(uid, _)| uid.to_owned()).collect();
        names.dedup();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(OperatorSchema { catalog: self.clone(), name: name.to_owned() }))
    }
}

#[async_trait]
impl SchemaProvider for OperatorSchema {
    fn table_names(&self) -> Vec<String> {
        let own = self.catalog.states().filter(|(uid, _)| *uid == self.name);
        own.map(|(_, state)| state.name.to_string()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Ok((uid, state)) = self.catalog.state(&self.name, name) else {
            return Ok(None);
        };
        let label = quoted(uid, state.name.as_str());
        let table = match state.kind.is_keyed() {
            true => keyed::table(&self.catalog.snapshot.store, state, label),
            false => operator::table(state, &label),
        };
        table.map(Some).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.catalog.check(&self.name, name).is_ok()
    }
}
