//! How people and other jobs mark a snapshot, and take the marks away.
//!
//! A mark is a promise: whoever makes one sees to it that the snapshot stays.

use bytes::Bytes;
use object_store::path::Path;

use super::kept::{keep, put_back};
use super::marks::{LIMIT, Mark, read};
use super::resolve::read_entry;
use crate::ids::{JobName, Tag};
use crate::log::{JobLog, SnapshotId};
use crate::store::{PutOutcome, Store, layout};
use crate::{Error, Result};

fn bytes(path: &Path, mark: &Mark) -> Result<Bytes> {
    let bytes = serde_json::to_vec_pretty(mark).map_err(|error| Error::corrupt(path, "json", error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::InvalidInput(format!("a reason of {} bytes is too long", bytes.len())));
    }
    Ok(bytes.into())
}

async fn write(store: &Store, path: &Path, mark: &Mark) -> Result<PutOutcome> {
    match store.put_if_absent(path, bytes(path, mark)?).await {
        // It may be there nevertheless.
        Err(error) if error.may_have_happened() => match read(store, path).await {
            Ok(Some(there)) if there == *mark => Ok(PutOutcome::Created),
            _ => Err(error),
        },
        outcome => outcome,
    }
}

/// Gives a snapshot a name. Naming the same snapshot so again changes nothing.
///
/// ```no_run
/// use millpond_snapshot::repository::{resolve, tag};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// tag(&store, &"flights@42".parse()?, &"before-upgrade".parse()?, Some("ann".into()), None).await?;
/// resolve(&store, "flights#before-upgrade").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Conflict`] if another snapshot of the job has the name, or this one was removed meanwhile; [`Error::NotFound`] and
/// [`Error::InvalidInput`] if there is no such snapshot.
pub async fn tag(
    store: &Store,
    id: &SnapshotId,
    name: &Tag,
    by: Option<String>,
    reason: Option<String>,
) -> Result<()> {
    read_entry(store, id).await?;
    let path = layout::tag(&id.job, name);
    let new = Mark::new(id.sequence, by, reason);
    if write(store, &path, &new).await? == PutOutcome::Created {
        return promise(store, id, &path).await;
    }
    match read(store, &path).await? {
        // Whoever wrote it may not have come further.
        Some(mark) if mark.sequence == id.sequence => promise(store, id, &path).await,
        // The snapshot has gone, and whoever removed it did not come to take its name away.
        Some(mark) if is_gone(store, SnapshotId { sequence: mark.sequence, ..id.clone() }).await? => {
            store.replace(&path, bytes(&path, &new)?).await?;
            promise(store, id, &path).await
        }
        Some(mark) => Err(Error::Conflict(format!(
            "{}#{name} names snapshot {}; remove that tag first, or use another name",
            id.job, mark.sequence
        ))),
        None => Err(Error::Conflict(format!("{}#{name} was removed meanwhile; try again", id.job))),
    }
}

async fn is_gone(store: &Store, id: SnapshotId) -> Result<bool> {
    let entry = JobLog::open(store, &id.job).read(id.sequence).await?;
    Ok(entry.is_none() && !put_back(store, &id).await?)
}

/// Takes a name away. The snapshot stays.
pub async fn untag(store: &Store, job: &JobName, name: &Tag) -> Result<()> {
    let path = layout::tag(job, name);
    if store.info(&path).await?.is_none() {
        return Err(Error::NotFound(format!("there is no tag {job}#{name}")));
    }
    store.delete(&path).await
}

/// Sees to it that nothing removes a snapshot until [`unpin`].
///
/// ```no_run
/// use millpond_snapshot::repository::{pin, unpin};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let id = "flights@42".parse()?;
/// pin(&store, &id, None, Some("audit".into())).await?;
/// unpin(&store, &id).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Conflict`] if it was removed meanwhile; [`Error::NotFound`] and [`Error::InvalidInput`] if there is no such snapshot.
pub async fn pin(store: &Store, id: &SnapshotId, by: Option<String>, reason: Option<String>) -> Result<()> {
    read_entry(store, id).await?;
    let path = layout::pin(&id.job, id.sequence);
    write(store, &path, &Mark::new(id.sequence, by, reason)).await?;
    promise(store, id, &path).await
}

/// Sees to it that a snapshot which has just been marked stays. Whoever removes it looks for marks when it has gone, and puts
/// it back: so either the mark is seen there, or it is seen here that there is nothing to mark, and the mark goes.
async fn promise(store: &Store, id: &SnapshotId, path: &Path) -> Result<()> {
    if keep(store, id).await? {
        return Ok(());
    }
    store.delete(path).await?;
    Err(Error::Conflict(format!("{id} was removed meanwhile; `millpond snapshots ls` lists what there is")))
}

/// Takes a pin away.
pub async fn unpin(store: &Store, id: &SnapshotId) -> Result<()> {
    let path = layout::pin(&id.job, id.sequence);
    if store.info(&path).await?.is_none() {
        return Err(Error::NotFound(format!("{id} is not pinned")));
    }
    store.delete(&path).await
}

/// Records that job `other` begins from a snapshot, now, or shares chunks with it. Recorded again, the
/// record is as young as the last time.
pub(crate) async fn record_fork(store: &Store, id: &SnapshotId, other: &JobName) -> Result<()> {
    let path = layout::fork(&id.job, id.sequence, other);
    store.replace(&path, bytes(&path, &Mark::new(id.sequence, None, None))?).await
}
