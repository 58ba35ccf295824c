//! What a Millpond snapshot is, with no engine in sight.
//!
//! A *store* is a directory or a bucket. It holds two things: immutable, content-addressed
//! [chunks](chunk) of state, and for each job an append-only [log] of numbered entries, some of
//! which are snapshots: a small [manifest] that names chunks by hash. Everything else
//! (fencing, lineage, retention, copies) follows from those two.
//!
//! | module | subject | may use |
//! |---|---|---|
//! | [`ids`] | the names and numbers that must not be mixed | |
//! | [`hash`] | from a key to its place in the 64-bit hash space | |
//! | [`store`] | objects: put if absent, bounded get, list, delete | ids |
//! | [`typed`] | between Rust values and columns | |
//! | [`chunk`] | rows of state as Parquet files | store, hash |
//! | [`state`] | a state as it stands: its chunks merged, compacted, compared | chunk |
//! | [`manifest`] | which chunks make up which state of which operator | chunk |
//! | [`log`] | a job's history | manifest |
//! | [`repository`] | addresses, retention and cleaning, over all of the above | log |
//! | [`edit`] | a new snapshot made from an old one, or from nothing | repository |
//!
//! Reading a state of a snapshot, without an engine:
//!
//! ```no_run
//! use millpond_snapshot::{Store, hash::HashRange, repository::resolve, store::OpenMode};
//!
//! # async fn example() -> millpond_snapshot::Result<()> {
//! let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
//! let snapshot = resolve(&store, "flights@latest").await?;
//! let mut rows = snapshot.read(&"sum".parse()?, &"total".parse()?, HashRange::FULL)?;
//! while let Some(batch) = rows.next().await? {
//!     println!("{} rows of {} columns", batch.num_rows(), batch.num_columns());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The format is specified byte by byte in `docs/format/`.

mod advice;
pub mod chunk;
pub mod edit;
mod error;
pub mod hash;
pub mod ids;
pub mod log;
pub mod manifest;
pub mod repository;
pub mod state;
pub mod store;
pub mod typed;

pub use error::{Error, Result};
pub use ids::{ChunkHash, Epoch, JobName, OperatorUid, Sequence, StateName, Tag};
pub use store::Store;

// What callers need to speak to this crate without naming versions of their own.
pub use arrow_array::RecordBatch;
pub use arrow_schema;
