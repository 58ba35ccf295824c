//! From the bytes of a chunk to rows, trusting nothing.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::columns::{EXPIRES_AT, VALUE, check_columns};
use super::guard::guarded;
use super::pages::check_pages;
use super::thrift::check_footer;
use super::{ChunkRef, FORMAT_VERSION, MAX_CHUNK_BYTES, StateKind};
use crate::hash::HashRange;
use crate::ids::ChunkHash;
use crate::store::Store;
use crate::{Error, Result};

/// Rows in a batch that a reader gives.
const BATCH_ROWS: usize = 16 * 1024;

/// Which columns of a chunk are decoded. Those that say what a row is about, and whether it is a tombstone, always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// The column `value`, where there is one.
    pub value: bool,
    /// The column `expires_at`, where there is one.
    pub expires_at: bool,
}

impl Columns {
    /// Every column.
    pub const ALL: Columns = Columns { value: true, expires_at: true };

    fn has(self, name: &str) -> bool {
        match name {
            VALUE => self.value,
            EXPIRES_AT => self.expires_at,
            _ => true,
        }
    }
}

/// Fetches a chunk, checks its hash, and reads the rows whose hash lies in `range`.
pub async fn read_chunk(
    store: &Store,
    chunk: &ChunkRef,
    state: StateKind,
    range: HashRange,
) -> Result<ChunkReader> {
    read_chunk_columns(store, chunk, state, range, Columns::ALL).await
}

/// [`read_chunk`], decoding some of the columns.
pub(crate) async fn read_chunk_columns(
    store: &Store,
    chunk: &ChunkRef,
    state: StateKind,
    range: HashRange,
    columns: Columns,
) -> Result<ChunkReader> {
    let bytes = store.get_chunk(chunk).await?;
    ChunkReader::with_columns(bytes, chunk, state, range, columns)
}

impl Store {
    /// Where a chunk stands, or the pack that holds it.
    pub(crate) fn chunk_path(&self, chunk: &ChunkRef) -> Path {
        self.file_of(chunk.hash).cloned().unwrap_or_else(|| chunk.path())
    }

    /// The bytes of a chunk, checked against its hash.
    pub async fn get_chunk(&self, chunk: &ChunkRef) -> Result<Bytes> {
        let path = self.chunk_path(chunk);
        if chunk.bytes > MAX_CHUNK_BYTES {
            let problem = format!("expected at most {MAX_CHUNK_BYTES}, found {}", chunk.bytes);
            return Err(Error::corrupt(&path, "size in the manifest", problem));
        }
        let bytes = match chunk.pack {
            Some(pack) => self.get_range(&path, pack.offset, chunk.bytes).await?,
            None => self.get(&path, chunk.bytes).await?,
        };
        let Some(bytes) = bytes else {
            let problem = "the manifest names it and it is not there";
            return Err(Error::corrupt(&path, "object", problem));
        };
        if bytes.len() as u64 != chunk.bytes {
            let problem = format!("expected {}, found {}", chunk.bytes, bytes.len());
            return Err(Error::corrupt(&path, "size", problem));
        }
        let found = ChunkHash::of(&bytes);
        if found != chunk.hash {
            let problem = format!("expected {}, found {found}", chunk.hash);
            return Err(Error::corrupt(&path, "BLAKE3 hash", problem));
        }
        Ok(bytes)
    }
}

/// The rows of a chunk in a range of hashes, batch by batch, sorted by hash.
///
/// Only row groups that the range meets are decoded. Everything that the bytes say is checked against
/// the manifest: an error names the chunk and what is wrong with it.
pub struct ChunkReader {
    file: String,
    schema: SchemaRef,
    range: HashRange,
    whole: HashRange,
    last: u64,
    /// What is left to decode; `None` after an error.
    batches: Option<ParquetRecordBatchReader>,
}

impl ChunkReader {
    /// Reads a chunk from its bytes, whose hash has been checked.
    pub fn new(bytes: Bytes, chunk: &ChunkRef, state: StateKind, range: HashRange) -> Result<Self> {
        Self::with_columns(bytes, chunk, state, range, Columns::ALL)
    }

    /// Reads some of the columns of a chunk. All of them are checked against what a chunk has.
    pub fn with_columns(
        bytes: Bytes,
        chunk: &ChunkRef,
        state: StateKind,
        range: HashRange,
        columns: Columns,
    ) -> Result<Self> {
        let file = chunk.path().to_string();
        let corrupt = |field: &str, problem: String| Error::corrupt(&file, field, problem);
        check_footer(&bytes).ok_or_else(|| corrupt("Parquet metadata", "malformed".to_owned()))?;
        let open = || ParquetRecordBatchReaderBuilder::try_new(bytes.clone());
        let builder = guarded(&file, "Parquet metadata", open)?;
        let metadata = builder.metadata().clone();
        check_metadata(&file, &metadata, chunk, state)?;
        // Parquet's own metadata stands in the schema too; what is left is the columns.
        let schema = Arc::new(Schema::new(builder.schema().fields().clone()));
        check_columns(&schema, state, chunk.kind).map_err(|(field, problem)| corrupt(&field, problem))?;

        let mut groups = Vec::new();
        let mut last = chunk.range.start();
        for (index, group) in metadata.row_groups().iter().enumerate() {
            let hashes = group_range(group).filter(|hashes| hashes.start() >= last);
            let hashes = hashes.ok_or_else(|| {
                let problem = format!("missing, or not rising, in row group {index}");
                corrupt("statistics of column hash", problem)
            })?;
            last = hashes.end();
            if hashes.intersects(range) {
                groups.push(index);
            }
        }
        let wanted = |index: &usize| columns.has(schema.field(*index).name());
        let wanted: Vec<usize> = (0..schema.fields().len()).filter(wanted).collect();
        for column in groups.iter().flat_map(|&group| metadata.row_group(group).columns()) {
            let check = || check_pages(&bytes, column);
            guarded(&file, &format!("pages of column {}", column.column_path().string()), check)?;
        }
        let schema = schema.project(&wanted).map_err(|error| corrupt("columns", error.to_string()))?;
        let schema = Arc::new(schema);
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let builder = builder.with_projection(mask).with_row_groups(groups).with_batch_size(BATCH_ROWS);
        let build = || builder.build();
        let batches = guarded(&file, "Parquet pages", build)?;
        Ok(ChunkReader {
            file,
            schema,
            range,
            whole: chunk.range,
            last: chunk.range.start(),
            batches: Some(batches),
        })
    }

    /// The columns that are read.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Checks decoded rows and gives those that lie in the range.
    fn accept(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let wrong = |problem: String| Error::corrupt(&self.file, "column hash", problem);
        let hashes = batch.column(0).as_primitive::<UInt64Type>().values();
        if let (Some(&first), Some(&last)) = (hashes.first(), hashes.last()) {
            if first < self.last || !hashes.is_sorted() {
                return Err(wrong("rows are not sorted".to_owned()));
            }
            if !self.whole.contains(first) || !self.whole.contains(last) {
                return Err(wrong(format!("rows lie outside {}", self.whole)));
            }
            self.last = last;
        }
        let start = hashes.partition_point(|&hash| hash < self.range.start());
        let end = hashes.partition_point(|&hash| hash <= self.range.end());
        let columns = batch.slice(start, end - start).columns().to_vec();
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Error::corrupt(&self.file, "columns", error))
    }
}

impl Iterator for ChunkReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            let batches = self.batches.as_mut()?;
            let decoded = guarded(&self.file, "Parquet pages", || batches.next().transpose());
            match decoded.and_then(|batch| batch.map(|batch| self.accept(batch)).transpose()) {
                Ok(None) => return None,
                Ok(Some(batch)) if batch.num_rows() == 0 => {}
                Ok(Some(batch)) => return Some(Ok(batch)),
                Err(error) => {
                    self.batches = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Checks what the file says of itself against what the manifest says of it.
fn check_metadata(file: &str, metadata: &ParquetMetaData, chunk: &ChunkRef, state: StateKind) -> Result<()> {
    let about = metadata.file_metadata();
    let get = |key: &str| {
        let entries = about.key_value_metadata().into_iter().flatten();
        let mut found = entries.filter(|entry| entry.key.strip_prefix("millpond.") == Some(key));
        found.next().and_then(|entry| entry.value.as_deref()).unwrap_or("nothing")
    };
    let version = get("format_version");
    match version.parse() {
        Ok(FORMAT_VERSION) => {}
        Ok(found) if found > FORMAT_VERSION => {
            let (file, newest) = (file.to_owned(), FORMAT_VERSION);
            return Err(Error::Unsupported { file, what: "chunk format version", found, newest });
        }
        _ => {
            let problem = format!("expected {FORMAT_VERSION}, found {version}");
            return Err(Error::corrupt(file, "millpond.format_version", problem));
        }
    }
    let expected = [
        ("state_kind", state.to_string()),
        ("chunk_kind", chunk.kind.to_string()),
        ("hash_start", format!("{:016x}", chunk.range.start())),
        ("hash_end", format!("{:016x}", chunk.range.end())),
        ("job", chunk.job.to_string()),
    ];
    for (key, expected) in expected {
        let found = get(key);
        if found != expected {
            let problem = format!("the manifest says {expected}, the chunk {found}");
            return Err(Error::corrupt(file, format!("millpond.{key}"), problem));
        }
    }
    if u64::try_from(about.num_rows()) != Ok(chunk.rows) {
        let problem = format!("the manifest says {}, the chunk {}", chunk.rows, about.num_rows());
        return Err(Error::corrupt(file, "number of rows", problem));
    }
    Ok(())
}

/// The hashes of a row group, from the statistics of its first column.
fn group_range(group: &RowGroupMetaData) -> Option<HashRange> {
    match group.columns().first()?.statistics()? {
        // Parquet keeps unsigned numbers as the signed ones of the same bits.
        Statistics::Int64(hashes) => HashRange::new(*hashes.min_opt()? as u64, *hashes.max_opt()? as u64),
        _ => None,
    }
}
