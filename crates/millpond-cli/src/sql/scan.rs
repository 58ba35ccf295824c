//! Reading a keyed state by hash range, as a step of a query.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::new_null_array;
use datafusion::arrow::record_batch::RecordBatchOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::stream::try_unfold;
use millpond_snapshot::arrow_schema::SchemaRef;
use millpond_snapshot::chunk::{ChunkKind, ChunkRef, Columns, EXPIRES_AT, StateKind, VALUE, visible};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::state::{StateReader, Tombstones};
use millpond_snapshot::{Error, RecordBatch, Store};

/// Rows below which dividing the work is more work.
const SMALL: u64 = 64 * 1024;

/// What is read for a query.
#[derive(Debug)]
pub(super) struct KeyedState {
    pub(super) store: Store,
    pub(super) label: String,
    pub(super) kind: StateKind,
    pub(super) chunks: Vec<ChunkRef>,
}

impl KeyedState {
    /// How many rows the state has: exactly, if none of its chunks can hide a row of another.
    pub(super) fn rows(&self) -> Precision<usize> {
        let seen = visible(&self.chunks, HashRange::FULL);
        let seen = self.chunks.iter().zip(&seen).filter(|(_, parts)| !parts.is_empty());
        let (mut rows, mut exact) = (0u64, true);
        for (chunk, parts) in seen {
            rows = rows.saturating_add(chunk.rows);
            exact &= chunk.kind == ChunkKind::Base && **parts == [chunk.range];
        }
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        if exact { Precision::Exact(rows) } else { Precision::Inexact(rows) }
    }

    /// The hash ranges to read side by side.
    pub(super) fn ranges(&self, wanted: usize) -> Vec<HashRange> {
        let rows = self.chunks.iter().fold(0u64, |sum, chunk| sum.saturating_add(chunk.rows));
        let parts = if rows < SMALL { 1 } else { wanted.max(1) };
        (0..parts).map(|part| HashRange::of_worker(part, parts)).collect()
    }
}

/// Streams the columns that are asked for, each partition those of one hash range.
#[derive(Debug)]
pub(super) struct StateScan {
    state: Arc<KeyedState>,
    schema: SchemaRef,
    ranges: Vec<HashRange>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl StateScan {
    pub(super) fn new(
        state: Arc<KeyedState>,
        schema: SchemaRef,
        ranges: Vec<HashRange>,
        limit: Option<usize>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(ranges.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        StateScan { state, schema, ranges, limit, properties: Arc::new(properties) }
    }

    fn reader(&self, range: HashRange) -> StateReader {
        let wants = |name| self.schema.column_with_name(name).is_some();
        let columns = Columns { value: wants(VALUE), expires_at: wants(EXPIRES_AT) };
        let KeyedState { store, kind, chunks, .. } = &*self.state;
        StateReader::new(store, *kind, chunks, range, Tombstones::Drop).select(columns)
    }
}

/// The columns that are asked for, in the order and of the types that the manifest promised.
fn shape(schema: &SchemaRef, state: &KeyedState, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => column.clone(),
        // A state that was given a time to live has it in what was written since.
        None => new_null_array(field.data_type(), batch.num_rows()),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options).map_err(|error| {
        Error::InvalidInput(format!(
            "the chunks of {} are not of the types that the manifest says: {error}; `millpond snapshots verify` says \
             which snapshots are whole",
            state.label
        ))
    })
}

impl DisplayAs for StateScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "StateScan: {}, columns=[{}]", self.state.label, columns.join(", "))?;
        write!(f, ", chunks={}, ranges={}", self.state.chunks.len(), self.ranges.len())?;
        self.limit.map_or(Ok(()), |limit| write!(f, ", limit={limit}"))
    }
}

impl ExecutionPlan for StateScan {
    fn name(&self) -> &str {
        "StateScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let range = self.ranges.get(partition).ok_or_else(|| {
            DataFusionError::Internal(format!("{} has no partition {partition}", self.state.label))
        })?;
        let (schema, state) = (self.schema.clone(), self.state.clone());
        let left = self.limit.unwrap_or(usize::MAX);
        let rows = try_unfold((self.reader(*range), left), move |(mut reader, left)| {
            let (schema, state) = (schema.clone(), state.clone());
            async move {
                if left == 0 {
                    return Ok(None);
                }
                let batch = reader.next().await.map_err(external)?;
                let Some(batch) = batch else { return Ok(None) };
                let batch = shape(&schema, &state, &batch).map_err(external)?;
                let batch = batch.slice(0, batch.num_rows().min(left));
                let left = left - batch.num_rows();
                Ok(Some((batch, (reader, left))))
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let unknown = Statistics::new_unknown(&self.schema);
        Ok(Arc::new(match args.partition() {
            Some(_) => unknown,
            None => {
                let rows = self.state.rows();
                let rows = match self.limit {
                    Some(limit) => rows.min(&datafusion::common::stats::Precision::Exact(limit)),
                    None => rows,
                };
                let column_statistics = vec![ColumnStatistics::new_unknown(); self.schema.fields().len()];
                Statistics { num_rows: rows, column_statistics, ..unknown }
            }
        }))
    }
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
