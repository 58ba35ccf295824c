//! Copying a snapshot to another store: only what is missing there.

use super::Resolved;
use super::deposit::{Carried, carry, carry_object, objects, record_writers, room};
use crate::ids::JobName;
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
    progress: impl FnMut(u64, u64),
) -> Result<Copied> {
    let record = from.record()?;
    let job = job.unwrap_or(&from.entry.job);
    // Not after whatever the log holds by the time of publishing: that may be a run.
    let room = room(to, job, "a copy").await?;
    let (store, chunks) = (&from.store, objects(&from.store, &record.manifest));
    let Carried { objects, bytes, present } = carry(store, to, &chunks, &room.named, progress).await?;
    publish(from, to, &room.id).await?;
    // What was there may have been removed and collected before this entry named it again.
    for chunk in &chunks {
        if to.info(&chunk.path()).await?.is_none() {
            carry_object(store, to, chunk).await?;
        }
    }
    Ok(Copied { id: room.id, objects, bytes, present })
}

async fn publish(from: &Resolved, to: &Store, id: &SnapshotId) -> Result<()> {
    let mut record = from.record()?.clone();
    record_writers(to, &id.job, &record.manifest).await?;
    let origin = CopiedFrom { store: from.store.address().to_owned(), id: from.entry.id() };
    record.copied_from = Some(origin);
    record.edited = None;
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
