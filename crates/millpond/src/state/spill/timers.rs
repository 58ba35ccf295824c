//! When the timers of evicted keys are due: by time, then by key.
//!
//! An entry is a hint: when its time comes its key is faulted in, and whatever timers the key then has fire as always. A
//! timer that was taken back leaves its hint behind, which then finds nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lsm_tree::compaction::filter::Context;
use lsm_tree::compaction::{CompactionFilter, Factory, ItemAccessor, Verdict};

use super::backend::Disk;
use super::pack;
use super::table::Table;
use crate::error::Error;

/// The hints of one clock.
pub(crate) struct TimerIndex {
    disk: Arc<Disk>,
    memtable: usize,
    /// Made when it is needed: most operators have no timers.
    table: Option<Table>,
    /// The hint that was given out last: all up to it are done with.
    passed: Option<Vec<u8>>,
    /// All before this rank are done with.
    done: Arc<AtomicU64>,
    /// The rank of the first one after it.
    next: Option<u64>,
}

/// Keys whose timers are due.
#[derive(Debug, Default)]
pub(crate) struct DueKeys {
    /// The hash, and the key as packed.
    pub(crate) keys: Vec<(u64, Vec<u8>)>,
    /// The time of the last one, if there are more that are due.
    pub(crate) up_to: Option<i64>,
}

/// Rising with time.
fn rank(millis: i64) -> u64 {
    (millis as u64) ^ (1 << 63)
}

fn millis(rank: u64) -> i64 {
    (rank ^ (1 << 63)) as i64
}

/// The rank at the beginning of a hint.
fn rank_of(hint: &[u8]) -> Result<u64, Error> {
    Ok(u64::from_be_bytes(pack::bytes(&mut &*hint)?))
}

impl TimerIndex {
    pub(crate) fn new(disk: Arc<Disk>, memtable: usize) -> Self {
        TimerIndex { disk, memtable, table: None, passed: None, done: Arc::default(), next: None }
    }

    /// Memory that it takes whatever is due.
    pub(crate) fn pinned(&self) -> usize {
        self.table.as_ref().map_or(0, Table::pinned)
    }

    /// When the first one is due.
    pub(crate) fn next(&self) -> Option<i64> {
        self.next.map(millis)
    }

    /// Adds hints: the time in milliseconds, and the hash and the key.
    pub(crate) fn add(&mut self, hints: impl Iterator<Item = (i64, Vec<u8>)>) -> Result<(), Error> {
        // What is due already comes right after all that was given out.
        let least = match &self.passed {
            Some(passed) => rank_of(passed)?.saturating_add(1),
            None => 0,
        };
        let hint = |(time, key): (i64, Vec<u8>)| [&rank(time).max(least).to_be_bytes(), key.as_slice()].concat();
        let mut hints: Vec<Vec<u8>> = hints.map(hint).collect();
        hints.sort_unstable();
        let Some(first) = hints.first() else { return Ok(()) };
        self.next = Some(self.next.unwrap_or(u64::MAX).min(rank_of(first)?));
        let table = match &self.table {
            Some(table) => table,
            None => {
                let filter = Arc::new(Passed(Arc::clone(&self.done)));
                self.table.insert(Table::create(&self.disk, self.memtable, Some(filter))?)
            }
        };
        table.write(hints.iter().map(|hint| (hint.as_slice(), Some([].as_slice()))))
    }

    /// Takes the keys that are due at `now`, in the order of their time; at most `most`.
    pub(crate) fn due(&mut self, now: i64, most: usize) -> Result<DueKeys, Error> {
        let mut due = DueKeys::default();
        let Some(table) = self.table.as_ref().filter(|_| self.next.is_some_and(|next| next <= rank(now))) else {
            return Ok(due);
        };
        self.next = None;
        for row in table.rows(self.passed.as_deref()) {
            let hint = row?.0;
            let (at, mut key) = (rank_of(&hint)?, hint.get(8..).unwrap_or_default());
            if at > rank(now) || due.keys.len() == most {
                self.next = Some(at);
                break;
            }
            let hash = u64::from_be_bytes(pack::bytes(&mut key)?);
            due.keys.push((hash, key.to_vec()));
            self.passed = Some(hint.to_vec());
        }
        if let Some(passed) = &self.passed {
            let passed = rank_of(passed)?;
            self.done.store(passed, Ordering::Relaxed);
            due.up_to = self.next.filter(|next| *next <= rank(now)).map(|_| millis(passed));
        }
        Ok(due)
    }
}

/// Leaves out hints that were given out.
struct Passed(Arc<AtomicU64>);

impl Factory for Passed {
    fn name(&self) -> &str {
        "passed"
    }
    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Before(self.0.load(Ordering::Relaxed)))
    }
}

struct Before(u64);

impl CompactionFilter for Before {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> Result<Verdict, lsm_tree::Error> {
        let passed = rank_of(item.key()).is_ok_and(|rank| rank < self.0);
        Ok(if passed { Verdict::Remove } else { Verdict::Keep })
    }
}
