//! What people and other jobs say about a snapshot: tags, pins and forks.
//!
//! Each is a small object of its own, created once, so that two people cannot overwrite each other's.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::kept::{keep, put_back};
use super::resolve::read_entry;
use crate::ids::{JobName, Sequence, Tag};
use crate::log::{JobLog, SnapshotId};
use crate::store::{PutOutcome, Store, layout};
use crate::{Error, Result};

/// The content of a tag, a pin or a fork record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The version of the format.
    pub format_version: u64,
    /// The snapshot that is marked.
    pub sequence: Sequence,
    /// When it was marked.
    pub time: Timestamp,
    /// Who marked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

const FORMAT_VERSION: u64 = 1;
pub(super) const LIMIT: u64 = 64 * 1024;

impl Mark {
    /// A mark made now.
    pub fn new(sequence: Sequence, by: Option<String>, reason: Option<String>) -> Self {
        Mark { format_version: FORMAT_VERSION, sequence, time: Timestamp::now(), by, reason }
    }
}

pub(super) async fn read(store: &Store, path: &Path) -> Result<Option<Mark>> {
    let Some(bytes) = store.get(path, LIMIT).await? else {
        return Ok(None);
    };
    let mark: Mark = serde_json::from_slice(&bytes).map_err(|error| Error::corrupt(path, "json", error))?;
    if mark.format_version > FORMAT_VERSION {
        let (file, found, newest) = (path.to_string(), mark.format_version, FORMAT_VERSION);
        return Err(Error::Unsupported { file, what: "format version", found, newest });
    }
    Ok(Some(mark))
}

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

/// The tags of a job.
pub async fn tags(store: &Store, job: &JobName) -> Result<BTreeMap<Tag, Mark>> {
    let mut tags = BTreeMap::new();
    for object in store.list(&layout::tags(job)).await? {
        if let Some(name) = layout::parse_tag(&object.path)
            && let Some(mark) = read(store, &object.path).await?
        {
            tags.insert(name, mark);
        }
    }
    Ok(tags)
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

/// The jobs that recorded within the last hour that they begin from a snapshot, and when. Before that
/// is over, a start entry says so, or the beginning failed.
pub(super) async fn beginning(store: &Store, id: &SnapshotId) -> Result<BTreeMap<JobName, Timestamp>> {
    let hour_ago = Timestamp::now().saturating_sub(SignedDuration::from_hours(1));
    let hour_ago = hour_ago.unwrap_or(Timestamp::MIN);
    let mut jobs = BTreeMap::new();
    for object in store.list(&layout::forks(&id.job)).await? {
        if let Some((sequence, other)) = layout::parse_fork(&object.path)
            && sequence == id.sequence
            && object.modified >= hour_ago
        {
            jobs.insert(other, object.modified);
        }
    }
    Ok(jobs)
}

/// Why retention leaves a snapshot alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// It has this tag.
    Tagged(Tag),
    /// It is pinned, for this reason.
    Pinned(Option<String>),
    /// This other job began from it.
    Origin(JobName),
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protection::Tagged(tag) => write!(f, "it is tagged {tag}"),
            Protection::Pinned(None) => f.write_str("it is pinned"),
            Protection::Pinned(Some(reason)) => write!(f, "it is pinned ({reason})"),
            Protection::Origin(job) => write!(f, "job {job} began from it"),
        }
    }
}

/// The snapshots of a job that retention leaves alone, and why.
pub async fn protected(store: &Store, job: &JobName) -> Result<BTreeMap<Sequence, Vec<Protection>>> {
    let mut why: BTreeMap<Sequence, Vec<Protection>> = BTreeMap::new();
    for (name, mark) in tags(store, job).await? {
        why.entry(mark.sequence).or_default().push(Protection::Tagged(name));
    }
    for object in store.list(&layout::pins(job)).await? {
        let Some(sequence) = layout::parse_entry(&object.path) else {
            continue;
        };
        let reason = read(store, &object.path).await?.and_then(|mark| mark.reason);
        why.entry(sequence).or_default().push(Protection::Pinned(reason));
    }
    for object in store.list(&layout::forks(job)).await? {
        // A job that went back to a snapshot of its own needs it until it has a newer one, and no longer.
        if let Some((sequence, other)) = layout::parse_fork(&object.path)
            && other != *job
        {
            why.entry(sequence).or_default().push(Protection::Origin(other));
        }
    }
    Ok(why)
}
