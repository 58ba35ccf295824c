//! A store as somebody sees it who knows files, JSON and Parquet, and nothing of the engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// A store in a directory.
pub(crate) struct Disk(pub(crate) PathBuf);

/// A snapshot in a log.
pub(crate) struct Snapshot {
    pub(crate) sequence: u64,
    pub(crate) savepoint: bool,
    manifest: Value,
}

/// A chunk that a manifest names.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// The file that holds it.
    pub(crate) file: PathBuf,
    pub(crate) is_delta: bool,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    offset: u64,
}

/// A row of a state of numbers by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) key: u64,
    pub(crate) value: Option<u64>,
    pub(crate) deleted: bool,
}

impl Disk {
    /// The files that hold chunks, and their sizes.
    pub(crate) fn chunk_files(&self) -> BTreeMap<PathBuf, u64> {
        let mut files = BTreeMap::new();
        let Ok(folders) = fs::read_dir(self.0.join("chunks")) else { return files };
        for folder in folders {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let file = file.unwrap();
                files.insert(file.path(), file.metadata().unwrap().len());
            }
        }
        files
    }

    /// The snapshots in the log of a job, oldest first. An entry that goes while it is looked at is none.
    pub(crate) fn snapshots(&self, job: &str) -> Vec<Snapshot> {
        let log = self.0.join("jobs").join(job).join("log");
        let mut files: Vec<_> = fs::read_dir(log).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().filter_map(|file| snapshot(&fs::read(file).ok()?)).collect()
    }

    /// The snapshot that `JOB@SEQUENCE` names.
    pub(crate) fn snapshot(&self, address: &str) -> Snapshot {
        let (job, sequence) = address.split_once('@').unwrap();
        let file = format!("{:020}.json", sequence.parse::<u64>().unwrap());
        snapshot(&fs::read(self.0.join("jobs").join(job).join("log").join(file)).unwrap()).unwrap()
    }

    /// The chunks that a snapshot names for a state, oldest first.
    pub(crate) fn chunks(&self, snapshot: &Snapshot, uid: &str, state: &str) -> Vec<Chunk> {
        let named = |list: &Value, field: &str, name: &str| {
            let found = list.as_array().unwrap().iter().find(|item| item[field] == name);
            found.unwrap_or_else(|| panic!("no {name}")).clone()
        };
        let operator = named(&snapshot.manifest["operators"], "uid", uid);
        self.named(&named(&operator["states"], "name", state))
    }

    /// All chunks that a snapshot names.
    pub(crate) fn all_chunks(&self, snapshot: &Snapshot) -> Vec<Chunk> {
        let operators = snapshot.manifest["operators"].as_array().unwrap();
        let states = operators.iter().flat_map(|operator| operator["states"].as_array().unwrap());
        states.flat_map(|state| self.named(state)).collect()
    }

    fn named(&self, state: &Value) -> Vec<Chunk> {
        let chunk = |chunk: &Value| {
            let pack = chunk.get("pack");
            let hash = pack.unwrap_or(chunk)["hash"].as_str().unwrap();
            let name = format!("{hash}.{}", if pack.is_some() { "pack" } else { "parquet" });
            Chunk {
                file: self.0.join("chunks").join(&hash[..2]).join(name),
                is_delta: chunk["kind"] == "delta",
                rows: chunk["rows"].as_u64().unwrap(),
                bytes: chunk["bytes"].as_u64().unwrap(),
                offset: pack.map_or(0, |pack| pack["offset"].as_u64().unwrap()),
            }
        };
        state.get("chunks").map_or_else(Vec::new, |chunks| chunks.as_array().unwrap().iter().map(chunk).collect())
    }
}

fn snapshot(entry: &[u8]) -> Option<Snapshot> {
    let entry: Value = serde_json::from_slice(entry).unwrap();
    let (checkpoint, savepoint) = (entry["body"].get("checkpoint"), entry["body"].get("savepoint"));
    let record = checkpoint.or(savepoint)?;
    Some(Snapshot {
        sequence: entry["sequence"].as_u64().unwrap(),
        savepoint: savepoint.is_some(),
        manifest: record["manifest"].clone(),
    })
}

impl Chunk {
    /// The rows of its Parquet file.
    pub(crate) fn read(&self) -> Vec<Row> {
        let file = fs::read(&self.file).unwrap_or_else(|error| panic!("{}: {error}", self.file.display()));
        let (from, to) = (self.offset as usize, (self.offset + self.bytes) as usize);
        let bytes = bytes::Bytes::from(file).slice(from..to);
        let batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let rows: Vec<Row> = batches.flat_map(|batch| rows(&batch.unwrap())).collect();
        assert_eq!(rows.len() as u64, self.rows, "the manifest says how many rows there are");
        rows
    }
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let numbers = |name| batch.column_by_name(name).unwrap().as_primitive::<UInt64Type>().clone();
    let (keys, values) = (numbers("key"), numbers("value"));
    let deleted = batch.column_by_name("deleted").map(|column| column.as_boolean().clone());
    let row = |row| Row {
        key: keys.value(row),
        value: (!values.is_null(row)).then(|| values.value(row)),
        deleted: deleted.as_ref().is_some_and(|deleted| deleted.value(row)),
    };
    (0..batch.num_rows()).map(row).collect()
}

/// Whether a file is one chunk that covers all hashes. Of several workers none writes such a one: it was folded.
pub(crate) fn is_folded(file: &Path) -> bool {
    if file.extension().is_none_or(|extension| extension != "parquet") {
        return false;
    }
    let chunk = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(file).unwrap()).unwrap();
    let entries = chunk.metadata().file_metadata().key_value_metadata().unwrap();
    let bound = |name| entries.iter().find(|entry| entry.key == name).unwrap().value.as_deref().unwrap();
    bound("millpond.hash_start") == "0".repeat(16) && bound("millpond.hash_end") == "f".repeat(16)
}

/// The sizes of those files that are in `after` and not in `before`.
pub(crate) fn added(before: &BTreeMap<PathBuf, u64>, after: &BTreeMap<PathBuf, u64>) -> Vec<u64> {
    after.iter().filter(|(file, _)| !before.contains_key(*file)).map(|(_, size)| *size).collect()
}

/// A new directory, and a place for a store in it.
pub(crate) fn new_store() -> (tempfile::TempDir, Disk) {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    (directory, Disk(store))
}

impl AsRef<Path> for Disk {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}
