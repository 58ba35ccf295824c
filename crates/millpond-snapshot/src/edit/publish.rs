//! The end of an edit: one log entry.

use super::Edit;
use super::change::Change;
use crate::chunk::ChunkRef;
use crate::ids::{OperatorUid, Tag};
use crate::log::{AppendOutcome, Edited, Entry, EntryBody, JobLog, SnapshotId, SnapshotRecord};
use crate::manifest::StateSnapshot;
use crate::repository::deposit::{objects, record_writers, room};
use crate::repository::marking::record_fork;
use crate::repository::{RemoveOptions, remove, tag, tags};
use crate::{Error, Result};

/// How often the end of the log is looked for while others add to it.
const ATTEMPTS: usize = 5;

/// What is said of the result.
#[derive(Debug, Clone, Default)]
pub struct Publish {
    /// Why it was made; the changes themselves if nothing is said.
    pub reason: Option<String>,
    /// Who made it.
    pub requested_by: Option<String>,
    /// A name for it.
    pub tag: Option<Tag>,
}

/// The result of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its address.
    pub id: SnapshotId,
    /// The bytes of the chunks that the snapshot that was edited does not name.
    pub bytes_new: u64,
    /// The bytes of all its chunks.
    pub bytes_total: u64,
}

impl Edit {
    /// Publishes the result as a savepoint, which belongs to no run: it is kept until a person removes it, and a job
    /// starts from it where it is named.
    ///
    /// Before this there is nothing to see, and afterwards all of it. An edit that ends before, in whatever way, leaves
    /// chunks that no log names, which garbage collection removes.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the job has begun to run, if the snapshot that was edited was removed, or if the tag names
    /// another. [`Error::InvalidInput`] if nothing was changed, or the keyed states of an operator have keys of
    /// different types. With `may_have_happened`, whether the snapshot is in the log could not be found out: list the
    /// job's snapshots before doing it again.
    pub async fn publish(mut self, options: Publish) -> Result<Published> {
        if self.fresh.dry_run {
            return Err(Error::InvalidInput("a dry run has nothing to publish".to_owned()));
        }
        if self.changes.is_empty() {
            return Err(Error::InvalidInput(
                "nothing was changed, so that there is nothing to publish; to have the snapshot in another job, copy it"
                    .to_owned(),
            ));
        }
        self.check_keys()?;
        self.bring_chunks_here().await?;
        if let Some(name) = &options.tag
            && let Some(mark) = tags(&self.store, &self.job).await?.get(name)
        {
            return Err(Error::Conflict(format!(
                "{}#{name} names snapshot {}; remove that tag first, or use another name",
                self.job, mark.sequence
            )));
        }
        let (id, record) = self.append(&options).await?;
        self.check_whole(&id).await?;
        if let Some(name) = &options.tag {
            tag(&self.store, &id, name, options.requested_by, None).await?;
        }
        Ok(Published { id, bytes_new: record.bytes_new, bytes_total: record.bytes_total })
    }

    async fn append(&mut self, options: &Publish) -> Result<(SnapshotId, SnapshotRecord)> {
        for _ in 0..ATTEMPTS {
            self.fresh.tend().await?;
            // Looked for anew each time: behind whatever came meanwhile, unless that is a run.
            let id = room(&self.store, &self.job, "an edit").await?.id;
            self.hold_origin().await?;
            record_writers(&self.store, &self.job, &self.manifest).await?;
            let record = self.record(&id, options);
            let body = EntryBody::Savepoint(record.clone());
            let entry = Entry::new(self.job.clone(), id.sequence, id.sequence, body)?;
            if JobLog::open(&self.store, &self.job).append(&entry).await? == AppendOutcome::Appended {
                return Ok((id, record));
            }
        }
        Err(Error::Conflict(format!(
            "others add to the log of {} in {} all the time; try again when they have done",
            self.job,
            self.store.address()
        )))
    }

    /// Sees to it that the snapshot that was edited, and with it the chunks, stay.
    async fn hold_origin(&self) -> Result<()> {
        let Some(origin) = self.origin.as_ref().filter(|origin| origin.same_store) else {
            return Ok(());
        };
        let id = origin.found.entry.id();
        if id.job != self.job {
            record_fork(&self.store, &id, &self.job).await?;
        }
        // Recorded first and read again afterwards: what is still there then is kept.
        match JobLog::open(&self.store, &id.job).read(id.sequence).await? {
            Some(entry) if entry.nonce == origin.found.entry.nonce => Ok(()),
            _ => Err(Error::Conflict(format!("{id} was removed while it was edited, and its chunks may be gone"))),
        }
    }

    fn record(&self, id: &SnapshotId, options: &Publish) -> SnapshotRecord {
        let parent = self.origin.as_ref().filter(|origin| origin.same_store).map(|origin| origin.found.entry.id());
        let old = self.origin.as_ref().and_then(|origin| origin.found.entry.snapshot());
        let old: std::collections::BTreeSet<_> =
            old.into_iter().flat_map(|record| record.manifest.chunks()).map(|chunk| chunk.hash).collect();
        let new = self.manifest.chunks().filter(|chunk| !old.contains(&chunk.hash));
        let changes: Vec<String> = self.changes.iter().map(Change::to_string).collect();
        let words = || format!("edited: {}", changes.join("; "));
        SnapshotRecord {
            request_id: None,
            requested_by: options.requested_by.clone(),
            reason: options.reason.clone().unwrap_or_else(words),
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            parent,
            copied_from: Some(self.made_from(id)),
            bytes_new: new.fold(0, |sum, chunk| sum.saturating_add(chunk.bytes)),
            bytes_total: self.manifest.bytes(),
            manifest: self.manifest.clone(),
            edited: Some(Edited { changes, run: self.stems_from() }),
        }
    }

    /// Takes the snapshot back if a chunk is not there: what was edited was removed and collected in the moment before
    /// it was named again.
    async fn check_whole(&self, id: &SnapshotId) -> Result<()> {
        for chunk in objects(&self.store, &self.manifest) {
            if self.store.info(&ChunkRef::path(chunk)).await?.is_none() {
                remove(&self.store, id, RemoveOptions::default()).await?;
                return Err(Error::Conflict(format!(
                    "{} is gone: the snapshot that was edited was removed meanwhile; nothing was published",
                    chunk.path()
                )));
            }
        }
        Ok(())
    }

    /// All keyed states of an operator are about the same keys. One that has no rows goes along.
    fn check_keys(&mut self) -> Result<()> {
        for operator in &mut self.manifest.operators {
            let filled = operator.states.iter().filter(|state| state.kind.is_keyed() && !state.chunks.is_empty());
            let filled: Vec<StateSnapshot> = filled.cloned().collect();
            let Some((first, others)) = filled.split_first() else { continue };
            for other in others {
                if other.key_schema != first.key_schema {
                    return Err(differ(&operator.uid, first, other));
                }
            }
            let empty =
                operator.states.iter_mut().filter(|state| state.kind.is_keyed() && state.chunks.is_empty());
            empty.for_each(|state| state.key_schema.clone_from(&first.key_schema));
        }
        Ok(())
    }
}

fn differ(uid: &OperatorUid, a: &StateSnapshot, b: &StateSnapshot) -> Error {
    let key = |state: &StateSnapshot| {
        let key = state.key_schema.as_ref().and_then(|schema| schema.data_type());
        format!("{} for {}", key.map_or_else(|| "none".to_owned(), ToString::to_string), state.name)
    };
    Error::InvalidInput(format!(
        "operator {uid} would have keys of two types: {} and {}; change the keys of all its states, timers included, or delete those that are not needed",
        key(a),
        key(b)
    ))
}
