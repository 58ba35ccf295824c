//! A keyed state as a table.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use millpond_snapshot::arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use millpond_snapshot::chunk::{EXPIRES_AT, HASH, KEY, MAP_KEY, TIMESTAMP, VALUE};
use millpond_snapshot::manifest::{SchemaFields, StateSnapshot};
use millpond_snapshot::{Error, Store};

use super::scan::{KeyedState, StateScan};

#[derive(Debug)]
struct KeyedTable {
    state: Arc<KeyedState>,
    schema: SchemaRef,
}

/// A table of the columns of the state's chunks, with `hash` last.
pub(super) fn table(store: &Store, state: &StateSnapshot, label: String) -> Result<Arc<dyn TableProvider>, Error> {
    let schema = columns(state).ok_or_else(|| {
        Error::InvalidInput(format!("the manifest does not say of which types {label} is; it cannot be a table"))
    })?;
    let state = KeyedState { store: store.clone(), label, kind: state.kind, chunks: state.chunks.clone() };
    Ok(Arc::new(KeyedTable { state: Arc::new(state), schema: Arc::new(schema) }))
}

fn columns(state: &StateSnapshot) -> Option<Schema> {
    let of = |name: &str, schema: &SchemaFields| -> Option<FieldRef> {
        match &schema.fields()[..] {
            [field] => Some(Arc::new(Field::clone(field).with_name(name))),
            _ => None,
        }
    };
    let mut fields = vec![of(KEY, state.key_schema.as_ref()?)?];
    if let Some(map_key) = &state.map_key_schema {
        fields.push(of(MAP_KEY, map_key)?);
    }
    match &state.value_schema {
        Some(value) => fields.push(of(VALUE, value)?),
        None => fields.push(Arc::new(Field::new(TIMESTAMP, DataType::Int64, false))),
    }
    if state.ttl_ms.is_some() {
        fields.push(Arc::new(Field::new(EXPIRES_AT, DataType::Int64, true)));
    }
    fields.push(Arc::new(Field::new(HASH, DataType::UInt64, false)));
    Some(Schema::new(fields))
}

#[async_trait]
impl TableProvider for KeyedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let ranges = self.state.ranges(session.config().target_partitions());
        Ok(Arc::new(StateScan::new(self.state.clone(), schema, ranges, limit)))
    }
}
