//! Rows of state as immutable Parquet files.
//!
//! A state is a list of chunks, oldest first. A *base* chunk says everything about a range of the
//! hash space and hides whatever earlier chunks said about it; a *delta* chunk says what changed since.
//! Columns are typed and named, so that anything that reads Parquet reads state:
//!
//! ```text
//! hash │ key │ map_key │ value or timestamp │ expires_at │ deleted
//! ```
//!
//! Rows are sorted by `hash`, so a reader that wants a range of it touches only the row groups that
//! the range meets. A chunk is named by the BLAKE3 hash of its bytes and checked against it whenever
//! it is read. Specified in `docs/format/chunk.md`.

mod columns;
mod encode;
mod guard;
mod kind;
mod list;
mod pages;
mod put;
mod read;
mod reference;
mod thrift;

pub use columns::{DELETED, EXPIRES_AT, HASH, KEY, MAP_KEY, TIMESTAMP, VALUE, check_columns};
pub use encode::{ChunkEncoder, ChunkMeta, EncodedChunk, encode_chunk};
pub use kind::{ChunkKind, StateKind};
pub use list::{prune, visible};
pub(crate) use read::read_chunk_columns;
pub use read::{ChunkReader, Columns, read_chunk};
pub use reference::{ChunkRef, PackSlice};

/// The version of the chunk format that this code writes.
pub const FORMAT_VERSION: u64 = 1;

/// No chunk is larger than this many bytes; a reader refuses one that claims to be.
pub const MAX_CHUNK_BYTES: u64 = 1 << 30;

/// No chunk has more than this many rows; a reader refuses one that claims to.
pub const MAX_CHUNK_ROWS: u64 = 1 << 32;
