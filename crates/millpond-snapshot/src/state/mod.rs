//! A state as it stands: its chunks merged into rows.
//!
//! [`StateReader`] gives the rows of a state, or of a hash range of it, sorted by hash, as a stream of
//! batches: of all chunks that say something about a key, the newest is heard. It holds the chunks
//! that meet at the place it has reached, and nothing else. [Compaction](compact) is the same merge
//! written back, and [`plan_compaction`] decides when that pays.

mod compact;
mod diff;
mod input;
mod merge;
mod plan;
mod reader;
mod sort;
mod write;

pub use compact::{CompactOptions, compact};
pub use diff::{DiffCounts, RowChange, diff_states};
pub(crate) use input::hashes;
pub use plan::{CompactionPlan, plan_compaction};
pub use reader::{StateReader, Tombstones};
pub(crate) use sort::{BUDGET, Sorted, SortedRows, Sorter};
pub(crate) use write::{ChunkCutter, ChunkLimits};
