//! Where records come from.
//!
//! A [`Source`] lists its *splits*: units of input that one subtask reads, each with a position. Splits and positions
//! are state; after a restore they go to whoever runs now.
//!
//! * `batch`: what a reader has read.
//! * `watermark`: how event time is read off the records.
//! * `alignment`: how far the sources that keep together have come.
//! * `rate`: a limit for the whole process; `rate_limit`: what a user asks for.
//! * `position`: where a source is to begin, when somebody says so.
//! * [`Files`]: JSON Lines and CSV. [`Generator`]: records that are computed. [`IteratorSource`]: for tests.

pub(crate) mod alignment;
mod batch;
mod files;
mod generator;
mod iterator;
mod position;
pub(crate) mod rate;
mod rate_limit;
#[cfg(test)]
mod tests;
pub(crate) mod watermark;

pub use batch::ReadBatch;
pub use files::{FileSplit, Files, MalformedRecord, Parsed, StrictReader, TolerantFiles, TolerantReader};
pub use generator::{Generator, GeneratorReader, GeneratorSplit};
pub use iterator::{IteratorReader, IteratorSource, IteratorSplit};
pub use position::{PositionError, PositionForm, SourcePosition};

use crate::runtime::failure::UserError;
use crate::stream::record::Data;

/// What a reader has to say after it was asked for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// There may be more at once.
    More,
    /// There is nothing now, but there may be later: the source grows.
    Waiting,
    /// The split has come to its end.
    Finished,
}

/// A kind of input. One value of it is made where the job is defined, on every worker.
pub trait Source: 'static {
    /// What it yields.
    type Item: Data;
    /// A unit of input and a position in it, as a snapshot keeps it.
    type Split: Data;
    /// Reads a split.
    type Reader: SplitReader<Item = Self::Item, Split = Self::Split>;

    /// What the source is called in plans and messages, such as `files /data/in`.
    fn describe(&self) -> String;

    /// A name for a split that no other split of the source has; a split is read once.
    fn split_id(&self, split: &Self::Split) -> String;

    /// Hears by their ids which splits the snapshot knows from which the run goes on, before the first
    /// [`Source::discover`] and on the same worker. For a source that can tell its user that they look amiss.
    fn restored(&mut self, known: &[String]) {
        let _ = known;
    }

    /// The splits that there are now, each at its beginning. Called on one worker at the start, and again from time to
    /// time if [`Source::is_bounded`] says that there may be more.
    ///
    /// # Errors
    /// If the input cannot be listed; the run fails.
    fn discover(&mut self) -> Result<Vec<Self::Split>, UserError>;

    /// Whether all splits are known after the first [`Source::discover`].
    fn is_bounded(&self) -> bool;

    /// Opens a split at its position.
    ///
    /// # Errors
    /// If it cannot be opened; the run fails.
    fn open(&self, split: Self::Split) -> Result<Self::Reader, UserError>;

    /// The forms of position that the source can be told to begin at, see `--source-position`. Known before it is run;
    /// none unless it says so, and then [`Source::seek`] is never called.
    fn positions(&self) -> Vec<PositionForm> {
        Vec::new()
    }

    /// Moves a split that stands at its beginning to `position`, which is of one of the forms that
    /// [`Source::positions`] has. `None`: nothing of it is read, now or later. Called for each split of the first
    /// [`Source::discover`] of a run that was told where to begin, on the worker that discovers; splits that come later
    /// are read from their beginning.
    ///
    /// # Errors
    /// If the position makes no sense or cannot be found; the run fails.
    fn seek(&self, split: Self::Split, position: &SourcePosition) -> Result<Option<Self::Split>, UserError> {
        let _ = (split, position);
        Err(PositionError::Unsupported.into())
    }

    /// Records a second for the whole job, if there is a limit.
    fn rate(&self) -> Option<f64> {
        None
    }
}

/// Reads one split.
pub trait SplitReader: 'static {
    /// What it yields.
    type Item: Data;
    /// What it reads, with the position.
    type Split: Data;

    /// Pushes at most `max` records that follow the position, and moves the position behind them.
    ///
    /// Must not block for long: the worker has other things to do. May give a record an event time of its own.
    ///
    /// # Errors
    /// If the input cannot be read or a record is malformed; the run fails with this message.
    fn read(&mut self, max: usize, out: &mut ReadBatch<Self::Item>) -> Result<ReadStatus, UserError>;

    /// The split, with the position behind the last record that was given out.
    fn split(&self) -> Self::Split;
}
