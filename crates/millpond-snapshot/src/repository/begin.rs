//! What a job does with a snapshot before it starts from it.

use super::kept::keep;
use super::marking::record_fork;
use super::{Resolved, SnapshotAddress, copy, resolve};
use crate::Result;
use crate::ids::JobName;
use crate::store::Store;

/// Finds the snapshot that `job` is to begin from, and sees to it that it stays: it is marked as the
/// origin of this job, or, if it stands elsewhere, in an exported directory, copied into the job's log. Name the entry that is returned in the start entry.
///
/// # Errors
/// As [`resolve`] and [`copy`].
pub async fn begin_from(store: &Store, address: &str, job: &JobName) -> Result<Resolved> {
    let found = resolve(store, address).await?;
    if let SnapshotAddress::Directory(_) = address.parse()? {
        let copied = copy(&found, store, Some(job), |_, _| {}).await?;
        return resolve(store, &copied.id.to_string()).await;
    }
    // Recorded first and read again afterwards: a snapshot that is still there then is kept.
    let id = found.entry.id();
    record_fork(store, &id, job).await?;
    let found = resolve(store, &id.to_string()).await?;
    match keep(store, &id).await? {
        true => Ok(found),
        false => resolve(store, &id.to_string()).await,
    }
}
