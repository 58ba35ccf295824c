//! Copies of the entries of snapshots that somebody marked.
//!
//! Whoever removes a snapshot deletes its entry, looks for marks then, and puts it back if there is one. Should it die in
//! between, the entry would be gone although somebody was told that the snapshot is kept. So whoever marks one
//!
//! 1. writes the mark,
//! 2. reads the entry: if it has gone, the mark is taken away, and nothing was promised,
//! 3. writes a copy of the entry, and only then says that the snapshot is marked.
//!
//! A copy says that the entry was there behind the mark: whoever removed it later has seen the mark, and has deleted no chunk.
//! So an entry that is missing, marked and copied can be put back, by anybody and at any time. A copy goes with its entry.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::SnapshotAddress;
use super::jobs::JobSummary;
use super::marks::{Protection, protected};
use crate::ids::{JobName, Sequence};
use crate::log::{ContinueDecision, Entry, EntryBody, JobLog, MAX_ENTRY_BYTES, SnapshotId, continue_from};
use crate::store::{Store, layout};
use crate::{Error, Result};

/// How long a job may take from its fork record to its start entry, and anybody from a mark to the copy.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Copies the entry of a snapshot that has just been marked. `false` if there is none any more.
pub(super) async fn keep(store: &Store, id: &SnapshotId) -> Result<bool> {
    let entry = layout::entry(&id.job, id.sequence);
    let Some(bytes) = store.get(&entry, MAX_ENTRY_BYTES).await? else {
        return put_back(store, id).await;
    };
    store.put_if_absent(&layout::kept(&id.job, id.sequence), bytes).await?;
    Ok(true)
}

/// Puts an entry back that was lost to somebody who died while removing it. `false` if it is gone for good.
pub(super) async fn put_back(store: &Store, id: &SnapshotId) -> Result<bool> {
    let Some(bytes) = store.get(&layout::kept(&id.job, id.sequence), MAX_ENTRY_BYTES).await? else {
        return Ok(false);
    };
    if !is_promised(store, id).await? {
        return Ok(false);
    }
    tracing::info!("{id} was lost to somebody who died while removing it, and is put back: it is marked");
    store.put_if_absent(&layout::entry(&id.job, id.sequence), bytes).await?;
    Ok(true)
}

/// Forgets copies of entries that have gone.
pub(super) async fn forget(store: &Store, job: &JobName, gone: impl Iterator<Item = Sequence>) -> Result<()> {
    store.delete_all(gone.map(|sequence| layout::kept(job, sequence)).collect()).await
}

/// Whether somebody counts on a snapshot: a tag or a pin does, and a job that is beginning from it or has none of its own
/// yet.
async fn is_promised(store: &Store, id: &SnapshotId) -> Result<bool> {
    let marks = protected(store, &id.job).await?.remove(&id.sequence).unwrap_or_default();
    if marks.iter().any(|mark| !matches!(mark, Protection::Origin(_))) {
        return Ok(true);
    }
    for (other, recorded) in forks(store, &id.job).await?.remove(&id.sequence).unwrap_or_default() {
        let entries = JobLog::open(store, &other).entries().await?;
        let goes_on = continue_from(&entries) == ContinueDecision::From(SnapshotAddress::Entry(id.clone()));
        if goes_on || (is_young(recorded) && !has_begun(&entries, id)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_young(time: Timestamp) -> bool {
    Timestamp::now().duration_since(time) < HOUR
}

/// Whether a run of a job began from a snapshot.
fn has_begun(entries: &[Entry], id: &SnapshotId) -> bool {
    let address = SnapshotAddress::Entry(id.clone());
    entries.iter().any(|entry| match &entry.body {
        EntryBody::Start { restored_from, .. } => restored_from.as_ref() == Some(&address),
        _ => false,
    })
}

/// The jobs that recorded that they begin from snapshots of a job, and when.
async fn forks(store: &Store, job: &JobName) -> Result<BTreeMap<Sequence, Vec<(JobName, Timestamp)>>> {
    let mut forks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for object in store.list(&layout::forks(job)).await? {
        // Number 0 is no entry's.
        if let Some((sequence, other)) = layout::parse_fork(&object.path).filter(|(sequence, _)| sequence.0 > 0) {
            forks.entry(sequence).or_default().push((other, object.modified));
        }
    }
    Ok(forks)
}

/// The entries that are missing in the logs of `jobs`, as they were read, and that somebody was promised. They are put back
/// unless `dry_run`; copies that nobody needs any more are deleted.
///
/// # Errors
/// [`Error::Conflict`] if somebody is just marking a snapshot that somebody else is just removing: which chunks it names, the
/// copy will tell in a moment.
pub(super) async fn missing(store: &Store, jobs: &[JobSummary], dry_run: bool) -> Result<Vec<Entry>> {
    let mut missing = Vec::new();
    for JobSummary { job, entries } in jobs {
        let there: BTreeSet<Sequence> = entries.iter().map(|entry| entry.sequence).collect();
        // In this order: a snapshot that was marked when its entry was read last has a mark now, and a copy soon.
        let marked = marked_lately(store, job, jobs).await?;
        let copies = store.list(&layout::all_kept(job)).await?;
        let copies: Vec<Sequence> = copies.iter().filter_map(|copy| layout::parse_entry(&copy.path)).collect();
        let bare = |sequence: &&Sequence| !there.contains(sequence) && !copies.contains(sequence);
        if let Some(sequence) = marked.iter().find(bare) {
            return Err(Error::Conflict(format!(
                "{job}@{sequence} was marked a moment ago while it was being removed, and which chunks it names is not known; \
                 collect again later"
            )));
        }
        for sequence in copies.into_iter().filter(|sequence| !there.contains(sequence)) {
            let id = SnapshotId { job: job.clone(), sequence };
            if !is_promised(store, &id).await? {
                if !dry_run {
                    forget(store, job, std::iter::once(sequence)).await?;
                }
                continue;
            }
            let path = layout::kept(job, sequence);
            if let Some(bytes) = store.get(&path, MAX_ENTRY_BYTES).await? {
                missing.push(Entry::parse(path.as_ref(), &bytes)?);
            }
            if !dry_run {
                put_back(store, &id).await?;
            }
        }
    }
    Ok(missing)
}

/// The snapshots of a job that were marked within the last hour, by somebody who may not have copied the entry yet.
async fn marked_lately(store: &Store, job: &JobName, jobs: &[JobSummary]) -> Result<BTreeSet<Sequence>> {
    let mut marked = BTreeSet::new();
    for object in store.list(&layout::pins(job)).await?.into_iter().filter(|pin| is_young(pin.modified)) {
        marked.extend(layout::parse_entry(&object.path));
    }
    let tags = super::marks::tags(store, job).await?;
    marked.extend(tags.values().filter(|tag| is_young(tag.time)).map(|tag| tag.sequence));
    for (sequence, others) in forks(store, job).await? {
        let id = SnapshotId { job: job.clone(), sequence };
        let begins = |(other, recorded): &(JobName, Timestamp)| {
            let of_other = jobs.iter().find(|job| job.job == *other);
            is_young(*recorded) && !of_other.is_some_and(|job| has_begun(&job.entries, &id))
        };
        if others.iter().any(begins) {
            marked.insert(sequence);
        }
    }
    Ok(marked)
}
