//! Removing one snapshot that a person names.

use std::collections::BTreeSet;

use super::SnapshotAddress;
use super::jobs::jobs;
use super::marks::{Protection, beginning, protected};
use super::resolve::read_entry;
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
}

/// Removes a snapshot: its log entry, at once, and what only it named, with the next garbage
/// collection.
///
/// # Errors
/// [`Error::Conflict`] if the snapshot is tagged or pinned, if a job began from it and has none of its own
/// yet, or may be about to, or if a run goes on from it.
pub async fn remove(store: &Store, id: &SnapshotId, dry_run: bool) -> Result<Removal> {
    let entry = read_entry(store, id).await?;
    let jobs = jobs(store).await?;
    let mut why: Vec<String> = Vec::new();
    let protections = protected(store, &id.job).await?.remove(&id.sequence);
    for protection in protections.into_iter().flatten() {
        // A job needs its origin only until it has a snapshot of its own, which is seen below.
        if !matches!(protection, Protection::Origin(_)) {
            why.push(protection.to_string());
        }
    }
    let address = SnapshotAddress::Entry(id.clone());
    for other in beginning(store, id).await?.into_keys() {
        let begun = jobs.iter().filter(|job| job.job == other).flat_map(|job| &job.entries);
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
    let bytes = own.iter().map(|chunk| chunk.bytes).sum();
    if !dry_run {
        delete(store, &entry, is_head).await?;
    }
    Ok(Removal { id: id.clone(), objects: objects.len(), bytes })
}

async fn delete(store: &Store, entry: &Entry, is_head: bool) -> Result<()> {
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
    let before = beginning(store, &id).await?;
    store.delete(&layout::entry(&id.job, id.sequence)).await?;
    // Whoever begins from it records that before reading it again: either the record is seen here, or
    // the snapshot was gone there.
    if beginning(store, &id).await? != before {
        log.append(entry).await?;
        return Err(refused("a job began from it"));
    }
    // The same for whoever tags or pins it.
    let marks = protected(store, &id.job).await?.remove(&id.sequence).unwrap_or_default();
    if let Some(mark) = marks.iter().find(|why| !matches!(why, Protection::Origin(_))) {
        log.append(entry).await?;
        return Err(Error::Conflict(format!("{id} is not removed: {mark} since a moment ago")));
    }
    Ok(())
}
