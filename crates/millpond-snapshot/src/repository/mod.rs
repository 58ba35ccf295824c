//! The store as people use it: names for snapshots, copies of them, and getting rid of them.
//!
//! Nothing a person kept is removed by anything here, except by [`remove`], which names one snapshot and
//! refuses what is pinned or needed, and what is tagged unless the tag is to go too. Two things delete chunks:
//! [`release`], with which a running job cleans up after itself, and [`collect`], which looks at the whole store.

mod address;
mod begin;
mod collect;
mod copy;
pub(crate) mod deposit;
mod diff;
mod export;
mod jobs;
mod kept;
mod lineage;
pub(crate) mod marking;
mod marks;
mod release;
mod remove;
mod resolve;
mod retention;
mod verify;
mod whole;

pub use address::SnapshotAddress;
pub use begin::begin_from;
pub use collect::{CollectOptions, Collected, collect};
pub use copy::{Copied, copy};
pub use diff::{SnapshotDiff, StateDiff, StateId, diff};
pub use export::{Exported, export, open_exported};
pub use jobs::{JobSummary, jobs};
pub use lineage::{Descent, Edge, lineage};
pub use marking::{pin, tag, unpin, untag};
pub use marks::{Mark, Protection, protected, tags};
pub use release::{Released, release};
pub use remove::{Removal, RemoveOptions, remove};
pub use resolve::{Resolved, resolve};
pub use retention::{KeepPolicy, select, thin};
pub use verify::{Problem, Verified, verify};
pub use whole::{OlderSnapshots, check_objects, newest_whole, older_whole};
