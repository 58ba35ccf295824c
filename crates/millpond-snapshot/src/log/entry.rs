//! The shape of an entry.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FORMAT_VERSION;
use crate::ids::{JobName, Sequence, random_id};
use crate::manifest::Manifest;
use crate::repository::SnapshotAddress;
use crate::{Error, Result};

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of the log format.
    pub format_version: u64,
    /// The job it happened to.
    pub job: JobName,
    /// Its place in the job's history.
    pub sequence: Sequence,
    /// When it was written, by the writer's clock.
    pub time: Timestamp,
    /// The version of Millpond that wrote it.
    pub engine_version: String,
    /// The run that wrote it: the sequence of the run's start entry.
    pub run: Sequence,
    /// A random number by which a writer knows its own entry again.
    pub nonce: String,
    /// What happened.
    pub body: EntryBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryBody {
    /// A run began. Its number is the entry's own.
    Start {
        /// The total number of workers.
        parallelism: u32,
        /// The snapshot it began from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restored_from: Option<SnapshotAddress>,
        /// The options that it was given, for people.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        options: BTreeMap<String, String>,
    },
    /// A snapshot taken by the clock, forgotten by the retention policy.
    Checkpoint(SnapshotRecord),
    /// A snapshot that somebody asked for and keeps.
    Savepoint(SnapshotRecord),
    /// The run failed.
    Failure {
        /// Where it failed, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<String>,
        /// Why.
        reason: String,
        /// Whether the run goes on from its newest snapshot.
        restart: bool,
    },
    /// A savepoint that was asked for could not be taken.
    SavepointFailed {
        /// The request.
        request_id: String,
        /// Why not.
        reason: String,
    },
    /// The run was stopped with a savepoint.
    Stop {
        /// That savepoint.
        snapshot: Sequence,
        /// Whether all event time was brought to its end first.
        drained: bool,
    },
    /// The run was cancelled.
    Cancel {
        /// Whether its checkpoints are kept.
        retained: bool,
    },
    /// The input came to its end.
    Finish {
        /// The last snapshot, if one was taken at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot: Option<Sequence>,
    },
    /// A person removed the newest snapshot of a job that has no run. This stands behind it, so that
    /// its number is not given to another entry.
    Removed {
        /// That snapshot.
        snapshot: Sequence,
    },
}

/// A snapshot, and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// The request that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Why it was taken.
    pub reason: String,
    /// From the begin of the epoch's end to publication, in milliseconds.
    pub duration_ms: u64,
    /// The snapshot before it in the lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<SnapshotId>,
    /// Where it was copied from, if it was; for one that was edited, what was edited, or itself if it was made from
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<CopiedFrom>,
    /// What was changed, if it was made by an edit and not by a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// The bytes of the chunks that its parent does not name.
    pub bytes_new: u64,
    /// The bytes of all its chunks.
    pub bytes_total: u64,
    /// Its table of contents.
    pub manifest: Manifest,
}

/// Where a snapshot stood before it was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedFrom {
    /// The address of the store or directory.
    pub store: String,
    /// Its number there.
    pub id: SnapshotId,
}

/// How an edit made a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// The changes, in words.
    pub changes: Vec<String>,
    /// The run of the same job whose snapshot was edited, also if there were edits in between: the history that this
    /// snapshot belongs to, though no run took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Sequence>,
}

impl Entry {
    /// An entry of the current format version, dated now.
    pub fn new(job: JobName, sequence: Sequence, run: Sequence, body: EntryBody) -> Result<Self> {
        Ok(Entry {
            format_version: FORMAT_VERSION,
            job,
            sequence,
            time: Timestamp::now(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            run,
            nonce: random_id()?,
            body,
        })
    }

    /// The snapshot that it is, if it is one.
    pub fn snapshot(&self) -> Option<&SnapshotRecord> {
        match &self.body {
            EntryBody::Checkpoint(record) | EntryBody::Savepoint(record) => Some(record),
            _ => None,
        }
    }

    /// Its address.
    pub fn id(&self) -> SnapshotId {
        SnapshotId { job: self.job.clone(), sequence: self.sequence }
    }

    /// Whether a run of this job in this store wrote it: all entries but copies, edits, and what people did
    /// between runs.
    pub fn belongs_to_run(&self) -> bool {
        match &self.body {
            EntryBody::Checkpoint(record) | EntryBody::Savepoint(record) => record.copied_from.is_none(),
            EntryBody::Removed { .. } => false,
            _ => true,
        }
    }

    /// The run whose history a snapshot goes on from: the one that took it, or that took what was edited to make it.
    /// `None` if no run of this job in this store did.
    pub fn stems_from(&self) -> Option<Sequence> {
        match self.snapshot() {
            Some(record) if record.edited.is_some() => record.edited.as_ref()?.run,
            Some(record) if record.copied_from.is_some() => None,
            _ => Some(self.run),
        }
    }

    /// Whether a run named, with this entry, all that it had written before: a snapshot, or a start,
    /// before which it had written nothing.
    pub fn publishes(&self) -> bool {
        self.belongs_to_run() && (self.snapshot().is_some() || self.run == self.sequence)
    }

    /// Whether it is the last entry of its run.
    pub fn ends_run(&self) -> bool {
        matches!(self.body, EntryBody::Stop { .. } | EntryBody::Cancel { .. } | EntryBody::Finish { .. })
    }
}

impl SnapshotRecord {
    /// The same snapshot under a number of its own, for somebody who asked for the newest there is: a
    /// checkpoint that becomes a savepoint, without a barrier and without a chunk being written. `from` is
    /// where this record stands.
    pub fn promoted(
        &self,
        from: SnapshotId,
        request_id: Option<String>,
        requested_by: Option<String>,
        reason: String,
    ) -> SnapshotRecord {
        SnapshotRecord {
            request_id,
            requested_by,
            reason,
            duration_ms: 0,
            parent: Some(from),
            copied_from: None,
            edited: None,
            bytes_new: 0,
            ..self.clone()
        }
    }
}

impl EntryBody {
    /// What happened, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            EntryBody::Start { .. } => "start",
            EntryBody::Checkpoint(_) => "checkpoint",
            EntryBody::Savepoint(_) => "savepoint",
            EntryBody::Failure { .. } => "failure",
            EntryBody::SavepointFailed { .. } => "savepoint-failed",
            EntryBody::Stop { .. } => "stop",
            EntryBody::Cancel { .. } => "cancel",
            EntryBody::Finish { .. } => "finish",
            EntryBody::Removed { .. } => "removed",
        }
    }
}

/// A snapshot's place: the job and the number of the entry. Written `JOB@42`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId {
    /// The job.
    pub job: JobName,
    /// The entry in the job's log.
    pub sequence: Sequence,
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.job, self.sequence)
    }
}

impl FromStr for SnapshotId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse()? {
            SnapshotAddress::Entry(id) => Ok(id),
            _ => Err(Error::InvalidInput(format!("{text:?} is not a snapshot's number; use JOB@42"))),
        }
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> String {
        id.to_string()
    }
}
