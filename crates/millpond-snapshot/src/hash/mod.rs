//! From a key to its place in the 64-bit hash space.
//!
//! A key becomes [canonical bytes](canonical), the bytes become a 64-bit hash, and a worker owns a
//! contiguous [range](HashRange) of hashes. There is no fixed number of key groups, so nothing limits
//! the parallelism a job may be given later. All of this is part of the format and frozen: see
//! `docs/format/key-hash.md` for the definition and test vectors.

mod buffer;
pub mod canonical;
mod range;

pub use canonical::{KeyError, key_bytes, key_hash};
pub use range::{HashRange, worker_of};
