//! From SQL to batches of rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::{DFSchema, TableReference};
use datafusion::config::Dialect;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;
use millpond_snapshot::arrow_schema::{Field, Schema, SchemaRef};
use millpond_snapshot::repository::Resolved;
use millpond_snapshot::{Error, RecordBatch};

use super::catalog::{NO_SCHEMA, SnapshotCatalog};
use super::failure::failure;
use crate::failure::Failure;

/// The catalog of tables that are named without one.
const SNAPSHOT: &str = "snapshot";

/// What may read side by side. Each holds the chunks that meet at the hash that it has reached.
const MAX_PARTITIONS: usize = 4;

/// Snapshots that can be asked.
pub(crate) struct Session {
    context: SessionContext,
    catalogs: HashMap<String, Arc<SnapshotCatalog>>,
    memory_mib: usize,
}

/// The rows of an answer, batch by batch.
pub(crate) struct Rows {
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
    memory_mib: usize,
}

impl Session {
    /// A session over one snapshot. What a query has to hold, such as groups and rows to sort, may take this much memory;
    /// what is more goes to temporary files.
    pub(crate) fn new(snapshot: Resolved, memory_mib: usize) -> Result<Self, Failure> {
        let bytes = memory_mib.saturating_mul(1024 * 1024);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(bytes))).build_arc();
        let runtime = runtime.map_err(|error| failure(&error, memory_mib))?;
        let partitions =
            std::thread::available_parallelism().map_or(1, |threads| threads.get().min(MAX_PARTITIONS));
        let mut config = SessionConfig::new()
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(SNAPSHOT, NO_SCHEMA)
            .with_target_partitions(partitions);
        // Uids and the names of fields are what they are, in quotes or not.
        config.options_mut().sql_parser.enable_ident_normalization = false;
        let context = SessionContext::new_with_config_rt(config, runtime);
        let mut session = Session { context, catalogs: HashMap::new(), memory_mib };
        session.add(SNAPSHOT, snapshot)?;
        Ok(session)
    }

    /// Adds another snapshot, whose tables are `NAME."uid"."state"`.
    ///
    /// # Errors
    /// If the name is taken.
    pub(crate) fn add(&mut self, name: &str, snapshot: Resolved) -> Result<(), Failure> {
        if self.catalogs.contains_key(name) {
            return Err(Failure::Query(format!("there is a snapshot called '{name}' already; give another name")));
        }
        let catalog = Arc::new(SnapshotCatalog::new(snapshot)?);
        self.context.register_catalog(name, catalog.clone());
        self.catalogs.insert(name.to_owned(), catalog);
        Ok(())
    }

    /// Begins to answer a query. Columns of the answer that would have the same name have that of their table before it.
    ///
    /// # Errors
    /// [`Failure::Query`] if it is not SQL, asks for what is not there, or does anything but ask.
    pub(crate) async fn query(&self, sql: &str) -> Result<Rows, Failure> {
        let failed = |error: DataFusionError| failure(&error, self.memory_mib);
        let state = self.context.state();
        let statement = state.sql_to_statement(sql, &Dialect::Generic).map_err(failed)?;
        if !only_asks(&statement) {
            return Err(not_asking());
        }
        for table in state.resolve_table_references(&statement).map_err(failed)? {
            if !state.table_functions().contains_key(table.table()) {
                self.check(table)?;
            }
        }
        let plan = state.statement_to_plan(statement).await.map_err(failed)?;
        let asking = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        asking.verify_plan(&plan).map_err(|_| not_asking())?;
        let names = names(plan.schema());
        let answer = self.context.execute_logical_plan(plan).await.map_err(failed)?;
        let stream = answer.execute_stream().await.map_err(failed)?;
        let schema = stream.schema();
        let fields = schema.fields().iter().zip(names);
        let fields: Vec<Field> = fields.map(|(field, name)| Field::clone(field).with_name(name)).collect();
        Ok(Rows { schema: Arc::new(Schema::new(fields)), stream, memory_mib: self.memory_mib })
    }

    /// The states of the first snapshot that a query reads, as uid and name.
    ///
    /// # Errors
    /// [`Failure::Query`] if it is not SQL, or asks for what is not there.
    pub(crate) fn tables(&self, sql: &str) -> Result<Vec<(String, String)>, Failure> {
        let failed = |error: DataFusionError| failure(&error, self.memory_mib);
        let state = self.context.state();
        let statement = state.sql_to_statement(sql, &Dialect::Generic).map_err(failed)?;
        let mut found = Vec::new();
        for table in state.resolve_table_references(&statement).map_err(failed)? {
            let table = table.resolve(SNAPSHOT, NO_SCHEMA);
            if let Some(catalog) = self.catalogs.get(&*table.catalog).filter(|_| *table.catalog == *SNAPSHOT) {
                found.push(catalog.find(&table.schema, &table.table).map_err(Failure::Query)?);
            }
        }
        Ok(found)
    }

    /// Whether there is such a table.
    fn check(&self, table: TableReference) -> Result<(), Failure> {
        let table = table.resolve(SNAPSHOT, NO_SCHEMA);
        if *table.schema == *"information_schema" {
            return Ok(());
        }
        let catalog = self.catalogs.get(&*table.catalog).ok_or_else(|| {
            let mut names: Vec<_> = self.catalogs.keys().map(String::as_str).collect();
            names.sort();
            Failure::Query(format!(
                "there is no snapshot called '{}'; there is {}",
                table.catalog,
                names.join(", ")
            ))
        })?;
        catalog.check(&table.schema, &table.table).map_err(Failure::Query)
    }
}

impl Rows {
    /// The columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        let Some(batch) = self.stream.next().await else {
            return Ok(None);
        };
        let batch = batch.map_err(|error| failure(&error, self.memory_mib))?;
        let renamed = batch.with_schema(self.schema.clone());
        let renamed =
            renamed.map_err(|error| Error::InvalidInput(format!("the answer cannot be read: {error}")))?;
        Ok(Some(renamed))
    }
}

/// Whether a statement does nothing but ask.
fn only_asks(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => only_asks(&explain.statement),
        Statement::Statement(statement) => matches!(
            **statement,
            ast::Statement::Query(_)
                | ast::Statement::Explain { .. }
                | ast::Statement::ExplainTable { .. }
                | ast::Statement::ShowColumns { .. }
                | ast::Statement::ShowFunctions { .. }
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowVariable { .. }
        ),
        _ => false,
    }
}

fn not_asking() -> Failure {
    Failure::Query(
        "a snapshot is never changed, and a query only reads it: SELECT, SHOW TABLES, DESCRIBE and EXPLAIN; --output \
         FILE writes the answer to a file"
            .to_owned(),
    )
}

/// Names for columns, each once.
fn names(schema: &DFSchema) -> Vec<String> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for field in schema.fields() {
        *uses.entry(field.name()).or_default() += 1;
    }
    let mut taken = HashSet::new();
    let names = schema.iter().map(|(table, field)| match table {
        Some(table) if uses[field.name().as_str()] > 1 => format!("{}.{}", table.table(), field.name()),
        _ => field.name().clone(),
    });
    let distinct = names.map(|name| {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut free = std::iter::once(name.clone()).chain(numbered).filter(|name| !taken.contains(name));
        let name = free.next().unwrap_or(name.clone());
        taken.insert(name.clone());
        name
    });
    distinct.collect()
}
