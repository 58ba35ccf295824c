//! Entries as bytes.

use serde::Deserialize;

use super::{Entry, FORMAT_VERSION};
use crate::ids::{JobName, Sequence};
use crate::manifest;
use crate::{Error, Result};

/// No entry is larger than this many bytes; a reader refuses one that is.
pub const MAX_ENTRY_BYTES: u64 = 64 << 20;

/// The part of an entry that every version has.
#[derive(Deserialize)]
struct Header {
    format_version: u64,
}

/// The bytes of an entry: JSON for people.
pub(super) fn encode(entry: &Entry) -> Result<Vec<u8>> {
    if let Some(record) = entry.snapshot() {
        record.manifest.check().map_err(|(field, problem)| {
            Error::InvalidInput(format!("cannot publish {}: {field}: {problem}", entry.id()))
        })?;
    }
    let unwritable =
        |why: &dyn std::fmt::Display| Error::InvalidInput(format!("cannot write log entry {}: {why}", entry.id()));
    let bytes = serde_json::to_vec_pretty(entry).map_err(|error| unwritable(&error))?;
    if bytes.len() as u64 > MAX_ENTRY_BYTES {
        let problem =
            format!("it has {} bytes and may have {MAX_ENTRY_BYTES}; keep less in operator state", bytes.len());
        return Err(unwritable(&problem));
    }
    Ok(bytes)
}

/// Reads the entry that stands at `sequence` of `job`.
pub(super) fn decode(file: &str, bytes: &[u8], job: &JobName, sequence: Sequence) -> Result<Entry> {
    let entry = parse(file, bytes)?;
    if entry.job != *job {
        let problem = format!("expected {job}, found {}", entry.job);
        return Err(Error::corrupt(file, "job", problem));
    }
    if entry.sequence != sequence {
        let problem = format!("expected {sequence}, found {}", entry.sequence);
        return Err(Error::corrupt(file, "sequence", problem));
    }
    Ok(entry)
}

impl Entry {
    /// Reads an entry from its bytes, wherever they stand; `file` is what errors call them.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the field that is wrong, [`Error::Unsupported`] the version that is too new.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Entry> {
        parse(file, bytes)
    }
}

fn parse(file: &str, bytes: &[u8]) -> Result<Entry> {
    let header: Header =
        serde_json::from_slice(bytes).map_err(|error| Error::corrupt(file, "format_version", error))?;
    check_version(file, "log format version", header.format_version, FORMAT_VERSION)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let entry: Entry = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Error::corrupt(file, error.path().clone(), error.into_inner()))?;
    if let Some(record) = entry.snapshot() {
        let found = record.manifest.format_version;
        check_version(file, "manifest format version", found, manifest::FORMAT_VERSION)?;
        record.manifest.check().map_err(|(field, problem)| Error::corrupt(file, field, problem))?;
    }
    Ok(entry)
}

fn check_version(file: &str, what: &'static str, found: u64, newest: u64) -> Result<()> {
    match found {
        0 => Err(Error::corrupt(file, what, "versions begin at 1, found 0")),
        found if found > newest => Err(Error::Unsupported { file: file.to_owned(), what, found, newest }),
        _ => Ok(()),
    }
}
