//! From an address to a snapshot.

use super::{SnapshotAddress, export, kept, marks};
use crate::hash::HashRange;
use crate::ids::{JobName, OperatorUid, StateName};
use crate::log::{Entry, JobLog, SnapshotId, SnapshotRecord};
use crate::manifest::StateSnapshot;
use crate::state::{StateReader, Tombstones};
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
        self.entry.snapshot().ok_or_else(|| not_a_snapshot(&self.entry))
    }

    /// The state of an operator; the error lists those that there are.
    pub fn state(&self, uid: &OperatorUid, name: &StateName) -> Result<&StateSnapshot> {
        let manifest = &self.record()?.manifest;
        let found = manifest.operator(uid).and_then(|operator| operator.state(name));
        found.ok_or_else(|| {
            let names = manifest.states().map(|(operator, state)| format!("{}/{}", operator.uid, state.name));
            let names: Vec<_> = names.collect();
            Error::NotFound(format!("{} has no state {uid}/{name}; it has {}", self.entry.id(), names.join(", ")))
        })
    }

    /// The rows of keyed state whose hash lies in `range`, as a stream of Arrow batches in bounded memory.
    ///
    /// ```no_run
    /// use millpond_snapshot::{Store, hash::HashRange, repository::resolve, store::OpenMode};
    /// # async fn example() -> millpond_snapshot::Result<()> {
    /// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
    /// let snapshot = resolve(&store, "flights@42").await?;
    /// let mut rows = snapshot.read(&"sum".parse()?, &"total".parse()?, HashRange::FULL)?;
    /// while let Some(batch) = rows.next().await? {
    ///     println!("{} rows of {:?}", batch.num_rows(), batch.schema().fields());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such state, [`Error::InvalidInput`] if it belongs to the operator
    /// and not to keys: its rows stand in the manifest.
    pub fn read(&self, uid: &OperatorUid, name: &StateName, range: HashRange) -> Result<StateReader> {
        let state = self.state(uid, name)?;
        if !state.kind.is_keyed() {
            return Err(Error::InvalidInput(format!(
                "{uid}/{name} is {} state, whose rows stand in the manifest and not in chunks",
                state.kind
            )));
        }
        Ok(StateReader::new(&self.store, state.kind, &state.chunks, range, Tombstones::Drop))
    }
}

/// Finds the snapshot at an address.
///
/// ```no_run
/// use millpond_snapshot::repository::resolve;
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let snapshot = resolve(&store, "flights#before-upgrade").await?;
/// println!("{} has {} bytes", snapshot.entry.id(), snapshot.record()?.bytes_total);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::InvalidInput`] for what is no address, [`Error::NotFound`] for an address of nothing; it
/// says which snapshots there are.
pub async fn resolve(store: &Store, address: &str) -> Result<Resolved> {
    let address: SnapshotAddress = address.parse()?;
    let (job, sequence) = match &address {
        SnapshotAddress::Entry(SnapshotId { job, sequence }) => (job, *sequence),
        SnapshotAddress::Latest(job) => {
            let Some(entry) = JobLog::open(store, job).newest_snapshot().await? else {
                return Err(missing(store, job, &address).await?);
            };
            return Ok(Resolved { store: store.clone(), entry });
        }
        SnapshotAddress::Tagged(job, tag) => match marks::read(store, &layout::tag(job, tag)).await? {
            Some(mark) => (job, mark.sequence),
            None => return Err(missing(store, job, &address).await?),
        },
        SnapshotAddress::Directory(path) => return export::open_exported(path).await,
    };
    let id = SnapshotId { job: job.clone(), sequence };
    let entry = read_entry(store, &id).await?;
    Ok(Resolved { store: store.clone(), entry })
}

/// The snapshot of this number.
pub(super) async fn read_entry(store: &Store, id: &SnapshotId) -> Result<Entry> {
    let log = JobLog::open(store, &id.job);
    let found = match log.read(id.sequence).await? {
        None if kept::put_back(store, id).await? => log.read(id.sequence).await?,
        found => found,
    };
    match found {
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
            false => format!("the job has no snapshots; the store holds the jobs {}", jobs.join(", ")),
        }
    };
    Ok(Error::NotFound(format!("there is no snapshot {address} in {}; {there}", store.address())))
}
