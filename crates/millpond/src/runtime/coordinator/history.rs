//! The job's log as its running coordinator sees it: it alone appends, and what it appended it remembers.

use std::collections::BTreeSet;
use std::time::Duration;

use millpond_snapshot::log::{AppendOutcome, Entry, EntryBody, JobLog, SnapshotId};
use millpond_snapshot::{JobName, Sequence, Store, Tag, repository};

use crate::error::Error;

/// How often an append whose outcome is unknown is tried again, with growing delays from this one on.
const APPEND_ATTEMPTS: u32 = 6;
const APPEND_DELAY: Duration = Duration::from_millis(100);

/// The log of a running job.
pub(crate) struct History {
    store: Store,
    log: JobLog,
    job: JobName,
    next: Sequence,
    run: Sequence,
    /// All snapshots of the job, oldest first.
    snapshots: Vec<Entry>,
    /// Checkpoints that are not this run's to remove.
    left: BTreeSet<Sequence>,
}

impl History {
    /// Appends the start of a run at `next` to a log that has the entries `existing`. `None` if somebody else was first:
    /// decide again.
    pub(crate) async fn start(
        store: &Store,
        job: &JobName,
        next: Sequence,
        start: EntryBody,
        existing: Vec<Entry>,
    ) -> Result<Option<Self>, Error> {
        let mut history = History {
            store: store.clone(),
            log: JobLog::open(store, job),
            job: job.clone(),
            next,
            run: next,
            left: left(&existing),
            snapshots: existing.into_iter().filter(|entry| entry.snapshot().is_some()).collect(),
        };
        let entry = Entry::new(job.clone(), next, next, start)?;
        match history.append(&entry).await? {
            AppendOutcome::Appended => {
                history.next = next.next();
                Ok(Some(history))
            }
            AppendOutcome::Taken => Ok(None),
        }
    }

    /// The sequence of the run's start entry.
    pub(crate) fn run(&self) -> Sequence {
        self.run
    }

    /// Writes the next entry.
    ///
    /// # Errors
    /// Fenced if another run has taken the number: this run has a successor and must end.
    pub(crate) async fn write(&mut self, body: EntryBody) -> Result<SnapshotId, Error> {
        let entry = Entry::new(self.job.clone(), self.next, self.run, body)?;
        match self.append(&entry).await? {
            AppendOutcome::Taken => Err(Error::fenced(format!(
                "another run of job '{}' has taken over: entry {} of its log is not ours. This run ends and changes nothing \
                 any more; to run a second job beside the first, give it another --name",
                self.job, self.next.0
            ))),
            AppendOutcome::Appended => {
                let id = entry.id();
                self.next = self.next.next();
                if entry.snapshot().is_some() {
                    self.snapshots.push(entry);
                }
                Ok(id)
            }
        }
    }

    /// Appends, and tries again while it is not known whether the entry is there: its number cannot be used for another
    /// before that is known.
    async fn append(&self, entry: &Entry) -> Result<AppendOutcome, Error> {
        let mut delay = APPEND_DELAY;
        for attempt in 1.. {
            match self.log.append(entry).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if attempt == APPEND_ATTEMPTS || !error.may_have_happened() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%error, "an append to the job's log may or may not have happened; trying again");
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                }
            }
        }
        unreachable!("the loop ends with its last attempt")
    }

    /// The entry of a snapshot that this run has published.
    pub(crate) fn snapshot(&self, id: &SnapshotId) -> Option<&Entry> {
        self.snapshots.iter().find(|entry| entry.id() == *id)
    }

    /// The snapshot that has a name, if one has.
    pub(crate) async fn tagged(&self, tag: &Tag) -> Result<Option<SnapshotId>, Error> {
        let tags = repository::tags(&self.store, &self.job).await?;
        Ok(tags.get(tag).map(|mark| SnapshotId { job: self.job.clone(), sequence: mark.sequence }))
    }

    /// Gives a name to a snapshot.
    pub(crate) async fn tag(&self, id: &SnapshotId, tag: &Tag, by: Option<String>) -> Result<(), Error> {
        Ok(repository::tag(&self.store, id, tag, by, None).await?)
    }

    /// Removes checkpoints of this job that need not be kept, and the chunks that only they named: all but the newest
    /// `keep`. Savepoints stay, and so does what is tagged, pinned or the origin of another job, and what a cancelled run
    /// was told to leave. The head of the log is never removed: its number fences.
    pub(crate) async fn retain(&mut self, keep: usize) -> Result<(), Error> {
        let checkpoints = self.snapshots.iter().filter(|entry| matches!(entry.body, EntryBody::Checkpoint(_)));
        let checkpoints: Vec<Sequence> = checkpoints.map(|entry| entry.sequence).collect();
        let surplus = &checkpoints[..checkpoints.len().saturating_sub(keep)];
        let mut surplus: BTreeSet<_> =
            surplus.iter().copied().filter(|sequence| sequence.next() != self.next).collect();
        surplus.retain(|sequence| !self.left.contains(sequence));
        if surplus.is_empty() {
            return Ok(());
        }
        let protected = repository::protected(&self.store, &self.job).await?;
        surplus.retain(|sequence| !protected.contains_key(sequence));
        let is_surplus = |entry: &Entry| surplus.contains(&entry.sequence);
        let (removed, kept): (Vec<_>, Vec<_>) = self.snapshots.iter().cloned().partition(is_surplus);
        // Forgotten only when they are gone: if this fails half-way, the next one tries again.
        let released = repository::release(&self.store, &self.job, &removed, &kept).await?;
        self.snapshots.retain(|entry| !is_surplus(entry) || released.kept.contains(&entry.sequence));
        Ok(())
    }
}

/// The checkpoints of runs that were cancelled and told to keep them.
fn left(entries: &[Entry]) -> BTreeSet<Sequence> {
    let kept = |entry: &&Entry| matches!(entry.body, EntryBody::Cancel { retained: true });
    let runs: BTreeSet<Sequence> = entries.iter().filter(kept).map(|entry| entry.run).collect();
    entries.iter().filter(|entry| runs.contains(&entry.run)).map(|entry| entry.sequence).collect()
}
