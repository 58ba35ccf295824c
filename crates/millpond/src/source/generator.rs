//! Records that are computed.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::rate_limit::RateLimit;
use super::{PositionForm, ReadBatch, ReadStatus, Source, SourcePosition, SplitReader};
use crate::runtime::failure::{Permanent, UserError};
use crate::stream::record::Data;
use crate::time::EventTime;

type Timestamps = Rc<dyn Fn(u64) -> EventTime>;

#[derive(Debug, thiserror::Error)]
enum GeneratorError {
    #[error("a generator needs at least one split")]
    NoSplits,
    #[error(
        "the snapshot's generator has {found} splits and the job's has {expected}: they number the records differently, \
         so give the job's generator {found} splits"
    )]
    Splits { expected: u64, found: u64 },
}

/// Makes the record with each index from 0 by a function of the index.
///
/// Of `n` splits, split `i` makes the records `i`, `i + n`, `i + 2n`, …, so that the splits together make each record
/// once, at any parallelism. The number of splits is part of what a snapshot knows and must stay the same; `count` may
/// change.
///
/// ```
/// use millpond::EventTime;
/// use millpond::source::Generator;
/// let ticks = Generator::new(Some(1_000), 4, |index| index * index)
///     .timestamps(|index| EventTime::from_millis(index as i64))
///     .rate(100.0);
/// ```
pub struct Generator<F> {
    count: Option<u64>,
    splits: u64,
    make: F,
    timestamps: Option<Timestamps>,
    rate: RateLimit,
}

impl<T: Data, F: Fn(u64) -> T + Clone + Send + 'static> Generator<F> {
    /// Makes `count` records, or goes on for ever, in `splits` parts.
    pub fn new(count: Option<u64>, splits: usize, make: F) -> Self {
        Generator { count, splits: splits as u64, make, timestamps: None, rate: RateLimit::default() }
    }

    /// Gives the record with each index its event time.
    pub fn timestamps(mut self, timestamp: impl Fn(u64) -> EventTime + 'static) -> Self {
        self.timestamps = Some(Rc::new(timestamp));
        self
    }

    /// Makes at most so many records a second in the whole job.
    pub fn rate(mut self, per_second: impl Into<Option<f64>>) -> Self {
        self.rate = RateLimit::new(per_second.into());
        self
    }
}

/// Every so-many-th index, and how far a generator has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorSplit {
    /// Which split, from 0.
    pub split: u64,
    /// How many there are.
    pub of: u64,
    /// The index of the next record.
    pub next: u64,
}

impl<T: Data, F: Fn(u64) -> T + Clone + Send + 'static> Source for Generator<F> {
    type Item = T;
    type Split = GeneratorSplit;
    type Reader = GeneratorReader<F>;

    fn describe(&self) -> String {
        "generator".to_owned()
    }

    fn split_id(&self, split: &GeneratorSplit) -> String {
        split.split.to_string()
    }

    fn discover(&mut self) -> Result<Vec<GeneratorSplit>, UserError> {
        self.rate.check()?;
        if self.splits == 0 {
            return Err(GeneratorError::NoSplits.into());
        }
        Ok((0..self.splits).map(|split| GeneratorSplit { split, of: self.splits, next: split }).collect())
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn open(&self, split: GeneratorSplit) -> Result<GeneratorReader<F>, UserError> {
        if self.splits == 0 {
            return Err(GeneratorError::NoSplits.into());
        }
        if split.of != self.splits {
            return Err(GeneratorError::Splits { expected: self.splits, found: split.of }.into());
        }
        let (make, timestamps) = (self.make.clone(), self.timestamps.clone());
        Ok(GeneratorReader { split, end: self.count.unwrap_or(u64::MAX), make, timestamps })
    }

    fn positions(&self) -> Vec<PositionForm> {
        let mut forms =
            vec![PositionForm::Earliest, PositionForm::Number("the index of the first record, from 0")];
        // What goes on for ever has no end.
        forms.extend(self.count.map(|_| PositionForm::Latest));
        forms
    }

    fn seek(&self, split: GeneratorSplit, position: &SourcePosition) -> Result<Option<GeneratorSplit>, UserError> {
        let first = match position {
            SourcePosition::Latest => self.count.unwrap_or(u64::MAX),
            SourcePosition::At(text) => {
                text.parse().map_err(|_| Permanent::new(position.wrong("it is not the index of a record")))?
            }
            SourcePosition::Earliest | SourcePosition::Timestamp(_) => 0,
        };
        // The least index of this split that is not before the first.
        let steps = first.saturating_sub(split.next).div_ceil(split.of);
        let next = split.next.saturating_add(steps.saturating_mul(split.of));
        Ok(Some(GeneratorSplit { next, ..split }))
    }

    fn rate(&self) -> Option<f64> {
        self.rate.per_second()
    }
}

/// Makes the records of one split.
pub struct GeneratorReader<F> {
    split: GeneratorSplit,
    /// Behind the last index.
    end: u64,
    make: F,
    timestamps: Option<Timestamps>,
}

impl<T: Data, F: Fn(u64) -> T + Clone + Send + 'static> SplitReader for GeneratorReader<F> {
    type Item = T;
    type Split = GeneratorSplit;

    fn read(&mut self, max: usize, out: &mut ReadBatch<T>) -> Result<ReadStatus, UserError> {
        let GeneratorSplit { of, next, .. } = self.split;
        let batch = self.end.saturating_sub(next).div_ceil(of).min(max as u64);
        let make = &self.make;
        let indexes = (0..batch).map(|place| next + place * of);
        match &self.timestamps {
            None => out.extend(indexes.map(make)),
            Some(timestamp) => out.extend(indexes.map(|index| (make(index), timestamp(index)))),
        }
        self.split.next = next.saturating_add(batch.saturating_mul(of));
        Ok(if self.split.next >= self.end { ReadStatus::Finished } else { ReadStatus::More })
    }

    fn split(&self) -> GeneratorSplit {
        self.split.clone()
    }
}
