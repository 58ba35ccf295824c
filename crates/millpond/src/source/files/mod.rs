//! Records from files: JSON Lines and CSV, plain or gzip, whole or growing.
//!
//! A file is a split. Its position is the byte behind the last record that was given out, so reading is done in two
//! steps that know nothing of each other: *framing* finds where a record ends, *decoding* turns its bytes into a value.
//! A decoder thus never reads ahead of the position.
//!
//! ```text
//!  paths ──list──▶ files ──open──▶ bytes ──frame──▶ records' bytes ──decode──▶ values, or why not
//! ```
//!
//! * [`source`]: what the user says, and the splits.
//! * [`listing`]: from paths to files.
//! * [`input`]: a file's bytes, a chunk at a time.
//! * [`framing`]: where records end.
//! * [`decode`], [`csv`]: from bytes to values.
//! * [`reader`]: all of it put together for one file.
//! * [`seek`]: where a file ends.
//! * [`moved`]: files that stand elsewhere than when a snapshot was taken.
//! * [`malformed`]: records that cannot be decoded, as data.

mod csv;
mod decode;
mod error;
mod framing;
mod input;
mod listing;
mod malformed;
mod moved;
mod reader;
mod seek;
mod source;
#[cfg(test)]
mod tests;
mod text;

pub use malformed::{MalformedRecord, Parsed};
pub use reader::{FileSplit, StrictReader, TolerantReader};
pub use source::{Files, TolerantFiles};
