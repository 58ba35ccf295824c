//! What a running job removes as it goes: its own old checkpoints, and the chunks that only they named.
//!
//! This is cheap because it looks at one job. Whatever another job may name is left to garbage
//! collection: chunks that another job wrote, and all chunks once another job began from here.

use std::collections::BTreeSet;

use crate::Result;
use crate::ids::{ChunkHash, JobName};
use crate::log::Entry;
use crate::store::Store;
use crate::store::layout::{self, ObjectKind};

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Released {
    /// Log entries.
    pub entries: usize,
    /// Objects that held chunks.
    pub objects: usize,
}

/// Removes entries of a job, and the objects that they named and that `remaining`, which are all other
/// snapshots of the job, do not name.
///
/// The entries go first. If this is interrupted, objects stay behind that garbage collection finds.
pub async fn release(
    store: &Store,
    job: &JobName,
    removed: &[Entry],
    remaining: &[Entry],
) -> Result<Released> {
    let mut released = Released::default();
    for entry in removed {
        store.delete(&layout::entry(job, entry.sequence)).await?;
        released.entries += 1;
    }
    // In this order: whoever begins from one of these snapshots records the fork before reading it,
    // so either the fork is seen here or the snapshot was already gone there.
    if !store.list(&layout::forks(job)).await?.is_empty() {
        return Ok(released);
    }
    let named = objects(remaining, None);
    for (hash, kind) in objects(removed, Some(job)).difference(&named) {
        store.delete(&layout::object(*hash, *kind)).await?;
        released.objects += 1;
    }
    Ok(released)
}

/// The objects that entries name, of chunks that `written_by` wrote.
fn objects(entries: &[Entry], written_by: Option<&JobName>) -> BTreeSet<(ChunkHash, ObjectKind)> {
    entries
        .iter()
        .filter_map(Entry::snapshot)
        .flat_map(|record| record.manifest.chunks())
        .filter(|chunk| written_by.is_none_or(|job| chunk.job == *job))
        .map(|chunk| chunk.object())
        .collect()
}
