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
    /// That it had been copied there before, and is not there twice now.
    pub before: bool,
    /// The objects that were written there.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The objects that were there already.
    pub present: usize,
}

/// Copies a snapshot into the log of a job of the same name, or of `job`, in another store. Each object
/// is checked against its hash on the way. If this is interrupted, doing it again copies what is
/// still missing; what was copied before and is still there keeps its number. `progress` is told how many bytes
/// of how many are there.
///
/// ```no_run
/// use millpond_snapshot::repository::{copy, resolve};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let there = Store::open("s3://elsewhere/millpond", OpenMode::CreateIfMissing).await?;
/// let snapshot = resolve(&store, "flights@42").await?;
/// let copied = copy(&snapshot, &there, None, |_, _| {}).await?;
/// println!("{}: {} objects copied, {} there already", copied.id, copied.objects, copied.present);
/// # Ok(())
/// # }
/// ```
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
    let earlier = earlier(from, to, job).await?;
    let before = earlier.is_some();
    let id = match earlier {
        Some(id) => id,
        None => {
            publish(from, to, &room.id).await?;
            room.id
        }
    };
    // What was there may have been removed and collected before this entry named it again.
    for chunk in &chunks {
        if to.info(&chunk.path()).await?.is_none() {
            carry_object(store, to, chunk).await?;
        }
    }
    Ok(Copied { id, before, objects, bytes, present })
}

/// The snapshot that an earlier copy made. Addresses of stores say little of what stands there now, so it must hold the
/// same state too.
async fn earlier(from: &Resolved, to: &Store, job: &JobName) -> Result<Option<SnapshotId>> {
    let (record, origin) = (from.record()?, origin(from));
    let entries = JobLog::open(to, job).entries().await?;
    let same = |copy: &&Entry| {
        let copy = copy.snapshot();
        copy.is_some_and(|copy| copy.copied_from.as_ref() == Some(&origin) && copy.manifest == record.manifest)
    };
    Ok(entries.iter().find(same).map(Entry::id))
}

fn origin(from: &Resolved) -> CopiedFrom {
    CopiedFrom { store: from.store.address().to_owned(), id: from.entry.id() }
}

async fn publish(from: &Resolved, to: &Store, id: &SnapshotId) -> Result<()> {
    let mut record = from.record()?.clone();
    record_writers(to, &id.job, &record.manifest).await?;
    record.copied_from = Some(origin(from));
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
