//! Reading a log, and adding to it against rivals and lying stores.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::codec::{MAX_ENTRY_BYTES, decode, encode};
use super::{ContinueDecision, Entry, continue_from};
use crate::ids::{JobName, Sequence};
use crate::store::{PutOutcome, Store, layout};
use crate::{Error, Result};

/// Entries read at a time.
const READ_AHEAD: usize = 16;

/// How often an append is tried whose outcome the store leaves open.
const ATTEMPTS: usize = 3;

/// The log of one job in a store.
#[derive(Debug, Clone)]
pub struct JobLog {
    store: Store,
    job: JobName,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The entry is in the log, for good.
    Appended,
    /// The number belongs to somebody else's entry. A run that sees this has a successor and must end.
    Taken,
}

impl JobLog {
    /// The log of a job, which may be empty.
    pub fn open(store: &Store, job: &JobName) -> Self {
        JobLog { store: store.clone(), job: job.clone() }
    }

    /// The job.
    pub fn job(&self) -> &JobName {
        &self.job
    }

    /// The numbers of all entries, rising. There are gaps where checkpoints were removed.
    pub async fn sequences(&self) -> Result<Vec<Sequence>> {
        let listed = self.store.list(&layout::log(&self.job)).await?;
        let mut sequences: Vec<_> = listed.iter().filter_map(|object| layout::parse_entry(&object.path)).collect();
        sequences.sort_unstable();
        Ok(sequences)
    }

    /// The greatest number in the log; `None` if the log is empty.
    pub async fn head(&self) -> Result<Option<Sequence>> {
        Ok(self.sequences().await?.last().copied())
    }

    /// The entry of this number; `None` if there is none.
    pub async fn read(&self, sequence: Sequence) -> Result<Option<Entry>> {
        let path = layout::entry(&self.job, sequence);
        let Some(bytes) = self.store.get(&path, MAX_ENTRY_BYTES).await? else {
            return Ok(None);
        };
        decode(path.as_ref(), &bytes, &self.job, sequence).map(Some)
    }

    /// All entries, in order. Entries that are removed meanwhile are left out.
    pub async fn entries(&self) -> Result<Vec<Entry>> {
        let sequences = self.sequences().await?;
        let read = stream::iter(sequences).map(|sequence| self.read(sequence)).buffered(READ_AHEAD);
        read.try_filter_map(async |entry| Ok(entry)).try_collect().await
    }

    /// The newest snapshot; `None` if there is none.
    pub async fn newest_snapshot(&self) -> Result<Option<Entry>> {
        for sequence in self.sequences().await?.into_iter().rev() {
            if let Some(entry) = self.read(sequence).await?
                && entry.snapshot().is_some()
            {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// From where a new run goes on, and the number that its start entry takes.
    ///
    /// The decision holds if that start entry can be appended at that number. If the number is taken,
    /// something happened meanwhile: decide again.
    pub async fn plan_start(&self) -> Result<(ContinueDecision, Sequence)> {
        let sequences = self.sequences().await?;
        let next = sequences.last().map_or(Sequence::FIRST, |head| head.next());
        // What decides is the newest entry of the last run that publishes or ends it.
        let mut newest_first = Vec::new();
        for sequence in sequences.into_iter().rev() {
            let Some(entry) = self.read(sequence).await? else {
                continue;
            };
            let decides = entry.publishes() || entry.ends_run();
            newest_first.push(entry);
            if decides {
                break;
            }
        }
        newest_first.reverse();
        Ok((continue_from(&newest_first), next))
    }

    /// Adds an entry at its number.
    ///
    /// # Errors
    /// [`Error::Storage`] with `may_have_happened` if the store failed and could not be asked
    /// afterwards: the entry may be there, or may still appear. Appending the same entry again is safe
    /// and finds out.
    pub async fn append(&self, entry: &Entry) -> Result<AppendOutcome> {
        if entry.job != self.job {
            let message = format!("an entry of {} does not belong in the log of {}", entry.job, self.job);
            return Err(Error::InvalidInput(message));
        }
        let bytes = Bytes::from(encode(entry)?);
        let path = layout::entry(&self.job, entry.sequence);
        let mut attempt = 1;
        loop {
            let put = self.store.put_if_absent(&path, bytes.clone()).await;
            let doubt = match put {
                Ok(PutOutcome::Created) => return Ok(AppendOutcome::Appended),
                Err(error) if !error.may_have_happened() => return Err(error),
                // The number may be taken by this very entry, in an attempt that was reported as failed.
                Ok(PutOutcome::Exists) => None,
                Err(error) => Some(error),
            };
            let doubt = match self.whose(entry.sequence, &bytes).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => doubt,
                Err(error) => doubt.or(Some(error.in_doubt())),
            };
            if attempt == ATTEMPTS {
                return Err(doubt.unwrap_or_else(|| {
                    Error::Conflict(format!(
                        "log entry {path} appears and disappears; is another process cleaning this store?"
                    ))
                }));
            }
            attempt += 1;
        }
    }

    /// Whether the entry at a number is the one of these bytes; `None` if there is none.
    async fn whose(&self, sequence: Sequence, ours: &Bytes) -> Result<Option<AppendOutcome>> {
        let path = layout::entry(&self.job, sequence);
        Ok(match self.store.get(&path, MAX_ENTRY_BYTES).await? {
            None => None,
            Some(found) if found == *ours => Some(AppendOutcome::Appended),
            Some(_) => Some(AppendOutcome::Taken),
        })
    }
}
