//! Flow control: how far sources may run ahead of the operators that do the work.
//!
//! Timely's channels have no bound. Within a worker that does no harm, a step empties them; between workers, and
//! while records of a later epoch wait, they would grow. So every record is counted when it is sent to another
//! worker or put to wait, and counted back when it has been processed; a source reads on while the sum is below a
//! bound. A few records may follow from one that was read (a `flat_map`), so the bound is soft by that factor.

use std::sync::atomic::{AtomicI64, Ordering};

/// Records under way per worker before sources of the process wait.
const RECORDS_PER_WORKER: i64 = 1 << 15;

/// The records under way in this process, and what the other processes last said of theirs.
#[derive(Debug)]
pub(crate) struct Flow {
    here: AtomicI64,
    elsewhere: AtomicI64,
    bound: i64,
}

impl Flow {
    /// A counter for a job of `workers` workers in all.
    pub(crate) fn new(workers: usize) -> Self {
        Flow {
            here: AtomicI64::new(0),
            elsewhere: AtomicI64::new(0),
            bound: RECORDS_PER_WORKER.saturating_mul(i64::try_from(workers).unwrap_or(i64::MAX)),
        }
    }

    /// Counts `records` as under way.
    pub(crate) fn enter(&self, records: usize) {
        self.here.fetch_add(records as i64, Ordering::Relaxed);
    }

    /// Counts `records` as processed.
    pub(crate) fn leave(&self, records: usize) {
        self.here.fetch_sub(records as i64, Ordering::Relaxed);
    }

    /// Records sent here less records processed here; the sum over all processes is what is under way.
    pub(crate) fn balance(&self) -> i64 {
        self.here.load(Ordering::Relaxed)
    }

    /// Takes note of the sum of the other processes' balances.
    pub(crate) fn set_elsewhere(&self, balance: i64) {
        self.elsewhere.store(balance, Ordering::Relaxed);
    }

    /// Whether sources may read on.
    pub(crate) fn is_open(&self) -> bool {
        self.balance().saturating_add(self.elsewhere.load(Ordering::Relaxed)) < self.bound
    }
}
