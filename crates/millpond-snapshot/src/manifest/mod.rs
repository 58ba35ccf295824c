//! A snapshot's table of contents: which chunks make up which state of which operator.
//!
//! A manifest names neither subtasks nor a parallelism. What a snapshot means does not depend on how
//! many workers wrote it. Specified in `docs/format/manifest.md`.

mod check;
mod field_text;
mod model;
mod schema;

pub use model::{Manifest, OperatorSnapshot, StateSnapshot, UidSource};
pub use schema::SchemaFields;

/// The version of the manifest format that this code writes.
pub const FORMAT_VERSION: u64 = 1;
