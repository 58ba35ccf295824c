//! From sorted rows to the bytes of a chunk. CPU only: callers run it off the threads that must not stall.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::{Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::columns::{DELETED, EXPIRES_AT, HASH, KEY, MAP_KEY, TIMESTAMP, VALUE, check_columns};
use super::{ChunkKind, ChunkRef, FORMAT_VERSION, MAX_CHUNK_BYTES, StateKind};
use crate::hash::HashRange;
use crate::ids::{ChunkHash, JobName, random_id};
use crate::{Error, Result};

/// Rows in a row group: the least that a reader of a hash range reads.
const ROW_GROUP_ROWS: usize = 64 * 1024;

/// What a chunk is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkMeta {
    /// The job that writes it.
    pub job: JobName,
    /// The kind of its state.
    pub state: StateKind,
    /// What it says about earlier rows.
    pub kind: ChunkKind,
    /// The hashes it speaks about.
    pub range: HashRange,
}

/// A chunk in memory, ready to be stored.
#[derive(Debug, Clone)]
pub struct EncodedChunk {
    /// The Parquet file.
    pub bytes: Bytes,
    /// The hash of those bytes.
    pub hash: ChunkHash,
    /// What it is about.
    pub meta: ChunkMeta,
    /// The number of rows, tombstones included.
    pub rows: u64,
}

impl EncodedChunk {
    /// How a manifest names the chunk if it is stored as an object of its own.
    pub fn reference(&self) -> ChunkRef {
        ChunkRef {
            hash: self.hash,
            job: self.meta.job.clone(),
            kind: self.meta.kind,
            range: self.meta.range,
            rows: self.rows,
            bytes: self.bytes.len() as u64,
            pack: None,
        }
    }
}

/// Encodes batches of rows, sorted by hash within and across batches, rows of one key adjacent.
///
/// Each call makes a chunk of its own: a random number in its metadata gives equal rows different names.
/// So a chunk that is being written can never be one that is being deleted, and a chunk belongs to the
/// job that wrote it until another job starts from a snapshot that names it.
///
/// All batches have one schema, with the columns that [`check_columns`] asks for. A base chunk may be
/// given a `deleted` column that says `false` throughout; it is left out of the chunk.
///
/// # Errors
/// [`Error::InvalidInput`] if the columns are not those of the state's kind, if rows are not sorted or
/// lie outside the range, if a base has a tombstone, or if a type cannot be stored in Parquet.
pub fn encode_chunk(
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = RecordBatch>,
    meta: &ChunkMeta,
) -> Result<EncodedChunk> {
    let schema = if meta.kind == ChunkKind::Base {
        without_deleted(schema)
    } else {
        schema.clone()
    };
    check_columns(&schema, meta.state, meta.kind).map_err(|(field, problem)| {
        Error::InvalidInput(format!("cannot write a chunk: {field}: {problem}"))
    })?;

    let mut writer = ArrowWriter::try_new(
        Vec::new(),
        schema.clone(),
        Some(properties(&schema, meta, random_id()?)),
    )
    .map_err(not_encodable)?;
    let mut rows = 0;
    let mut last = meta.range.start();
    for batch in batches {
        let batch = if meta.kind == ChunkKind::Base {
            drop_deleted(batch, &schema)?
        } else {
            batch
        };
        if batch.schema() != schema {
            return Err(Error::InvalidInput(format!(
                "cannot write a chunk: its batches differ in schema: {} and {}",
                schema,
                batch.schema()
            )));
        }
        last = check_order(&batch, meta.range, last)?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(not_encodable)?;
    }
    let bytes = writer.into_inner().map_err(not_encodable)?;
    if bytes.len() as u64 > MAX_CHUNK_BYTES {
        return Err(Error::InvalidInput(format!(
            "a chunk of {} bytes is larger than the limit of {MAX_CHUNK_BYTES}; split its hash range",
            bytes.len()
        )));
    }
    Ok(EncodedChunk {
        hash: ChunkHash::of(&bytes),
        bytes: bytes.into(),
        meta: meta.clone(),
        rows,
    })
}

fn not_encodable(error: parquet::errors::ParquetError) -> Error {
    Error::InvalidInput(format!(
        "cannot write a chunk: {error}; change the type of the key or the value"
    ))
}

fn without_deleted(schema: &SchemaRef) -> SchemaRef {
    if schema.column_with_name(DELETED).is_none() {
        return schema.clone();
    }
    let kept = schema
        .fields()
        .iter()
        .filter(|f| f.name() != DELETED)
        .cloned();
    Arc::new(Schema::new(kept.collect::<Vec<Arc<Field>>>()))
}

fn drop_deleted(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let Some(deleted) = batch.column_by_name(DELETED) else {
        return Ok(batch);
    };
    let tombstones = deleted.as_boolean_opt().map_or(1, |d| d.true_count());
    if tombstones > 0 {
        return Err(Error::InvalidInput(format!(
            "cannot write a chunk: a base has no tombstones, found {tombstones}"
        )));
    }
    let kept: Vec<_> = schema
        .fields()
        .iter()
        .filter_map(|field| batch.column_by_name(field.name()).cloned())
        .collect();
    RecordBatch::try_new(schema.clone(), kept)
        .map_err(|error| Error::InvalidInput(format!("cannot write a chunk: {error}")))
}

/// Checks that hashes rise from `last` and stay in the range; gives the greatest.
fn check_order(batch: &RecordBatch, range: HashRange, last: u64) -> Result<u64> {
    let hashes = batch.column(0).as_primitive::<UInt64Type>().values();
    let sorted = hashes.first().is_none_or(|first| *first >= last) && hashes.is_sorted();
    let greatest = hashes.last().copied().unwrap_or(last);
    if !sorted || !range.contains(greatest) {
        return Err(Error::InvalidInput(format!(
            "cannot write a chunk: its rows must be sorted by hash and lie in {range}"
        )));
    }
    Ok(greatest)
}

fn properties(schema: &Schema, meta: &ChunkMeta, id: String) -> WriterProperties {
    let entry = |key: &str, value: String| KeyValue::new(format!("millpond.{key}"), value);
    let mut properties = WriterProperties::builder()
        .set_created_by("millpond".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(vec![
            entry("format_version", FORMAT_VERSION.to_string()),
            entry("state_kind", meta.state.to_string()),
            entry("chunk_kind", meta.kind.to_string()),
            entry("hash_start", format!("{:016x}", meta.range.start())),
            entry("hash_end", format!("{:016x}", meta.range.end())),
            entry("job", meta.job.to_string()),
            entry("id", id),
        ]));
    // Hashes are as good as random and mostly distinct: nothing to look up in a dictionary and
    // nothing to compress, but sorted, so that differences are short.
    let hash = ColumnPath::from(HASH);
    properties = properties
        .set_column_dictionary_enabled(hash.clone(), false)
        .set_column_encoding(hash.clone(), Encoding::DELTA_BINARY_PACKED)
        .set_column_compression(hash, Compression::UNCOMPRESSED);
    // A dictionary of numbers that differ in each row is written only to be thrown away.
    for name in [KEY, MAP_KEY, VALUE, TIMESTAMP, EXPIRES_AT] {
        let number = |field: &Field| field.data_type().is_numeric();
        if schema
            .column_with_name(name)
            .is_some_and(|(_, field)| number(field))
        {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
    }
    properties.build()
}
