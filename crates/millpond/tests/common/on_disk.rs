//! State on disk, with next to no memory for it: nearly every key is evicted as soon as its batch has been processed.

use millpond::{RunOptions, StateBackend};

/// The same options, with state on disk if it is asked for.
pub(crate) fn on_disk(disk: bool, options: RunOptions) -> RunOptions {
    let state_backend = if disk { StateBackend::Disk } else { StateBackend::Memory };
    RunOptions { state_backend, state_cache: 1, ..options }
}
