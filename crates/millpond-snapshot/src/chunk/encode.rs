//! From sorted rows to the bytes of a chunk. CPU only: callers run it off the threads that must not stall.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::{Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::columns::{DELETED, HASH, KEY, check_columns};
use super::{ChunkKind, ChunkRef, FORMAT_VERSION, MAX_CHUNK_BYTES, StateKind};
use crate::hash::HashRange;
use crate::ids::{ChunkHash, JobName, random_id};
use crate::{Error, Result};

/// Rows in a row group: the least that a reader of a hash range reads.
const ROW_GROUP_ROWS: usize = 64 * 1024;

/// Bytes in a row group, about: large values make it shorter.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// How texts are written that are keys and come once.
const KEY_ENCODING: Encoding = Encoding::DELTA_LENGTH_BYTE_ARRAY;

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
/// The same as a [`ChunkEncoder`] that is given each batch.
pub fn encode_chunk(
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = RecordBatch>,
    meta: &ChunkMeta,
) -> Result<EncodedChunk> {
    let mut encoder = ChunkEncoder::new(schema, meta.job.clone(), meta.state, meta.kind)?;
    for batch in batches {
        encoder.write(&batch)?;
    }
    encoder.finish(meta.range)
}

/// Builds a chunk from batches of rows that come one by one, keeping only what is encoded.
///
/// Each encoder makes a chunk of its own: a random number in its metadata gives equal rows different
/// names. So a chunk that is being written can never be one that is being deleted, and a chunk belongs
/// to the job that wrote it until another job starts from a snapshot that names it.
pub struct ChunkEncoder {
    job: JobName,
    state: StateKind,
    kind: ChunkKind,
    schema: SchemaRef,
    id: String,
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    hashes: Option<HashRange>,
}

impl ChunkEncoder {
    /// Begins a chunk with the columns that [`check_columns`] asks for. A base chunk may be given a
    /// `deleted` column that says `false` throughout; it is left out of the chunk.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the columns are not those of the state's kind, or if a type cannot be
    /// stored in Parquet.
    pub fn new(schema: &SchemaRef, job: JobName, state: StateKind, kind: ChunkKind) -> Result<Self> {
        Self::with_room(schema, job, state, kind, 0)
    }

    /// [`ChunkEncoder::new`] with room for so many bytes at once, where they are many: growing copies them.
    ///
    /// # Errors
    /// As [`ChunkEncoder::new`].
    pub fn with_room(
        schema: &SchemaRef,
        job: JobName,
        state: StateKind,
        kind: ChunkKind,
        room: usize,
    ) -> Result<Self> {
        let schema = if kind == ChunkKind::Base { without_deleted(schema) } else { schema.clone() };
        check_columns(&schema, state, kind).map_err(|(field, problem)| {
            Error::InvalidInput(format!("cannot write a chunk: {field}: {problem}"))
        })?;
        let properties = properties(&schema, state)?;
        let room = Vec::with_capacity(room);
        let writer = ArrowWriter::try_new(room, schema.clone(), Some(properties)).map_err(not_encodable)?;
        Ok(ChunkEncoder { job, state, kind, schema, id: random_id()?, writer, rows: 0, hashes: None })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the batch is of another schema, if its rows do not go on where the
    /// last ended, or if a base is given a tombstone.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let kept;
        let batch = match self.kind {
            ChunkKind::Base => {
                kept = drop_deleted(batch, &self.schema)?;
                &kept
            }
            ChunkKind::Delta => batch,
        };
        if batch.schema_ref() != &self.schema {
            return Err(Error::InvalidInput(format!(
                "cannot write a chunk: its batches differ in schema: {} and {}",
                self.schema,
                batch.schema_ref()
            )));
        }
        let hashes = batch.column(0).as_primitive::<UInt64Type>().values();
        let (Some(&first), Some(&last)) = (hashes.first(), hashes.last()) else {
            return Ok(());
        };
        if !hashes.is_sorted() || self.hashes.is_some_and(|seen| first < seen.end()) {
            return Err(Error::InvalidInput("cannot write a chunk: its rows are not sorted by hash".into()));
        }
        self.hashes = HashRange::new(self.hashes.map_or(first, HashRange::start), last);
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(not_encodable)
    }

    /// The number of rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the hash of every row so far is less than `hash`.
    pub fn ended_before(&self, hash: u64) -> bool {
        self.hashes.is_none_or(|seen| seen.end() < hash)
    }

    /// About how many bytes the chunk has so far.
    pub fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Ends the chunk, which speaks about `range`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if a row lies outside the range, or the chunk is larger than
    /// [`MAX_CHUNK_BYTES`].
    pub fn finish(mut self, range: HashRange) -> Result<EncodedChunk> {
        if let Some(hashes) = self.hashes.filter(|hashes| !range.covers(*hashes)) {
            return Err(Error::InvalidInput(format!(
                "cannot write a chunk: its rows lie in {hashes}, outside its range {range}"
            )));
        }
        let entries = [
            ("format_version", FORMAT_VERSION.to_string()),
            ("state_kind", self.state.to_string()),
            ("chunk_kind", self.kind.to_string()),
            ("hash_start", format!("{:016x}", range.start())),
            ("hash_end", format!("{:016x}", range.end())),
            ("job", self.job.to_string()),
            ("id", self.id),
        ];
        for (key, value) in entries {
            self.writer.append_key_value_metadata(KeyValue::new(format!("millpond.{key}"), value));
        }
        let bytes = self.writer.into_inner().map_err(not_encodable)?;
        if bytes.len() as u64 > MAX_CHUNK_BYTES {
            return Err(Error::InvalidInput(format!(
                "a chunk of {} bytes is larger than the limit of {MAX_CHUNK_BYTES}; split its hash range",
                bytes.len()
            )));
        }
        let meta = ChunkMeta { job: self.job, state: self.state, kind: self.kind, range };
        Ok(EncodedChunk { hash: ChunkHash::of(&bytes), bytes: bytes.into(), meta, rows: self.rows })
    }
}

fn not_encodable(error: parquet::errors::ParquetError) -> Error {
    Error::InvalidInput(format!("cannot write a chunk: {error}; change the type of the key or the value"))
}

fn without_deleted(schema: &SchemaRef) -> SchemaRef {
    if schema.column_with_name(DELETED).is_none() {
        return schema.clone();
    }
    let kept = schema.fields().iter().filter(|f| f.name() != DELETED).cloned();
    Arc::new(Schema::new(kept.collect::<Vec<Arc<Field>>>()))
}

fn drop_deleted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let Some(deleted) = batch.column_by_name(DELETED) else {
        return Ok(batch.clone());
    };
    let tombstones = deleted.as_boolean_opt().map_or(1, |d| d.true_count());
    if tombstones > 0 {
        return Err(Error::InvalidInput(format!(
            "cannot write a chunk: a base has no tombstones, found {tombstones}"
        )));
    }
    let kept: Vec<_> =
        schema.fields().iter().filter_map(|field| batch.column_by_name(field.name()).cloned()).collect();
    RecordBatch::try_new(schema.clone(), kept)
        .map_err(|error| Error::InvalidInput(format!("cannot write a chunk: {error}")))
}

fn properties(schema: &Schema, state: StateKind) -> Result<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_created_by("millpond".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true);
    // A dictionary of what differs in each row is written only to be thrown away. Numbers are shorter as differences
    // than compression alone makes them, and sooner written; of keys that come once, what they have in common is left out.
    let distinct_keys = !matches!(state, StateKind::Map | StateKind::Timers);
    let columns = ArrowSchemaConverter::new().convert(schema).map_err(not_encodable)?;
    for column in columns.columns() {
        let encoding = match column.physical_type() {
            Type::INT32 | Type::INT64 => {
                // Differences of hashes are as good as random, and so are those of numbers in their order: nothing is left to
                // compress.
                if distinct_keys && column.path().parts() == [KEY] {
                    let key = column.path().clone();
                    properties = properties.set_column_compression(key, Compression::UNCOMPRESSED);
                }
                Encoding::DELTA_BINARY_PACKED
            }
            Type::FLOAT | Type::DOUBLE => Encoding::BYTE_STREAM_SPLIT,
            Type::BYTE_ARRAY if distinct_keys && column.path().parts()[0] == KEY => KEY_ENCODING,
            _ => continue,
        };
        properties = properties
            .set_column_dictionary_enabled(column.path().clone(), false)
            .set_column_encoding(column.path().clone(), encoding);
    }
    // Rows lie by hash, so that no other column is narrower in one row group than in another.
    let hash = ColumnPath::from(HASH);
    properties = properties
        .set_column_statistics_enabled(hash.clone(), EnabledStatistics::Chunk)
        .set_column_compression(hash, Compression::UNCOMPRESSED);
    Ok(properties.build())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn keys_that_come_once_have_no_dictionary_and_only_hashes_have_statistics() {
        let text = |name| (name, Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef);
        let hash = (HASH, Arc::new(UInt64Array::from(vec![1, 2])) as ArrayRef);
        let value = RecordBatch::try_from_iter([hash.clone(), text(KEY), text("value")]).unwrap();
        let map = RecordBatch::try_from_iter([hash, text(KEY), text("map_key"), text("value")]).unwrap();
        for (state, batch, keys_have_one) in [(StateKind::Value, value, false), (StateKind::Map, map, true)] {
            let job = "job".parse().unwrap();
            let meta = ChunkMeta { job, state, kind: ChunkKind::Base, range: HashRange::FULL };
            let chunk = encode_chunk(&batch.schema(), [batch], &meta).unwrap();
            let file = SerializedFileReader::new(chunk.bytes).unwrap();
            let columns: BTreeMap<String, _> = file
                .metadata()
                .row_group(0)
                .columns()
                .iter()
                .map(|column| (column.column_path().string(), column))
                .collect();
            let has_dictionary = |name: &str| columns[name].dictionary_page_offset().is_some();
            assert_eq!((has_dictionary(KEY), has_dictionary("value")), (keys_have_one, true), "{state}");
            for (name, column) in columns {
                assert_eq!(column.statistics().is_some(), name == HASH, "{state}: {name}");
            }
        }
    }
}
