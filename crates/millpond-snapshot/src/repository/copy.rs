//! Copying a snapshot to another store: only what is missing there.

use std::collections::BTreeSet;

use object_store::path::Path;

use super::Resolved;
use super::jobs::{JobSummary, jobs};
use super::marks::record_fork;
use crate::chunk::{ChunkRef, MAX_CHUNK_BYTES};
use crate::ids::{ChunkHash, JobName, Sequence};
use crate::log::{AppendOutcome, CopiedFrom, Entry, EntryBody, JobLog, SnapshotId};
use crate::store::Store;
use crate::{Error, Result};

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The snapshot in the other store.
    pub id: SnapshotId,
    /// The objects that were written there.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The objects that were there already.
    pub present: usize,
}

/// Copies a snapshot into the log of a job of the same name, or of `job`, in another store. Each object
/// is checked against its hash on the way. If this is interrupted, doing it again copies what is
/// still missing. `progress` is told how many bytes of how many are there.
///
/// # Errors
/// [`Error::Conflict`] if the job has an unfinished run there: a new entry in its log would fence it.
/// [`Error::Corrupt`] if the snapshot is not whole; nothing is published then.
pub async fn copy(
    from: &Resolved,
    to: &Store,
    job: Option<&JobName>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied> {
    let record = from.record()?;
    let job = job.unwrap_or(&from.entry.job).clone();
    let there = jobs(to).await?;
    let rival = there.iter().find(|other| other.job == job);
    if rival.is_some_and(JobSummary::is_unfinished) {
        return Err(Error::Conflict(format!(
            "job {job} in {} has a run that has not ended, and a copy in its log would end it; stop it, or copy under another job's name",
            to.address()
        )));
    }
    // Not after whatever the log holds by the time of publishing: that may be a run.
    let head = rival.and_then(|job| job.entries.last());
    let sequence = head.map_or(Sequence::FIRST, |head| head.sequence.next());

    let (store, mut files) = (&from.store, BTreeSet::new());
    let chunks: Vec<&ChunkRef> =
        record.manifest.chunks().filter(|chunk| files.insert(store.chunk_path(chunk))).collect();
    // What snapshots there name will stay; what else is there may be about to be collected.
    let named: BTreeSet<Path> = there
        .iter()
        .flat_map(|job| job.snapshots())
        .filter_map(Entry::snapshot)
        .flat_map(|record| record.manifest.chunks().map(ChunkRef::path))
        .collect();
    let id = SnapshotId { job, sequence };
    let mut copied = Copied { id, objects: 0, bytes: 0, present: 0 };
    let total = chunks.iter().map(|chunk| chunk.bytes).sum();
    let mut done = 0;
    for chunk in &chunks {
        let present = named.contains(&chunk.path()) && to.info(&chunk.path()).await?.is_some();
        if present || is_young(to, &chunk.path()).await? {
            copied.present += 1;
        } else {
            copied.bytes += copy_object(store, to, chunk).await?;
            copied.objects += 1;
        }
        done += chunk.bytes;
        progress(done, total);
    }
    let writers: BTreeSet<&JobName> = chunks.iter().map(|chunk| &chunk.job).collect();
    publish(from, to, &copied.id, writers).await?;
    // What was there may have been removed and collected before this entry named it again.
    for chunk in &chunks {
        if to.info(&chunk.path()).await?.is_none() {
            copy_object(store, to, chunk).await?;
        }
    }
    Ok(copied)
}

/// Copies the object that holds a chunk, checked; gives its size.
async fn copy_object(from: &Store, to: &Store, chunk: &ChunkRef) -> Result<u64> {
    let path = from.chunk_path(chunk);
    let (hash, _) = chunk.object();
    let Some(bytes) = from.get(&path, MAX_CHUNK_BYTES).await? else {
        return Err(Error::corrupt(&path, "object", "the manifest names it and it is not there"));
    };
    let found = ChunkHash::of(&bytes);
    if found != hash {
        let problem = format!("expected {hash}, found {found}");
        return Err(Error::corrupt(&path, "BLAKE3 hash", problem));
    }
    let size = bytes.len() as u64;
    // Written anew even if it is there, so that it is young and collection leaves it alone.
    to.replace(&chunk.path(), bytes).await?;
    Ok(size)
}

/// Whether an object was written so lately that collection leaves it alone until it is named: by this
/// copy, in an attempt that was interrupted.
async fn is_young(store: &Store, path: &Path) -> Result<bool> {
    let info = store.info(path).await?;
    let age = info.map(|info| jiff::Timestamp::now().duration_since(info.modified));
    Ok(age.is_some_and(|age| age.as_mins().abs() < 20))
}

async fn publish(from: &Resolved, to: &Store, id: &SnapshotId, writers: BTreeSet<&JobName>) -> Result<()> {
    for writer in writers.into_iter().filter(|writer| **writer != id.job) {
        // Should that job run there too, it must not take these chunks for its own alone. No entry
        // of its log is meant, so the number is one that no entry has.
        let none = SnapshotId { job: writer.clone(), sequence: Sequence(0) };
        record_fork(to, &none, &id.job).await?;
    }
    let mut record = from.record()?.clone();
    let origin = CopiedFrom { store: from.store.address().to_owned(), id: from.entry.id() };
    record.copied_from = Some(origin);
    record.parent = None;
    let body = EntryBody::Savepoint(record);
    let mut entry = Entry::new(id.job.clone(), id.sequence, id.sequence, body)?;
    entry.time = from.entry.time;
    entry.engine_version = from.entry.engine_version.clone();
    match JobLog::open(to, &id.job).append(&entry).await? {
        AppendOutcome::Appended => Ok(()),
        AppendOutcome::Taken => Err(Error::Conflict(format!(
            "something was added to the log of {} in {} meanwhile; copy again, what is there stays",
            id.job,
            to.address()
        ))),
    }
}
