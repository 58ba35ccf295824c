//! What there is in a store.

use super::SnapshotAddress;
use crate::Result;
use crate::ids::JobName;
use crate::log::{ContinueDecision, Entry, JobLog, continue_from};
use crate::store::{Store, layout};

/// A job that has a log.
#[derive(Debug, Clone)]
pub struct JobSummary {
    /// Its name.
    pub job: JobName,
    /// Its entries, in order.
    pub entries: Vec<Entry>,
}

impl JobSummary {
    /// The snapshot from which the job goes on if it is started again, because its last run runs
    /// or died.
    pub fn in_use(&self) -> Option<SnapshotAddress> {
        match continue_from(&self.entries) {
            ContinueDecision::From(address) => Some(address),
            ContinueDecision::Fresh => None,
        }
    }

    /// Whether the last run was not ended on purpose: it runs, or it died.
    pub fn is_unfinished(&self) -> bool {
        let run = self.entries.iter().filter(|entry| entry.belongs_to_run()).map(|entry| entry.run).max();
        run.is_some_and(|run| !self.entries.iter().any(|entry| entry.run == run && entry.ends_run()))
    }

    /// The snapshots, in order.
    pub fn snapshots(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.snapshot().is_some())
    }
}

/// All jobs of a store, by name, each read whole.
///
/// The picture is consistent: if an entry vanishes while a job is read, a newer one took its place, and
/// the job is read again.
///
/// ```no_run
/// use millpond_snapshot::repository::jobs;
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// for job in jobs(&store).await? {
///     for snapshot in job.snapshots() {
///         println!("{} of {}, {}", snapshot.id(), snapshot.time, snapshot.body.kind());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub async fn jobs(store: &Store) -> Result<Vec<JobSummary>> {
    let mut names: Vec<JobName> = Vec::new();
    for name in store.list_directories(&layout::jobs()).await? {
        // A directory that no version of this code made is none of ours.
        names.extend(name.parse::<JobName>().ok());
    }
    names.sort();
    let mut jobs = Vec::new();
    for job in names {
        let entries = read_whole(&JobLog::open(store, &job)).await?;
        if !entries.is_empty() {
            jobs.push(JobSummary { job, entries });
        }
    }
    Ok(jobs)
}

async fn read_whole(log: &JobLog) -> Result<Vec<Entry>> {
    loop {
        let before = log.sequences().await?;
        let entries = log.entries().await?;
        let read: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
        if before.iter().all(|sequence| read.binary_search(sequence).is_ok()) {
            return Ok(entries);
        }
    }
}
