//! What can be wrong with a file.

use std::io;
use std::path::PathBuf;

use super::malformed::MalformedRecord;
use crate::runtime::failure::{Permanent, UserError};

#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("no input was named: give at least one file or directory")]
    NoPaths,
    #[error("{option} cannot be {found}: {expected}")]
    Option { option: &'static str, found: String, expected: &'static str },
    #[error("cannot list the input {}: {source}", path.display())]
    List { path: PathBuf, source: io::Error },
    #[error("the input {} is neither a file nor a directory", path.display())]
    NotAFile { path: PathBuf },
    #[error("the name of the input {} is not UTF-8, so a snapshot cannot keep it: rename it", path.display())]
    NotUtf8 { path: PathBuf },
    #[error(
        "the input file {} cannot be opened: {source}; it was there when the input was listed or is named by the snapshot, \
         and must be found at the same path by every process until it has been read (or where `Files::moved` says)",
        path.display()
    )]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "two input files would both be known as {}: that one, and what moved from there to {}; leave one of them out",
        path.display(),
        here.display()
    )]
    OneAsTwo { path: PathBuf, here: PathBuf },
    #[error("the input file {} cannot be read near byte {offset}: {source}", path.display())]
    Read { path: PathBuf, offset: u64, source: io::Error },
    #[error(
        "the input file {} has only {size} bytes, but was read up to byte {position} before: it was truncated or replaced; \
         put the old content back, or start without the snapshot",
        path.display()
    )]
    Shorter { path: PathBuf, size: u64, position: u64 },
    #[error(
        "the input file {} was replaced by another while it was followed; new content belongs in a file with a new name",
        path.display()
    )]
    Replaced { path: PathBuf },
    #[error("the header of the input file {} cannot be used: {reason}", path.display())]
    Header { path: PathBuf, reason: String },
    #[error("malformed record in {0}")]
    Malformed(MalformedRecord),
}

impl FileError {
    /// As an error of a source: one that another attempt would meet again is marked so.
    pub(super) fn judged(self) -> UserError {
        let permanent = matches!(
            self,
            FileError::Malformed(_)
                | FileError::Header { .. }
                | FileError::Option { .. }
                | FileError::NoPaths
                | FileError::NotAFile { .. }
                | FileError::NotUtf8 { .. }
                | FileError::OneAsTwo { .. }
        );
        if permanent { Permanent::new(self).into() } else { self.into() }
    }
}
