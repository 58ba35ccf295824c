//! From an address to a snapshot.

use super::{SnapshotAddress, export, marks};
use crate::ids::JobName;
use crate::log::{Entry, JobLog, SnapshotId, SnapshotRecord};
use crate::store::{Store, layout};
use crate::{Error, Result};

/// A snapshot that was found.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The store that holds its chunks.
    pub store: Store,
    /// The entry that is the snapshot.
    pub entry: Entry,
}

impl Resolved {
    /// The snapshot.
    pub fn record(&self) -> Result<&SnapshotRecord> {
        self.entry
            .snapshot()
            .ok_or_else(|| not_a_snapshot(&self.entry))
    }
}

/// Finds the snapshot at an address.
///
/// # Errors
/// [`Error::InvalidInput`] for what is no address, [`Error::NotFound`] for an address of nothing; it
/// says which snapshots there are.
pub async fn resolve(store: &Store, address: &str) -> Result<Resolved> {
    let address: SnapshotAddress = address.parse()?;
    let (job, sequence) = match &address {
        SnapshotAddress::Entry(SnapshotId { job, sequence }) => (job, *sequence),
        SnapshotAddress::Latest(job) => {
            let newest = JobLog::open(store, job).newest_snapshot().await?;
            let entry = newest.ok_or(missing(store, job, &address).await?)?;
            return Ok(Resolved {
                store: store.clone(),
                entry,
            });
        }
        SnapshotAddress::Tagged(job, tag) => {
            match marks::read(store, &layout::tag(job, tag)).await? {
                Some(mark) => (job, mark.sequence),
                None => return Err(missing(store, job, &address).await?),
            }
        }
        SnapshotAddress::Directory(path) => return export::open(path).await,
    };
    let id = SnapshotId {
        job: job.clone(),
        sequence,
    };
    let entry = read_entry(store, &id).await?;
    Ok(Resolved {
        store: store.clone(),
        entry,
    })
}

/// The snapshot of this number.
pub(super) async fn read_entry(store: &Store, id: &SnapshotId) -> Result<Entry> {
    match JobLog::open(store, &id.job).read(id.sequence).await? {
        None => Err(missing(store, &id.job, &SnapshotAddress::Entry(id.clone())).await?),
        Some(entry) if entry.snapshot().is_none() => Err(not_a_snapshot(&entry)),
        Some(entry) => Ok(entry),
    }
}

fn not_a_snapshot(entry: &Entry) -> Error {
    Error::InvalidInput(format!(
        "{} is the record of a {}, and not a snapshot; `millpond snapshots ls` lists those",
        entry.id(),
        entry.body.kind()
    ))
}

/// The error for an address of nothing, with what is near.
async fn missing(store: &Store, job: &JobName, address: &SnapshotAddress) -> Result<Error> {
    let log = JobLog::open(store, job);
    let mut near = Vec::new();
    for sequence in log.sequences().await?.into_iter().rev().take(50) {
        if let Some(entry) = log.read(sequence).await?
            && entry.snapshot().is_some()
        {
            near.push(entry.id().to_string());
            if near.len() == 5 {
                break;
            }
        }
    }
    let there = if !near.is_empty() {
        format!("the newest snapshots are {}", near.join(", "))
    } else {
        let mut jobs = store.list_directories(&layout::jobs()).await?;
        jobs.sort();
        match jobs.is_empty() {
            true => "the store holds no jobs".to_owned(),
            false => format!(
                "the job has no snapshots; the store holds the jobs {}",
                jobs.join(", ")
            ),
        }
    };
    Ok(Error::NotFound(format!(
        "there is no snapshot {address} in {}; {there}",
        store.address()
    )))
}
