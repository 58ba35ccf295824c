//! A job that goes on until it is told to end, on whichever engine: how far it is, its savepoints, its first row.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

/// How long anything may take that is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// How the keyed sum is started.
#[derive(Clone, Default)]
pub(super) struct Start {
    /// What `keyed-sum` takes on both engines.
    pub(super) options: Vec<String>,
    pub(super) parallelism: usize,
    /// Milliseconds between checkpoints; 0 for none.
    pub(super) interval: u64,
    /// A savepoint to start from.
    pub(super) from: Option<Saved>,
}

/// A savepoint that was taken.
#[derive(Clone)]
pub(super) struct Saved {
    /// What the engine starts from.
    pub(super) address: String,
    /// The store that has it, where the engine must be told.
    pub(super) store: PathBuf,
    /// From asking to being told that it is there.
    pub(super) took: Duration,
    /// What it added on disk.
    pub(super) bytes: u64,
}

/// A job that goes on. It is ended when this is dropped.
pub(super) trait Going {
    /// Records read so far.
    fn records(&mut self) -> Result<u64>;
    /// Takes a savepoint.
    fn savepoint(&mut self) -> Result<Saved>;
    /// From the start of the job to its first row.
    fn first_row(&mut self) -> Result<Duration>;
    /// The memory that its state and all else that is alive takes.
    fn memory(&mut self) -> Result<u64>;
    /// The memory that the process which does the work has of the system.
    fn resident(&self) -> u64;
}

/// Waits until so many records were read.
pub(super) fn await_records(job: &mut dyn Going, records: u64) -> Result<()> {
    await_that(&format!("{records} records"), || Ok(job.records()? >= records))
}

/// Waits until each key has been there. One worker may be far ahead: by then the other has been through its half as well.
pub(super) fn await_keys(job: &mut dyn Going, keys: u64) -> Result<()> {
    await_records(job, 4 * keys)
}

/// Waits until something holds.
pub(super) fn await_that(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds()? {
        if std::time::Instant::now() > deadline {
            bail!("no {what} within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
