//! The errors of the engine: few kinds, each of which says who can mend it.

use std::fmt;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A flag, an address or a file is wrong: mend what was given.
    Input,
    /// The job's definition or its code is wrong: mend the job.
    Job,
    /// The snapshot does not fit or cannot be read: choose another, or say what to do with what does not fit.
    Snapshot,
    /// What a snapshot names is missing, or not as it was written: start from an older one. The message says which is whole.
    Damaged,
    /// The store cannot be used: mend it, or retry.
    Store,
    /// Another run of the job is live: end it, give this one another name, or take over.
    AlreadyRunning,
    /// Another run of the job has taken over: this one must not go on.
    Fenced,
    /// The run failed and was not, or no longer, restarted.
    Failed,
}

/// Why something could not be done.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// An error of a job's own: what a definition gives back when its options or its input are wrong.
    pub fn new(kind: ErrorKind, message: impl ToString) -> Self {
        Error { kind, message: message.to_string() }
    }
    pub(crate) fn input(message: impl ToString) -> Self {
        Error::new(ErrorKind::Input, message)
    }
    pub(crate) fn job(message: impl ToString) -> Self {
        Error::new(ErrorKind::Job, message)
    }
    pub(crate) fn snapshot(message: impl ToString) -> Self {
        Error::new(ErrorKind::Snapshot, message)
    }
    pub(crate) fn damaged(message: impl ToString) -> Self {
        Error::new(ErrorKind::Damaged, message)
    }
    pub(crate) fn store(message: impl ToString) -> Self {
        Error::new(ErrorKind::Store, message)
    }
    pub(crate) fn fenced(message: impl ToString) -> Self {
        Error::new(ErrorKind::Fenced, message)
    }
    /// The same error, of something within a job: `place` says of what.
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        Error { kind: self.kind, message: format!("{place}: {}", self.message) }
    }
    pub(crate) fn failed(message: impl ToString) -> Self {
        Error::new(ErrorKind::Failed, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<millpond_snapshot::Error> for Error {
    fn from(error: millpond_snapshot::Error) -> Self {
        use millpond_snapshot::Error as E;
        match error {
            E::Corrupt { .. } => Error::damaged(error),
            E::Unsupported { .. } => Error::snapshot(error),
            E::InvalidInput(_) | E::NotFound(_) => Error::input(error),
            _ => Error::store(error),
        }
    }
}
