//! What a run has, and how it can end.

use std::sync::Arc;

use millpond_snapshot::log::Entry;
use millpond_snapshot::{JobName, Store};

use super::claim::Claim;
use super::cluster::Meeting;
use super::coordinator::history::History;
use super::coordinator::pending::Asked;
use super::coordinator::publish::Publisher;
use crate::job::definition::Definition;
use crate::job::options::RunOptions;
use crate::job::plan::Plan;
use crate::job::restore_plan::RestoreFlags;
use crate::state::spill::backend::Backend;

/// What a run needs, however many attempts it takes.
pub(crate) struct Session {
    /// The run's own, as its start entry has it.
    pub(crate) id: String,
    pub(crate) options: RunOptions,
    pub(crate) definition: Definition,
    pub(crate) plan: Arc<Plan>,
    pub(crate) job: JobName,
    pub(crate) store: Store,
    pub(crate) history: History,
    /// The snapshot that the next attempt starts from.
    pub(crate) base: Option<Entry>,
    /// What counts until the run's first snapshot.
    pub(crate) flags: RestoreFlags,
    /// Held until the run is over.
    pub(crate) claim: Claim,
    pub(crate) past: Arc<[(u64, u64)]>,
    pub(crate) publisher: Publisher,
    /// A stop whose savepoint was published and whose last entry was not written yet.
    pub(crate) stopping: Option<Asked>,
    pub(crate) workers: usize,
    pub(crate) backend: Backend,
    pub(crate) meeting: Option<Meeting>,
}

/// How a run ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The input came to its end.
    Finished,
    /// It was stopped with this savepoint, `JOB@SEQUENCE`.
    Stopped(String),
    /// It was cancelled.
    Cancelled,
    /// It was interrupted, and goes on from its newest snapshot when it is started again.
    Interrupted,
}
