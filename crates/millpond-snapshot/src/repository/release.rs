//! What a running job removes as it goes: its own old checkpoints, and the chunks that only they named.
//!
//! This is cheap because it looks at one job. Whatever another job may name is left to garbage
//! collection: chunks that another job wrote, and all chunks once another job began from here.

use std::collections::BTreeSet;

use super::marks::is_forked;
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
pub async fn release(store: &Store, job: &JobName, removed: &[Entry], remaining: &[Entry]) -> Result<Released> {
    let mut released = Released { entries: removed.len(), objects: 0 };
    store.delete_all(removed.iter().map(|entry| layout::entry(job, entry.sequence)).collect()).await?;
    // In this order: whoever begins from one of these snapshots records the fork before reading it,
    // so either the fork is seen here or the snapshot was already gone there.
    if is_forked(store, job).await? {
        return Ok(released);
    }
    let named = objects(remaining, None);
    let unnamed = objects(removed, Some(job));
    let unnamed: Vec<_> = unnamed.difference(&named).map(|(hash, kind)| layout::object(*hash, *kind)).collect();
    released.objects = unnamed.len();
    store.delete_all(unnamed).await?;
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
