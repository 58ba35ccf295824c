//! Garbage collection: deleting the objects that no snapshot names.
//!
//! An object is deleted if it was listed *before* the logs were read, no log names it, and it is older
//! than anything a running job may still be about to name. That age is what makes collection safe
//! while jobs run: a chunk is never named anew once it has been forgotten, because each chunk that is
//! written is a new one; so the only unnamed objects that will be named are those written since a run
//! last published, and those are too young.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::jobs::{JobSummary, jobs};
use super::kept::missing;
use crate::Result;
use crate::ids::JobName;
use crate::log::Entry;
use crate::store::{ObjectInfo, Store, layout};

/// How to collect.
#[derive(Debug, Clone, Copy)]
pub struct CollectOptions {
    /// How long objects are left alone after they were written, beyond what running jobs need. It
    /// covers clocks that differ and copies under way.
    pub grace: Duration,
    /// Only say what would be deleted.
    pub dry_run: bool,
}

impl Default for CollectOptions {
    fn default() -> Self {
        CollectOptions { grace: Duration::from_secs(3600), dry_run: false }
    }
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The objects that some snapshot names.
    pub named: usize,
    /// Unnamed objects that are too young to be deleted, and their bytes.
    pub young: (usize, u64),
    /// The objects deleted.
    pub deleted: Vec<ObjectInfo>,
    /// The bytes of the objects deleted.
    pub bytes: u64,
    /// The job whose unfinished run holds the oldest of the young objects back, if one does.
    pub held_by: Option<JobName>,
}

/// Deletes the objects of a store that no snapshot names. May be interrupted and run again, and run
/// while jobs run.
///
/// ```no_run
/// use millpond_snapshot::repository::{CollectOptions, collect};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// let would = collect(&store, CollectOptions { dry_run: true, ..CollectOptions::default() }).await?;
/// println!("{} objects, {} bytes", would.deleted.len(), would.bytes);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If any log entry cannot be read, nothing is deleted: what it names is not known. [`Error::Conflict`](crate::Error::Conflict)
/// if somebody marks a snapshot at this moment that somebody else removes.
pub async fn collect(store: &Store, options: CollectOptions) -> Result<Collected> {
    let mut listed = store.list(&layout::objects()).await?;
    listed.retain(|object| layout::parse_object(&object.path).is_some());
    let scratch = store.list(&layout::scratch()).await?;
    let jobs = jobs(store).await?;

    let missing = missing(store, &jobs, options.dry_run).await?;
    let named: BTreeSet<_> = jobs
        .iter()
        .flat_map(JobSummary::snapshots)
        .chain(&missing)
        .filter_map(Entry::snapshot)
        .flat_map(|record| record.manifest.chunks())
        .map(|chunk| chunk.path())
        .collect();
    let (horizon, held_by) = horizon(&jobs, Timestamp::now(), options.grace);
    let mut collected = Collected { named: named.len(), ..Collected::default() };
    for object in listed.into_iter().chain(scratch) {
        if named.contains(&object.path) {
            continue;
        }
        if object.modified >= horizon {
            collected.young.0 += 1;
            collected.young.1 += object.bytes;
            collected.held_by = held_by.clone();
            continue;
        }
        collected.bytes += object.bytes;
        collected.deleted.push(object);
    }
    if !options.dry_run {
        let paths = collected.deleted.iter().map(|object| object.path.clone()).collect();
        store.delete_all(paths).await?;
    }
    Ok(collected)
}

/// The time before which an unnamed object will stay unnamed, and the job that made it earlier than the
/// grace period alone.
fn horizon(jobs: &[JobSummary], now: Timestamp, grace: Duration) -> (Timestamp, Option<JobName>) {
    let published = jobs.iter().filter(|job| job.is_unfinished()).filter_map(|job| {
        let times = job.entries.iter().filter(|entry| entry.publishes()).map(|entry| entry.time);
        Some((times.max()?, &job.job))
    });
    let (time, job) = match published.min() {
        Some((time, job)) if time < now => (time, Some(job.clone())),
        _ => (now, None),
    };
    (time.saturating_sub(grace).unwrap_or(Timestamp::MIN), job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Sequence;
    use crate::log::EntryBody;

    #[test]
    fn a_run_that_has_not_published_holds_back_what_was_written_since_it_began() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let job: JobName = "flights".parse().unwrap();
        let entry = |sequence, time: &str, body| {
            let mut entry = Entry::new(job.clone(), Sequence(sequence), Sequence(1), body).unwrap();
            entry.time = time.parse().unwrap();
            entry
        };
        let start = EntryBody::Start { parallelism: 1, restored_from: None, options: Default::default() };
        let mut summary = JobSummary { job: job.clone(), entries: vec![entry(1, "2026-11-23T05:00:00Z", start)] };
        let grace = Duration::from_secs(3600);
        let time = |text: &str| text.parse::<Timestamp>().unwrap();

        assert_eq!(horizon(&[], now, grace), (time("2026-11-23T11:00:00Z"), None));
        let unfinished = horizon(std::slice::from_ref(&summary), now, grace);
        assert_eq!(unfinished, (time("2026-11-23T04:00:00Z"), Some(job.clone())));
        summary.entries.push(entry(2, "2026-11-23T06:00:00Z", EntryBody::Cancel { retained: false }));
        assert_eq!(horizon(&[summary], now, grace), (time("2026-11-23T11:00:00Z"), None));
    }
}
