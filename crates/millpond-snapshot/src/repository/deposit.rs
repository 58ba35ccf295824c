//! Putting a snapshot into a log that no run took there: a copy, or the result of an edit.
//!
//! The number belongs to whoever comes first, and a run's next number being taken ends the run. So nothing is put into
//! the log of a job that runs, or that died and may go on.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use object_store::path::Path;

use super::jobs::{JobSummary, jobs};
use super::marking::record_fork;
use crate::chunk::{ChunkRef, MAX_CHUNK_BYTES};
use crate::ids::{ChunkHash, JobName, Sequence};
use crate::log::{Entry, SnapshotId};
use crate::manifest::Manifest;
use crate::store::Store;
use crate::{Error, Result};

/// Objects younger than this are left alone by collection long enough to be named. Others are written again.
pub(crate) const FRESH: SignedDuration = SignedDuration::from_mins(20);

/// The end of a log, as it was read.
pub(crate) struct Room {
    /// The number after the last. Whoever puts an entry there knows that no run began meanwhile.
    pub(crate) id: SnapshotId,
    /// The objects that snapshots of the store name. They will stay; what else is there may be about to be collected.
    pub(crate) named: BTreeSet<Path>,
}

/// Where in the log of `job` a snapshot of no run can be put.
///
/// # Errors
/// [`Error::Conflict`] if the job has an unfinished run: `what`, in its log, would end it.
pub(crate) async fn room(store: &Store, job: &JobName, what: &str) -> Result<Room> {
    let there = jobs(store).await?;
    let rival = there.iter().find(|other| other.job == *job);
    if rival.is_some_and(JobSummary::is_unfinished) {
        return Err(Error::Conflict(format!(
            "job {job} in {} has a run that has not ended, and {what} in its log would end it; stop it, or give {what} another job's name",
            store.address()
        )));
    }
    let head = rival.and_then(|job| job.entries.last());
    let sequence = head.map_or(Sequence::FIRST, |head| head.sequence.next());
    let records = there.iter().flat_map(|job| job.snapshots()).filter_map(Entry::snapshot);
    let named = records.flat_map(|record| record.manifest.chunks().map(ChunkRef::path)).collect();
    Ok(Room { id: SnapshotId { job: job.clone(), sequence }, named })
}

/// What was carried from one store to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) objects: usize,
    pub(crate) bytes: u64,
    pub(crate) present: usize,
}

/// The chunks of a manifest, those of one object once.
pub(crate) fn objects<'a>(store: &Store, manifest: &'a Manifest) -> Vec<&'a ChunkRef> {
    let mut files = BTreeSet::new();
    manifest.chunks().filter(|chunk| files.insert(store.chunk_path(chunk))).collect()
}

/// Writes the objects that hold chunks to another store, as far as they are missing there, each checked against its
/// hash. `progress` is told how many bytes of how many are there.
pub(crate) async fn carry(
    from: &Store,
    to: &Store,
    chunks: &[&ChunkRef],
    named: &BTreeSet<Path>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Carried> {
    let mut carried = Carried::default();
    let total = ChunkRef::bytes_of(chunks.iter().copied());
    let mut done = 0;
    for chunk in chunks {
        let present = named.contains(&chunk.path()) && to.info(&chunk.path()).await?.is_some();
        if present || is_fresh(to, &chunk.path()).await? {
            carried.present += 1;
        } else {
            carried.bytes += carry_object(from, to, chunk).await?;
            carried.objects += 1;
        }
        done += chunk.bytes;
        progress(done, total);
    }
    Ok(carried)
}

/// Writes the object that holds a chunk, checked; gives its size.
pub(crate) async fn carry_object(from: &Store, to: &Store, chunk: &ChunkRef) -> Result<u64> {
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

/// Whether an object was written so lately that collection leaves it alone until it is named: in an attempt that was
/// interrupted.
async fn is_fresh(store: &Store, path: &Path) -> Result<bool> {
    let info = store.info(path).await?;
    let age = info.map(|info| Timestamp::now().duration_since(info.modified));
    Ok(age.is_some_and(|age| age.abs() < FRESH))
}

/// Records that `job` names chunks that other jobs wrote. Should one of those run here too, it must not take them for
/// its own alone. No entry of its log is meant, so the number is one that no entry has.
pub(crate) async fn record_writers(store: &Store, job: &JobName, manifest: &Manifest) -> Result<()> {
    let writers: BTreeSet<&JobName> = manifest.chunks().map(|chunk| &chunk.job).collect();
    for writer in writers.into_iter().filter(|writer| *writer != job) {
        let none = SnapshotId { job: writer.clone(), sequence: Sequence(0) };
        record_fork(store, &none, job).await?;
    }
    Ok(())
}
