//! The job's log as its running coordinator sees it: it alone appends, and what it appended it remembers.

use std::collections::BTreeSet;
use std::time::Duration;

use millpond_snapshot::log::{AppendOutcome, Entry, EntryBody, JobLog, SnapshotId};
use millpond_snapshot::{JobName, Sequence, Store, Tag, repository};

use crate::error::Error;

/// How often an append whose outcome is unknown is tried again, with growing delays from this one on.
const APPEND_ATTEMPTS: u32 = 6;
const APPEND_DELAY: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 100 });

/// How a message ends about a write that may have happened.
pub(crate) const IN_DOUBT: &str = "; it may be there nevertheless";

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
    /// Entries of this run that may stand at `next`, or come to stand there: the store did not say. At most one of them does.
    doubted: Vec<Entry>,
    /// The newest snapshot that was found there when it was believed to have failed.
    found: Option<Entry>,
    /// The last entry of this run, if it was found so.
    ended: Option<Entry>,
}

/// What became of an entry that was to be written.
#[derive(Debug)]
pub(crate) enum Written {
    /// It is in the log.
    Here(SnapshotId),
    /// Its number has an earlier entry of this run, of which the store had not said whether it was there. Nothing was written.
    Found(Box<Entry>),
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
            doubted: Vec::new(),
            found: None,
            ended: None,
            snapshots: existing.into_iter().filter(|entry| entry.snapshot().is_some()).collect(),
        };
        let entry = Entry::new(job.clone(), next, next, start)?;
        match history.append(&entry).await.map_err(doubtful)? {
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

    /// Writes the next entry; behind an earlier one of this run if that turns out to be there after all.
    ///
    /// # Errors
    /// Fenced if another run has taken the number: this run has a successor and must end. Or if the log says that this run is
    /// over, as [`History::end`] tells.
    pub(crate) async fn write(&mut self, body: EntryBody) -> Result<SnapshotId, Error> {
        loop {
            if let Written::Here(id) = self.write_or_find(body.clone()).await? {
                return Ok(id);
            }
        }
    }

    /// Writes the next entry, unless an earlier one of this run has its number. Errors as with [`History::write`].
    pub(crate) async fn write_or_find(&mut self, body: EntryBody) -> Result<Written, Error> {
        if let Some(ended) = &self.ended {
            return Err(Error::fenced(format!("entry {} of the log says that this run is over", ended.id())));
        }
        let entry = Entry::new(self.job.clone(), self.next, self.run, body)?;
        match self.append(&entry).await {
            Ok(AppendOutcome::Appended) => {
                let id = entry.id();
                self.stands(entry);
                Ok(Written::Here(id))
            }
            Ok(AppendOutcome::Taken) => match self.doubted_at_next().await? {
                Some(found) => {
                    self.stands(found.clone());
                    if found.snapshot().is_some() {
                        self.found = Some(found.clone());
                    }
                    self.ended = Some(found.clone()).filter(Entry::ends_run);
                    Ok(Written::Found(Box::new(found)))
                }
                None => Err(Error::fenced(format!(
                    "another run of job '{}' has taken over: entry {} of its log is not ours. This run ends and changes \
                     nothing any more; to run a second job beside the first, give it another --name",
                    self.job, self.next.0
                ))),
            },
            Err(error) => {
                if error.may_have_happened() {
                    self.doubted.push(entry);
                }
                Err(doubtful(error))
            }
        }
    }

    /// Notes that an entry of this run stands at its number, for good.
    fn stands(&mut self, entry: Entry) {
        self.next = self.next.next();
        self.doubted.clear();
        if entry.snapshot().is_some() {
            self.found = None;
            self.snapshots.push(entry);
        }
    }

    /// The entry at the next number, if this run wrote it without being told that it was there.
    async fn doubted_at_next(&self) -> Result<Option<Entry>, Error> {
        if self.doubted.is_empty() {
            return Ok(None);
        }
        let there = self.log.read(self.next).await?;
        Ok(there.filter(|there| self.doubted.iter().any(|doubted| doubted == there)))
    }

    /// The newest snapshot of this run that was found in the log when it was believed to have failed, once.
    pub(crate) fn take_found(&mut self) -> Option<Entry> {
        self.found.take()
    }

    /// How this run ended, if its last entry was found in the log when it was believed not to be there.
    pub(crate) fn end(&self) -> Option<&EntryBody> {
        self.ended.as_ref().map(|entry| &entry.body)
    }

    /// Appends, and tries again while it is not known whether the entry is there: its number cannot be used for another
    /// before that is known.
    async fn append(&self, entry: &Entry) -> millpond_snapshot::Result<AppendOutcome> {
        let mut delay = APPEND_DELAY;
        for attempt in 1.. {
            match self.log.append(entry).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if attempt == APPEND_ATTEMPTS || !error.may_have_happened() => return Err(error),
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

/// An append that failed: whether it did, the store may not have said.
fn doubtful(error: millpond_snapshot::Error) -> Error {
    match error.may_have_happened() {
        true => Error::store(format!("{error}{IN_DOUBT}")),
        false => error.into(),
    }
}

/// The checkpoints of runs that were cancelled and told to keep them.
fn left(entries: &[Entry]) -> BTreeSet<Sequence> {
    let kept = |entry: &&Entry| matches!(entry.body, EntryBody::Cancel { retained: true });
    let runs: BTreeSet<Sequence> = entries.iter().filter(kept).map(|entry| entry.run).collect();
    entries.iter().filter(|entry| runs.contains(&entry.run)).map(|entry| entry.sequence).collect()
}
