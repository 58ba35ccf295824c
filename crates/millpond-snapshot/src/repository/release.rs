//! What a running job removes as it goes: its own old checkpoints, and the chunks that only they named.
//!
//! This is cheap because it looks at one job. Whatever another job may name is left to garbage
//! collection: chunks that another job wrote, and all chunks once another job began from here.

use std::collections::BTreeSet;

use super::marks::{Protection, protected};
use crate::Result;
use crate::ids::{ChunkHash, JobName, Sequence};
use crate::log::{Entry, JobLog};
use crate::store::Store;
use crate::store::layout::{self, ObjectKind};

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// Log entries.
    pub entries: usize,
    /// Objects that held chunks.
    pub objects: usize,
    /// Snapshots that were not removed after all: somebody gave them a name, pinned them or began from them meanwhile.
    pub kept: Vec<Sequence>,
}

/// Removes entries of a job, and the objects that they named and that `remaining`, which are all other
/// snapshots of the job, do not name.
///
/// The entries go first. If this is interrupted, objects stay behind that garbage collection finds. An entry that is tagged,
/// pinned or the origin of another job when it has gone is put back, and its objects stay; if this process dies before it
/// does that, whoever looks for the entry does it.
pub async fn release(store: &Store, job: &JobName, removed: &[Entry], remaining: &[Entry]) -> Result<Released> {
    if removed.is_empty() {
        return Ok(Released::default());
    }
    store.delete_all(removed.iter().map(|entry| layout::entry(job, entry.sequence)).collect()).await?;
    // In this order: whoever marks one of these snapshots, or begins from it, writes that before reading it again, so
    // either it is seen here or the snapshot was already gone there.
    let protected = protected(store, job).await?;
    let (back, gone): (Vec<&Entry>, Vec<&Entry>) =
        removed.iter().partition(|entry| protected.contains_key(&entry.sequence));
    let log = JobLog::open(store, job);
    for &entry in &back {
        log.append(entry).await?;
    }
    // Whoever finds an entry gone makes no copy of it.
    let copies = gone.iter().map(|entry| layout::kept(job, entry.sequence)).collect::<Vec<_>>();
    let kept = back.iter().map(|entry| entry.sequence).collect();
    let mut released = Released { entries: gone.len(), objects: 0, kept };
    if protected.values().flatten().any(|why| matches!(why, Protection::Origin(_))) {
        store.delete_all(copies).await?;
        return Ok(released);
    }
    let named = objects(remaining.iter().chain(back), None);
    let unnamed = objects(gone, Some(job));
    let unnamed: Vec<_> = unnamed.difference(&named).map(|(hash, kind)| layout::object(*hash, *kind)).collect();
    released.objects = unnamed.len();
    store.delete_all(unnamed.into_iter().chain(copies).collect()).await?;
    Ok(released)
}

/// The objects that entries name, of chunks that `written_by` wrote.
fn objects<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    written_by: Option<&JobName>,
) -> BTreeSet<(ChunkHash, ObjectKind)> {
    entries
        .into_iter()
        .filter_map(Entry::snapshot)
        .flat_map(|record| record.manifest.chunks())
        .filter(|chunk| written_by.is_none_or(|job| chunk.job == *job))
        .map(|chunk| chunk.object())
        .collect()
}
