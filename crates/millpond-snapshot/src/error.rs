//! The few things that can go wrong, each a different thing for the caller to do.

use std::error::Error as StdError;

use crate::advice::{advice, reason};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. The variant says who can mend it; the message says how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the caller gave cannot be used: mend the input.
    #[error("{0}")]
    InvalidInput(String),

    /// Something that was named is not there; the message says what is near.
    #[error("{0}")]
    NotFound(String),

    /// Somebody else holds, or depends on, what was asked for.
    #[error("{0}")]
    Conflict(String),

    /// Bytes that were read are not what was written: restore an older snapshot.
    #[error(
        "{file} is not as it was written: {field}: {problem}; `millpond snapshots verify` says which snapshots are whole"
    )]
    Corrupt {
        /// The object, relative to the store.
        file: String,
        /// The field, column or part of it that is wrong.
        field: String,
        /// What was expected and what was found.
        problem: String,
    },

    /// Written by a newer version of Millpond: read it with that version.
    #[error("{file} has {what} {found}, and this version reads up to {newest}; use a newer millpond")]
    Unsupported {
        /// The object, relative to the store.
        file: String,
        /// Which version number it is about.
        what: &'static str,
        /// The version found.
        found: u64,
        /// The newest version that can be read.
        newest: u64,
    },

    /// The store failed: mend the store, then try again.
    #[error("could not {action} {path}{}: {}", advice(.source.as_ref()), reason(.source.as_ref()))]
    Storage {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The object, with the store's address.
        path: String,
        /// Whether a write may have taken effect although it was reported as failed.
        /// Always `false` for reads.
        may_have_happened: bool,
        /// What the store said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// Whether a write that was reported as failed may nevertheless have taken effect, now or later.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Error::Storage { may_have_happened: true, .. })
    }

    /// The same error of a storage that failed, about a write that may have happened.
    pub(crate) fn in_doubt(mut self) -> Self {
        if let Error::Storage { may_have_happened, .. } = &mut self {
            *may_have_happened = true;
        }
        self
    }

    pub(crate) fn corrupt(file: impl ToString, field: impl ToString, problem: impl ToString) -> Self {
        Error::Corrupt { file: file.to_string(), field: field.to_string(), problem: problem.to_string() }
    }
}
