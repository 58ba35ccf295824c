//! What snapshots of a running job cost: the bytes and the objects that each adds to the store, and what is left of what has
//! gone.
//!
//! The store is looked at as it lies on the disk ([`disk`]): files, JSON and Parquet, without the engine's own readers.

mod disk;
mod job;
#[path = "../recovery/source.rs"]
mod source;
#[path = "../common/waiting.rs"]
mod waiting;

mod amplification;
mod change;
mod gone;
mod retention;
mod small;
