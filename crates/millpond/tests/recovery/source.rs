//! A source of numbers that yields no more than it is allowed to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millpond::{EventTime, ReadBatch, ReadStatus, Source, SplitReader, UserError, WatermarkStrategy};
use serde::{Deserialize, Serialize};

/// How many splits the numbers are dealt out to: number n is in split n mod 3.
pub(crate) const SPLITS: u64 = 3;

/// How far the source may go. A test opens it step by step, and so decides what is in which snapshot.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<AtomicU64>);

impl Gate {
    /// Lets numbers less than `limit` pass.
    pub(crate) fn open(&self, limit: u64) {
        self.0.store(limit, Ordering::SeqCst);
    }

    /// Which numbers pass.
    pub(crate) fn limit(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The numbers from 0 to `count`, less one; each is its own event time, in milliseconds.
#[derive(Clone)]
pub(crate) struct Numbers {
    pub(crate) count: u64,
    pub(crate) gate: Gate,
}

/// A share of the numbers: `next` and every third one after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Share {
    next: u64,
}

/// Reads a share.
pub(crate) struct Reader {
    share: Share,
    numbers: Numbers,
}

/// Each number is its own event time, and within a split they come in order.
pub(crate) fn in_order() -> WatermarkStrategy<u64> {
    WatermarkStrategy::ascending().timestamps(|number| EventTime::from_millis(*number as i64))
}

impl Source for Numbers {
    type Item = u64;
    type Split = Share;
    type Reader = Reader;

    fn describe(&self) -> String {
        format!("numbers below {}", self.count)
    }

    fn split_id(&self, share: &Share) -> String {
        (share.next % SPLITS).to_string()
    }

    fn discover(&mut self) -> Result<Vec<Share>, UserError> {
        Ok((0..SPLITS).map(|next| Share { next }).collect())
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn open(&self, share: Share) -> Result<Reader, UserError> {
        Ok(Reader { share, numbers: self.clone() })
    }
}

impl SplitReader for Reader {
    type Item = u64;
    type Split = Share;

    fn read(&mut self, max: usize, out: &mut ReadBatch<u64>) -> Result<ReadStatus, UserError> {
        // Small batches: more of them are under way when an epoch ends.
        for _ in 0..max.min(20) {
            let next = self.share.next;
            if next >= self.numbers.count {
                return Ok(ReadStatus::Finished);
            }
            if next >= self.numbers.gate.limit() {
                return Ok(ReadStatus::Waiting);
            }
            out.push(next);
            self.share.next += SPLITS;
        }
        Ok(ReadStatus::More)
    }

    fn split(&self) -> Share {
        self.share.clone()
    }
}
