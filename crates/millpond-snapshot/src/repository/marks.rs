//! What people and other jobs say about a snapshot: tags, pins and forks.
//!
//! Each is a small object of its own, created once, so that two people cannot overwrite each other's.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::ids::{JobName, Sequence, Tag};
use crate::log::SnapshotId;
use crate::store::{Store, layout};
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
