//! Where records go.
//!
//! A [`Sink`] writes in two phases. At the end of an epoch it *prepares*: what it has written is durable, but nobody
//! sees it. What it prepared is part of the snapshot. Once the snapshot has been published it *commits*. After a crash
//! in between, the next run finds in its snapshot what was prepared, and commits it.
//!
//! * [`FileSink`]: files, exactly once. [`Stdout`]: standard output, at least once. [`Collect`]: memory, for tests.

mod collect;
mod files;
mod stdout;

pub use collect::{Collect, CollectSink, Collected};
pub use files::{FileSink, PreparedFile};
pub use stdout::Stdout;

use crate::runtime::failure::UserError;
use crate::stream::record::Data;
use crate::time::EventTime;

/// Which subtask of which run a sink works for.
#[derive(Clone, Debug)]
pub struct SinkContext {
    /// The job's name.
    pub job: String,
    /// Grows with each run of the job; no two runs have the same.
    pub run: u64,
    /// Which subtask, from 0.
    pub subtask: usize,
    /// How many there are.
    pub parallelism: usize,
    /// Whether the run starts from a snapshot.
    pub restored: bool,
    /// The earlier runs of this job that the run stands on, each with the last epoch of it whose output counts. What any
    /// other run or a later epoch has put out belongs to a history that was left when somebody went back.
    pub past: Vec<(u64, u64)>,
}

/// A kind of output. One value of it is made on every worker.
pub trait Sink<T: Data>: 'static {
    /// What a snapshot keeps of an epoch's output, enough to commit it.
    type Prepared: Data;

    /// What the sink is called in plans and messages, such as `files /data/out`.
    fn describe(&self) -> String;

    /// Called once, before all else; `prepared` is what the snapshot that the run starts from has, and what will be
    /// committed next. What earlier runs left behind and no snapshot knows may be removed.
    ///
    /// # Errors
    /// If the output cannot be used; the run fails.
    fn open(&mut self, context: SinkContext, prepared: &[Self::Prepared]) -> Result<(), UserError>;

    /// Writes a record.
    ///
    /// # Errors
    /// If it cannot be written; the run fails.
    fn write(&mut self, value: &T, timestamp: EventTime) -> Result<(), UserError>;

    /// Called when a batch has been written; what need not wait for a snapshot may go out.
    ///
    /// # Errors
    /// If it cannot be written; the run fails.
    fn flush(&mut self) -> Result<(), UserError> {
        Ok(())
    }

    /// The epoch ends: makes durable what was written since the last time. `None` if that was nothing.
    ///
    /// # Errors
    /// If it cannot be made durable; the run fails.
    fn prepare(&mut self, epoch: u64) -> Result<Option<Self::Prepared>, UserError>;

    /// Makes visible what was prepared. May be called again for something that was committed already, by this run or
    /// by another, and must then change nothing.
    ///
    /// # Errors
    /// If it cannot be made visible; the run fails, and the next one tries again.
    fn commit(&mut self, prepared: &Self::Prepared) -> Result<(), UserError>;
}
