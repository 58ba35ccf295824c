//! Where a process keeps state, as its options say.

use std::sync::Arc;

use super::scratch::Scratch;
use crate::error::Error;
use crate::job::options::{RunOptions, StateBackend};
use crate::job::plan::Plan;

/// The state backend of a process.
#[derive(Clone, Default)]
pub(crate) struct Backend {
    spill: Option<SpillSetting>,
}

/// What a subtask needs to know to evict keys.
#[derive(Clone)]
pub(crate) struct SpillSetting {
    pub(crate) scratch: Arc<Scratch>,
    /// Bytes that the resident keys of one subtask may take, and what is in memory of those on disk.
    pub(crate) resident: usize,
}

impl Backend {
    /// What `options` ask for, in a process with so many worker `threads`.
    pub(crate) fn open(options: &RunOptions, plan: &Plan, threads: usize) -> Result<Self, Error> {
        if options.state_backend == StateBackend::Memory {
            return Ok(Backend::default());
        }
        let keyed = plan.operators.iter().filter(|operator| operator.states.iter().any(|s| s.kind.is_keyed()));
        let subtasks = (keyed.count() * threads).max(1);
        let directory = options.state_dir.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::create_in(&directory)?;
        Ok(Backend { spill: Some(SpillSetting::new(scratch, options.state_cache, subtasks)) })
    }

    pub(crate) fn spill(&self) -> Option<&SpillSetting> {
        self.spill.as_ref()
    }
}

impl SpillSetting {
    /// Divides `cache` bytes among so many subtasks: three quarters for resident keys, which are also what gathers changes until
    /// a leaf is written, and the rest for what comes and goes with a batch and with an eviction.
    pub(crate) fn new(scratch: Arc<Scratch>, cache: u64, subtasks: usize) -> Self {
        let cache = usize::try_from(cache).unwrap_or(usize::MAX);
        SpillSetting { scratch, resident: cache / subtasks / 4 * 3 }
    }
}
