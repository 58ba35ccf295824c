//! A snapshot as a directory that needs no store.
//!
//! ```text
//! millpond.json                                       what this directory is, and which file is which chunk
//! snapshot.json                                       the log entry that is the snapshot
//! 00-sum/total/000-base-1a2b3c4d.parquet              the chunks, by operator and state
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::Resolved;
use crate::ids::ChunkHash;
use crate::log::{Entry, EntryBody, MAX_ENTRY_BYTES};
use crate::store::{OpenMode, PutOutcome, Store, layout};
use crate::{Error, Result};

/// What was exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Chunks.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// The content of an exported directory's `millpond.json`.
#[derive(Serialize, Deserialize)]
struct Marker {
    format: String,
    version: u64,
    files: BTreeMap<ChunkHash, String>,
}

const FORMAT: &str = "millpond-export";
const VERSION: u64 = 1;

/// Writes a snapshot to a directory, or to a place in a bucket, that holds no other. What makes the
/// directory a snapshot is written last: it is complete, or it is none.
///
/// ```no_run
/// use millpond_snapshot::repository::{export, resolve};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let snapshot = resolve(&store, "flights@42").await?;
/// let exported = export(&snapshot, "/mnt/carried/flights", |_, _| {}).await?;
/// println!("{} files, {} bytes", exported.files, exported.bytes);
/// // It is a snapshot like any other, wherever it is carried.
/// resolve(&store, "/mnt/carried/flights").await?;
/// # Ok(())
/// # }
/// ```
pub async fn export(from: &Resolved, to: &str, mut progress: impl FnMut(u64, u64)) -> Result<Exported> {
    let mut entry = from.entry.clone();
    let record = from.record()?;
    let to = Store::connect(to, OpenMode::CreateIfMissing)?;
    if to.info(&layout::marker()).await?.is_some() {
        return Err(Error::Conflict(format!(
            "{} already holds a store or an exported snapshot; export to another directory",
            to.address()
        )));
    }
    let mut files: BTreeMap<ChunkHash, String> = BTreeMap::new();
    let mut exported = Exported::default();
    let total = record.manifest.bytes();
    for (number, operator) in record.manifest.operators.iter().enumerate() {
        for state in &operator.states {
            let folder = format!("{number:02}-{}/{}", plain(operator.uid.as_str()), plain(state.name.as_str()));
            for (place, chunk) in state.chunks.iter().enumerate() {
                let short = &chunk.hash.to_string()[..8];
                let file = format!("{folder}/{place:03}-{}-{short}.parquet", chunk.kind);
                if files.contains_key(&chunk.hash) {
                    continue;
                }
                let bytes = from.store.get_chunk(chunk).await?;
                to.replace(&Path::from(file.as_str()), bytes).await?;
                files.insert(chunk.hash, file);
                exported.files += 1;
                exported.bytes += chunk.bytes;
                progress(exported.bytes, total);
            }
        }
    }
    if let EntryBody::Checkpoint(record) | EntryBody::Savepoint(record) = &mut entry.body {
        let states = record.manifest.operators.iter_mut().flat_map(|operator| &mut operator.states);
        states.flat_map(|state| &mut state.chunks).for_each(|chunk| chunk.pack = None);
    }
    to.replace(&snapshot_path(), json(&snapshot_path(), &entry)?).await?;
    let marker = Marker { format: FORMAT.to_owned(), version: VERSION, files };
    match to.put_if_absent(&layout::marker(), json(&layout::marker(), &marker)?).await? {
        PutOutcome::Created => {
            // Where files were before they had their names: empty now, and of no use to whoever looks.
            if let Some(directory) = to.directory() {
                let _ = std::fs::remove_dir(directory.join(layout::scratch().as_ref()));
            }
            Ok(exported)
        }
        PutOutcome::Exists => {
            Err(Error::Conflict(format!("{} was written to by somebody else meanwhile", to.address())))
        }
    }
}

/// Opens an exported directory, which needs no store.
///
/// ```no_run
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let snapshot = millpond_snapshot::repository::open_exported("/mnt/carried/flights").await?;
/// println!("{} was taken {}", snapshot.entry.id(), snapshot.entry.time);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NotFound`] if there is none, [`Error::InvalidInput`] if it is a store, [`Error::Unsupported`] if it is of a newer
/// version, and [`Error::Corrupt`] if it is damaged.
pub async fn open_exported(address: &str) -> Result<Resolved> {
    let store = Store::connect(address, OpenMode::Existing).map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound(format!(
            "there is no exported snapshot at {address}: no such directory; a snapshot in a store is named JOB@42, JOB@latest or JOB#tag"
        )),
        other => other,
    })?;
    let path = layout::marker();
    let Some(bytes) = store.get(&path, MAX_ENTRY_BYTES).await? else {
        return Err(Error::NotFound(format!(
            "{address} holds no exported snapshot: it has no millpond.json; check the path"
        )));
    };
    let corrupt = |field: &str, problem: String| Error::corrupt(format!("{address}/{path}"), field, problem);
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| corrupt("json", error.to_string()))?;
    if value.get("format").and_then(|format| format.as_str()) == Some("millpond-store") {
        return Err(Error::InvalidInput(format!(
            "{address} is a store, and not an exported snapshot; give it as the store, and name a snapshot in it, such as JOB@latest"
        )));
    }
    match value.get("version").and_then(|version| version.as_u64()) {
        Some(found) if found > VERSION => {
            let file = format!("{address}/{path}");
            return Err(Error::Unsupported { file, what: "export version", found, newest: VERSION });
        }
        Some(VERSION) => {}
        _ => {
            return Err(corrupt("version", format!("expected {VERSION}, found {:?}", value.get("version"))));
        }
    }
    let marker: Marker = serde_json::from_value(value).map_err(|error| corrupt("json", error.to_string()))?;
    if marker.format != FORMAT {
        return Err(corrupt("format", format!("expected {FORMAT:?}, found {:?}", marker.format)));
    }
    let mut files = BTreeMap::new();
    for (hash, file) in marker.files {
        let path = Path::parse(&file).map_err(|error| corrupt("files", error.to_string()))?;
        files.insert(hash, path);
    }

    let path = snapshot_path();
    let Some(bytes) = store.get(&path, MAX_ENTRY_BYTES).await? else {
        return Err(Error::corrupt(format!("{address}/{path}"), "object", "it is not there"));
    };
    let entry: Entry = Entry::parse(&format!("{address}/{path}"), &bytes)?;
    if entry.snapshot().is_none() {
        let problem = format!("expected a snapshot, found a {}", entry.body.kind());
        return Err(Error::corrupt(format!("{address}/{path}"), "body", problem));
    }
    Ok(Resolved { store: store.with_files(Arc::new(files)), entry })
}

fn snapshot_path() -> Path {
    Path::from("snapshot.json")
}

fn json(path: &Path, value: &impl Serialize) -> Result<Bytes> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| Error::corrupt(path, "json", error))?;
    Ok(bytes.into())
}

/// A name with nothing in it that a file system or a shell minds.
fn plain(name: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }
    };
    name.chars().take(60).map(safe).collect()
}
