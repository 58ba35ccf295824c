//! Whether snapshots are whole: every hash, every row count, every schema.

use std::collections::BTreeMap;

use arrow_schema::{DataType, Schema};
use object_store::path::Path;

use super::Resolved;
use crate::chunk::{ChunkReader, ChunkRef, KEY, MAP_KEY, StateKind, VALUE};
use crate::hash::HashRange;
use crate::ids::{ChunkHash, OperatorUid, StateName};
use crate::log::SnapshotId;
use crate::manifest::{SchemaFields, StateSnapshot};
use crate::store::Store;
use crate::{Error, Result};

/// Something that is wrong, and which snapshots it touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The object, relative to its store.
    pub object: Path,
    /// The operator and the state whose rows stand there.
    pub state: (OperatorUid, StateName),
    /// What is wrong: the field, what was expected and what was found.
    pub problem: String,
    /// The snapshots that name it.
    pub snapshots: Vec<SnapshotId>,
}

/// What was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Chunks, each counted once.
    pub chunks: usize,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong; empty if all is well.
    pub problems: Vec<Problem>,
}

/// Reads all chunks that the snapshots name, each once, and checks everything that is said of them.
/// Memory is bounded by the largest chunk. `progress` is told how many bytes of how many are done.
///
/// ```no_run
/// use millpond_snapshot::repository::{resolve, verify};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let snapshot = resolve(&store, "flights@42").await?;
/// let found = verify(&[snapshot], |done, total| eprintln!("{done} of {total} bytes")).await?;
/// assert_eq!(found.problems, [], "of {} chunks", found.chunks);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Only if the store cannot be read. What is wrong with a chunk is a [`Problem`].
pub async fn verify(snapshots: &[Resolved], mut progress: impl FnMut(u64, u64)) -> Result<Verified> {
    let mut work: BTreeMap<(ChunkHash, Path), Work> = BTreeMap::new();
    for snapshot in snapshots {
        for (operator, state) in snapshot.record()?.manifest.states() {
            for chunk in &state.chunks {
                let key = (chunk.hash, snapshot.store.chunk_path(chunk));
                let work = work.entry(key).or_insert_with(|| Work {
                    store: &snapshot.store,
                    chunk,
                    uid: &operator.uid,
                    state,
                    snapshots: Vec::new(),
                });
                if work.snapshots.last() != Some(&snapshot.entry.id()) {
                    work.snapshots.push(snapshot.entry.id());
                }
            }
        }
    }
    let total = work.values().fold(0u64, |sum, work| sum.saturating_add(work.chunk.bytes));
    let mut verified = Verified::default();
    for ((_, path), work) in work {
        verified.chunks += 1;
        verified.rows += work.chunk.rows;
        verified.bytes = verified.bytes.saturating_add(work.chunk.bytes);
        let problem = match check(work.store, work.chunk, work.state).await {
            Ok(()) => None,
            Err(Error::Corrupt { field, problem, .. }) => Some(format!("{field}: {problem}")),
            Err(error @ Error::Unsupported { .. }) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        verified.problems.extend(problem.map(|problem| Problem {
            object: path,
            state: (work.uid.clone(), work.state.name.clone()),
            problem,
            snapshots: work.snapshots,
        }));
        progress(verified.bytes, total);
    }
    Ok(verified)
}

/// A chunk to be checked, and the first place that names it.
struct Work<'a> {
    store: &'a Store,
    chunk: &'a ChunkRef,
    uid: &'a OperatorUid,
    state: &'a StateSnapshot,
    snapshots: Vec<SnapshotId>,
}

/// Reads a chunk and checks everything that is said of it.
pub(super) async fn check(store: &Store, chunk: &ChunkRef, state: &StateSnapshot) -> Result<()> {
    let bytes = store.get_chunk(chunk).await?;
    let reader = ChunkReader::new(bytes, chunk, state.kind, HashRange::FULL)?;
    check_schema(&chunk.path(), reader.schema(), state)?;
    let mut rows = 0;
    for batch in reader {
        rows += batch?.num_rows() as u64;
    }
    if rows != chunk.rows {
        let problem = format!("the manifest says {}, the chunk has {rows}", chunk.rows);
        return Err(Error::corrupt(chunk.path(), "number of rows", problem));
    }
    Ok(())
}

/// Checks that a chunk's columns are of the types that the manifest says.
fn check_schema(path: &Path, found: &Schema, state: &StateSnapshot) -> Result<()> {
    let mut expected = vec![(KEY, &state.key_schema)];
    if state.kind == StateKind::Map {
        expected.push((MAP_KEY, &state.map_key_schema));
    }
    if state.kind != StateKind::Timers {
        expected.push((VALUE, &state.value_schema));
    }
    for (column, schema) in expected {
        let expected = schema.as_ref().and_then(SchemaFields::data_type);
        let found = found.field_with_name(column).ok().map(|field| field.data_type());
        if let (Some(expected), Some(found)) = (expected, found)
            && !same_type(expected, found)
        {
            let problem = format!("the manifest says {expected}, the chunk {found}");
            return Err(Error::corrupt(path, format!("column {column}"), problem));
        }
    }
    Ok(())
}

/// Whether two types are the same but for metadata.
fn same_type(a: &DataType, b: &DataType) -> bool {
    a.equals_datatype(b)
}
