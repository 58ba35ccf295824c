//! Removing one snapshot that a person names.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use object_store::path::Path;

use super::SnapshotAddress;
use super::jobs::jobs;
use super::kept::forget;
use super::marks::{LIMIT, Protection, beginning, protected};
use super::resolve::read_entry;
use crate::chunk::ChunkRef;
use crate::ids::{JobName, Tag};
use crate::log::{AppendOutcome, Entry, EntryBody, JobLog, SnapshotId};
use crate::store::{Store, layout};
use crate::{Error, Result};

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The snapshot.
    pub id: SnapshotId,
    /// The objects that only it named, which garbage collection will delete.
    pub objects: usize,
    /// About how many bytes that frees.
    pub bytes: u64,
    /// The names that went with it.
    pub tags: Vec<Tag>,
}

/// How a snapshot is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoveOptions {
    /// Only say what would be freed.
    pub dry_run: bool,
    /// Take its tags away with it, rather than refuse.
    pub with_tags: bool,
}

/// Removes a snapshot: its log entry, at once, and what only it named, with the next garbage
/// collection.
///
/// ```no_run
/// use millpond_snapshot::repository::{RemoveOptions, remove};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let options = RemoveOptions { dry_run: true, ..RemoveOptions::default() };
/// let would = remove(&store, &"flights@42".parse()?, options).await?;
/// println!("{} bytes would be freed", would.bytes);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Conflict`] if the snapshot is pinned, or tagged and that is not to go with it, if a job began from it and
/// has none of its own yet, or may be about to, or if a run goes on from it.
pub async fn remove(store: &Store, id: &SnapshotId, options: RemoveOptions) -> Result<Removal> {
    let entry = match read_entry(store, id).await {
        Err(error @ Error::NotFound(_)) => {
            // Of an attempt that was interrupted.
            forget(store, &id.job, std::iter::once(id.sequence)).await?;
            return Err(error);
        }
        entry => entry?,
    };
    let jobs = jobs(store).await?;
    let mut why: Vec<String> = Vec::new();
    let marks = protected(store, &id.job).await?.remove(&id.sequence).unwrap_or_default();
    for mark in marks.iter().filter(|mark| hinders(mark, |_| options.with_tags)) {
        why.push(match mark {
            Protection::Tagged(tag) => {
                format!("{mark}; `millpond snapshots untag {}#{tag}` takes the name away", id.job)
            }
            _ => format!("{mark}; `millpond snapshots unpin {id}` takes the pin away"),
        });
    }
    // Those that hinder are not among them: nothing is removed then.
    let tag = |mark| match mark {
        Protection::Tagged(tag) => Some(tag),
        _ => None,
    };
    let tags: Vec<Tag> = marks.into_iter().filter_map(tag).collect();
    let address = SnapshotAddress::Entry(id.clone());
    let forks = beginning(store, id).await?;
    for other in forks.keys() {
        let begun = jobs.iter().filter(|job| job.job == *other).flat_map(|job| &job.entries);
        let begun = begun.filter(|entry| match &entry.body {
            EntryBody::Start { restored_from, .. } => restored_from.as_ref() == Some(&address),
            _ => false,
        });
        if begun.count() == 0 {
            why.push(format!("job {other} is beginning from it"));
        }
    }
    let mut is_head = false;
    for job in &jobs {
        if job.in_use().as_ref() == Some(&address) {
            why.push(format!("job {} goes on from it", job.job));
        }
        if job.entries.last().is_some_and(|head| head.id() == *id) {
            is_head = true;
            if job.is_unfinished() {
                why.push("the next entry of its log belongs to a run".to_owned());
            }
        }
    }
    if !why.is_empty() {
        return Err(Error::Conflict(format!("{id} is not removed: {}", why.join(", and "))));
    }

    let others = jobs.iter().flat_map(|job| job.snapshots()).filter(|other| other.id() != *id);
    let named: BTreeSet<_> =
        others.filter_map(Entry::snapshot).flat_map(|r| r.manifest.chunks()).map(|c| c.object()).collect();
    let own = entry.snapshot().into_iter().flat_map(|record| record.manifest.chunks());
    let own: Vec<_> = own.filter(|chunk| !named.contains(&chunk.object())).collect();
    let objects: BTreeSet<_> = own.iter().map(|chunk| chunk.object()).collect();
    let bytes = ChunkRef::bytes_of(own.iter().copied());
    if !options.dry_run {
        // Before it: a marked entry that is missing is put back.
        let mut names = Vec::new();
        for tag in &tags {
            names.extend(take_tag(store, id, tag).await?);
        }
        if let Err(refused) = delete(store, &entry, is_head, &forks).await {
            // A snapshot that stays keeps its names, as far as nobody else has taken them.
            for (path, mark) in names {
                store.put_if_absent(&path, mark).await?;
            }
            return Err(refused);
        }
        forget(store, &id.job, std::iter::once(id.sequence)).await?;
    }
    Ok(Removal { id: id.clone(), objects: objects.len(), bytes, tags })
}

/// Whether a mark keeps a snapshot from being removed; `goes` tells of a tag that it goes along. A job needs its origin
/// only until it has a snapshot of its own, which is looked for apart.
fn hinders(mark: &Protection, goes: impl Fn(&Tag) -> bool) -> bool {
    match mark {
        Protection::Tagged(tag) => !goes(tag),
        Protection::Pinned(_) => true,
        Protection::Origin(_) => false,
    }
}

/// Takes a name away from a snapshot; gives what it takes to give it back.
async fn take_tag(store: &Store, id: &SnapshotId, tag: &Tag) -> Result<Option<(Path, Bytes)>> {
    let path = layout::tag(&id.job, tag);
    let mark = store.get(&path, LIMIT).await?;
    store.delete(&path).await?;
    Ok(mark.map(|mark| (path, mark)))
}

/// Deletes an entry of which only `forks` were known to begin from it.
async fn delete(store: &Store, entry: &Entry, is_head: bool, forks: &BTreeMap<JobName, Timestamp>) -> Result<()> {
    let id = entry.id();
    let log = JobLog::open(store, &id.job);
    let refused = |why: &str| Error::Conflict(format!("{id} is not removed: {why} meanwhile"));
    if is_head {
        // Somebody stands behind it first, so that its number is not given again.
        let (next, body) = (id.sequence.next(), EntryBody::Removed { snapshot: id.sequence });
        let behind = Entry::new(id.job.clone(), next, next, body)?;
        if log.append(&behind).await? == AppendOutcome::Taken {
            return Err(refused("a run of its job began"));
        }
    }
    store.delete(&layout::entry(&id.job, id.sequence)).await?;
    // Whoever begins from it records that before reading it again: either the record is seen here, or
    // the snapshot was gone there.
    if beginning(store, &id).await? != *forks {
        log.append(entry).await?;
        return Err(refused("a job began from it"));
    }
    // The same for whoever tags or pins it.
    let marks = protected(store, &id.job).await?.remove(&id.sequence).unwrap_or_default();
    if let Some(mark) = marks.iter().find(|mark| hinders(mark, |_| false)) {
        log.append(entry).await?;
        return Err(Error::Conflict(format!("{id} is not removed: {mark} since a moment ago")));
    }
    Ok(())
}
