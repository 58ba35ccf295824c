//! When the timers of evicted keys are due: by time, then by key.
//!
//! An entry is a hint: when its time comes its key is faulted in, and whatever timers the key then has fire as always. A
//! timer that was taken back leaves its hint behind, which then finds nothing.

use std::sync::Arc;

use super::pack;
use super::scratch::Scratch;
use super::table::Table;
use crate::error::Error;

/// The hints of one clock.
pub(crate) struct TimerIndex {
    scratch: Arc<Scratch>,
    /// Made when it is needed: most operators have no timers.
    table: Option<Table>,
    /// The rank of the first hint.
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
    pub(crate) fn new(scratch: Arc<Scratch>) -> Self {
        TimerIndex { scratch, table: None, next: None }
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
        let hint = |(time, key): (i64, Vec<u8>)| [&rank(time).to_be_bytes(), key.as_slice()].concat();
        let mut hints: Vec<Vec<u8>> = hints.map(hint).collect();
        hints.sort_unstable();
        let Some(first) = hints.first() else { return Ok(()) };
        self.next = Some(self.next.unwrap_or(u64::MAX).min(rank_of(first)?));
        let table = match &mut self.table {
            Some(table) => table,
            none => none.insert(Table::create(&self.scratch)?),
        };
        table.write(hints.iter().map(|hint| (hint.as_slice(), Some([].as_slice()))), |_| false)?;
        Ok(())
    }

    /// Takes the keys that are due at `now`, in the order of their time; at most `most`.
    pub(crate) fn due(&mut self, now: i64, most: usize) -> Result<DueKeys, Error> {
        let mut due = DueKeys::default();
        let Some(table) = self.table.as_mut().filter(|_| self.next.is_some_and(|next| next <= rank(now))) else {
            return Ok(due);
        };
        let (mut last, mut next) = (None, None);
        table.take_first(|hint| {
            let (at, mut key) = (rank_of(hint)?, hint.get(8..).unwrap_or_default());
            if at > rank(now) || due.keys.len() == most {
                next = Some(at);
                return Ok(false);
            }
            let hash = u64::from_be_bytes(pack::bytes(&mut key)?);
            due.keys.push((hash, key.to_vec()));
            last = Some(at);
            Ok(true)
        })?;
        self.next = next;
        due.up_to = last.filter(|_| next.is_some_and(|next| next <= rank(now))).map(millis);
        Ok(due)
    }
}
