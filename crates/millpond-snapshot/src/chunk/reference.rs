//! How a manifest names a chunk.

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::ChunkKind;
use crate::hash::HashRange;
use crate::ids::{ChunkHash, JobName};
use crate::store::layout::{self, ObjectKind};

/// A chunk as a manifest names it: enough to find it, to check it, and to decide whether to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRef {
    /// The hash of the chunk's bytes.
    pub hash: ChunkHash,
    /// The job that wrote it. Another job names it only if it started from a snapshot that does.
    pub job: JobName,
    /// What it says about earlier rows.
    pub kind: ChunkKind,
    /// The hashes it speaks about. Every row's hash lies in it.
    pub range: HashRange,
    /// The number of rows, tombstones included.
    pub rows: u64,
    /// The number of bytes of the Parquet file.
    pub bytes: u64,
    /// Where its bytes stand, if they share an object with other small chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackSlice>,
}

/// A place within a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackSlice {
    /// The hash of the pack's bytes.
    pub hash: ChunkHash,
    /// Where the chunk begins, in bytes.
    pub offset: u64,
}

impl ChunkRef {
    /// The size of several together, in bytes. What a store says of them may be more than a number holds.
    pub(crate) fn bytes_of<'a>(chunks: impl IntoIterator<Item = &'a ChunkRef>) -> u64 {
        chunks.into_iter().fold(0, |sum, chunk| sum.saturating_add(chunk.bytes))
    }

    /// The object that holds the chunk's bytes.
    pub fn object(&self) -> (ChunkHash, ObjectKind) {
        match self.pack {
            Some(pack) => (pack.hash, ObjectKind::Pack),
            None => (self.hash, ObjectKind::Chunk),
        }
    }

    /// Where that object stands in a store.
    pub fn path(&self) -> Path {
        let (hash, kind) = self.object();
        layout::object(hash, kind)
    }
}
