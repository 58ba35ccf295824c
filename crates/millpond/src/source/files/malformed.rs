//! Records that cannot be decoded, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stream::plain::Stream;
use crate::stream::record::Data;

/// The longest text that a malformed record keeps, in bytes.
const TEXT_BYTES: usize = 64 * 1024;
/// The longest text in a message, in characters.
const EXCERPT_CHARS: usize = 200;

/// What became of a record of a tolerant source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parsed<T> {
    /// It could be decoded.
    Record(T),
    /// It could not.
    Malformed(MalformedRecord),
}

impl<T> Parsed<T> {
    /// The record, if it could be decoded.
    pub fn record(&self) -> Option<&T> {
        match self {
            Parsed::Record(record) => Some(record),
            Parsed::Malformed(_) => None,
        }
    }

    /// What could not be decoded.
    pub fn malformed(&self) -> Option<&MalformedRecord> {
        match self {
            Parsed::Record(_) => None,
            Parsed::Malformed(malformed) => Some(malformed),
        }
    }
}

/// A record that could not be decoded: where it stands, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MalformedRecord {
    /// The file's absolute path.
    pub file: String,
    /// The line on which the record begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The record as it stands in the file, without the end of its line. What is not UTF-8 is replaced by `�`, and
    /// what is beyond the first 64 KiB is cut off.
    pub text: String,
}

impl MalformedRecord {
    pub(super) fn new(file: String, line: u64, reason: String, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES)]).into_owned();
        MalformedRecord { file, line, reason, text }
    }
}

impl fmt::Display for MalformedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}; the record is: ", self.file, self.line, self.reason)?;
        match self.text.char_indices().nth(EXCERPT_CHARS) {
            Some((cut, _)) => write!(f, "{}…", self.text[..cut].escape_debug()),
            None => write!(f, "{}", self.text.escape_debug()),
        }
    }
}

impl<'s, T: Data> Stream<'s, Parsed<T>> {
    /// The records, and what could not be decoded, as two streams.
    pub fn split_malformed(self) -> (Stream<'s, T>, Stream<'s, MalformedRecord>) {
        let malformed = self.clone().flat_map(|parsed| parsed.malformed().cloned());
        (self.flat_map(|parsed| parsed.record().cloned()), malformed)
    }
}
