//! What the tests of the file source share: files, and readers that are run to their end.

mod csv;
mod follow;
mod json_lines;
mod listing;
mod moved;
mod positions;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{FileSplit, Files, Parsed};
use crate::runtime::failure::UserError;
use crate::source::{ReadBatch, ReadStatus, Source, SourcePosition, SplitReader};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    count: Option<i64>,
}

fn row(name: &str, count: impl Into<Option<i64>>) -> Row {
    Row { name: name.into(), count: count.into() }
}

/// A file with `content` in a directory of its own.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().canonicalize().unwrap().join(name);
    fs::write(&path, content).unwrap();
    (dir, path)
}

fn append(path: &Path, content: &str) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(content.as_bytes()).unwrap();
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn start(path: &Path) -> FileSplit {
    FileSplit { path: path.to_owned(), offset: 0, lines: 0 }
}

/// Reads on until there is nothing for now, or an error.
fn drain<R: SplitReader>(reader: &mut R) -> Result<(Vec<R::Item>, ReadStatus), UserError> {
    let mut out = ReadBatch::new();
    loop {
        let status = reader.read(3, &mut out)?;
        if status != ReadStatus::More {
            return Ok((out.into_pairs().map(|(record, _)| record).collect(), status));
        }
    }
}

fn read<S: Source<Split = FileSplit>>(source: &S, path: &Path) -> Result<Vec<S::Item>, UserError> {
    let (records, status) = drain(&mut source.open(start(path))?)?;
    assert_eq!(status, ReadStatus::Finished);
    Ok(records)
}

fn read_csv(content: impl AsRef<[u8]>) -> Result<Vec<Row>, UserError> {
    let (_dir, path) = file("in.csv", content);
    read(&Files::csv::<Row>([&path]), &path)
}

fn read_json(content: impl AsRef<[u8]>) -> Result<Vec<Row>, UserError> {
    let (_dir, path) = file("in.jsonl", content);
    read(&Files::json_lines::<Row>([&path]), &path)
}

/// What a strict reader says, and where a tolerant one goes on.
fn malformed(content: impl AsRef<[u8]>, csv: bool) -> (String, Vec<Parsed<Row>>) {
    let (_dir, path) = file("in", content);
    let source = || {
        if csv { Files::csv::<Row>([&path]) } else { Files::json_lines::<Row>([&path]) }.max_record_bytes(100_000)
    };
    let error = read(&source(), &path).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    (error, read(&source().tolerant(), &path).unwrap())
}
