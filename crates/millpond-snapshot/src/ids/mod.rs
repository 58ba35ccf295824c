//! The names and numbers of a store, each a type of its own so that they cannot be mixed.

mod chunk_hash;
mod names;
mod numbers;
mod random;

pub use chunk_hash::ChunkHash;
pub use names::{InvalidName, JobName, OperatorUid, StateName, Tag};
pub use numbers::{Epoch, Sequence};
pub(crate) use random::random_id;
