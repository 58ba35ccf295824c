//! Where a process keeps state, as its options say.

use std::sync::Arc;

use lsm_tree::{Cache, DescriptorTable};

use super::scratch::Scratch;
use super::upkeep::Upkeep;
use crate::error::Error;
use crate::job::options::{RunOptions, StateBackend};
use crate::job::plan::Plan;

/// Files that are held open.
const OPEN_FILES: usize = 256;

/// The state backend of a process.
#[derive(Clone, Default)]
pub(crate) struct Backend {
    spill: Option<SpillSetting>,
}

/// What a subtask needs to know to evict keys.
#[derive(Clone)]
pub(crate) struct SpillSetting {
    pub(crate) disk: Arc<Disk>,
    /// Bytes that the resident keys of one subtask may take.
    pub(crate) resident: usize,
    /// Bytes of a memtable of its rows.
    pub(crate) memtable: usize,
}

/// What the tables of a process have in common.
pub(crate) struct Disk {
    pub(crate) upkeep: Arc<Upkeep>,
    pub(crate) blocks: Arc<Cache>,
    pub(crate) files: Arc<DescriptorTable>,
    /// Last: when nothing else is left in it.
    pub(crate) scratch: Arc<Scratch>,
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
        Ok(Backend { spill: Some(SpillSetting::new(scratch, options.state_cache, subtasks, threads)?) })
    }

    pub(crate) fn spill(&self) -> Option<&SpillSetting> {
        self.spill.as_ref()
    }
}

impl SpillSetting {
    /// Divides `cache` bytes among so many subtasks: three eighths for resident keys, an eighth for blocks of files that were read,
    /// which the system keeps too, and half for rows that are to be written: a memtable that fills and one that is written out.
    /// The larger those are, the less often rows are merged.
    pub(crate) fn new(scratch: Arc<Scratch>, cache: u64, subtasks: usize, threads: usize) -> Result<Self, Error> {
        let cache = usize::try_from(cache).unwrap_or(usize::MAX);
        let disk = Disk {
            upkeep: Upkeep::start(threads)?,
            blocks: Arc::new(Cache::with_capacity_bytes(cache as u64 / 8)),
            files: Arc::new(DescriptorTable::new(OPEN_FILES)),
            scratch,
        };
        Ok(SpillSetting {
            disk: Arc::new(disk),
            resident: cache / subtasks / 8 * 3,
            memtable: (cache / subtasks / 4).clamp(LEAST_MEMTABLE, MOST_MEMTABLE),
        })
    }
}

/// Less is not worth a file.
const LEAST_MEMTABLE: usize = 64 << 10;
/// More does not help: it takes long to write out.
const MOST_MEMTABLE: usize = 64 << 20;
