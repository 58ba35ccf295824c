//! Records from an iterator, for tests.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::{PositionForm, ReadBatch, ReadStatus, Source, SourcePosition, SplitReader};
use crate::runtime::failure::{Permanent, UserError};
use crate::stream::record::Data;
use crate::time::EventTime;

type Items<T> = Box<dyn Iterator<Item = (T, EventTime)>>;

#[derive(Debug, thiserror::Error)]
enum IteratorError {
    #[error(
        "the iterator ended after {found} items, but {given} were given out before: it must yield the same each time"
    )]
    Shorter { found: u64, given: u64 },
    #[error("failed on purpose before item {0}")]
    OnPurpose(u64),
}

/// What an iterator yields, in one split. The position is the number of items that were given out; after a restore so
/// many are skipped, so the iterator must yield the same each time it is made.
///
/// It is meant for tests, and can [fail on purpose](IteratorSource::fail_at).
///
/// ```
/// use millpond::source::IteratorSource;
/// let numbers = IteratorSource::new(|| 0..10_u64);
/// ```
pub struct IteratorSource<T> {
    make: Rc<dyn Fn() -> Items<T>>,
    failure: Option<PlannedFailure>,
}

/// A failure that is to happen.
#[derive(Clone, Debug)]
struct PlannedFailure {
    at: u64,
    times: Arc<AtomicU32>,
}

impl<T: Data> IteratorSource<T> {
    /// Yields what the iterators that `make` makes do.
    pub fn new<I>(make: impl Fn() -> I + 'static) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: 'static>,
    {
        IteratorSource {
            make: Rc::new(move || Box::new(make().into_iter().map(|item| (item, EventTime::MIN)))),
            failure: None,
        }
    }

    /// As [`IteratorSource::new`], with the event time of each item.
    pub fn with_timestamps<I>(make: impl Fn() -> I + 'static) -> Self
    where
        I: IntoIterator<Item = (T, EventTime), IntoIter: 'static>,
    {
        IteratorSource { make: Rc::new(move || Box::new(make().into_iter())), failure: None }
    }

    /// Test support: fails instead of giving out the item with this index, from 0, and counts `times` down, until it is
    /// 0. The caller keeps a clone of `times`, so that the count outlives restarts of the job.
    pub fn fail_at(mut self, index: u64, times: Arc<AtomicU32>) -> Self {
        self.failure = Some(PlannedFailure { at: index, times });
        self
    }
}

/// How many items of an iterator were given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IteratorSplit {
    /// The number of items.
    pub given: u64,
}

impl<T: Data> Source for IteratorSource<T> {
    type Item = T;
    type Split = IteratorSplit;
    type Reader = IteratorReader<T>;

    fn describe(&self) -> String {
        "iterator".to_owned()
    }

    fn split_id(&self, _: &IteratorSplit) -> String {
        "all".to_owned()
    }

    fn discover(&mut self) -> Result<Vec<IteratorSplit>, UserError> {
        Ok(vec![IteratorSplit { given: 0 }])
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn positions(&self) -> Vec<PositionForm> {
        vec![PositionForm::Earliest, PositionForm::Number("the number of items to skip")]
    }

    fn seek(&self, split: IteratorSplit, position: &SourcePosition) -> Result<Option<IteratorSplit>, UserError> {
        let SourcePosition::At(text) = position else { return Ok(Some(split)) };
        let given = text.parse().map_err(|_| Permanent::new(position.wrong("it is not a number of items")))?;
        Ok(Some(IteratorSplit { given }))
    }

    fn open(&self, split: IteratorSplit) -> Result<IteratorReader<T>, UserError> {
        let mut items = (self.make)();
        for found in 0..split.given {
            if items.next().is_none() {
                return Err(IteratorError::Shorter { found, given: split.given }.into());
            }
        }
        Ok(IteratorReader { items, split, failure: self.failure.clone() })
    }
}

/// Gives out what an iterator yields.
pub struct IteratorReader<T> {
    items: Items<T>,
    split: IteratorSplit,
    failure: Option<PlannedFailure>,
}

impl<T: Data> IteratorReader<T> {
    fn fail_on_purpose(&self) -> Result<(), IteratorError> {
        let Some(failure) = self.failure.as_ref().filter(|failure| failure.at == self.split.given) else {
            return Ok(());
        };
        let counted =
            failure.times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |times| times.checked_sub(1));
        if counted.is_ok() { Err(IteratorError::OnPurpose(failure.at)) } else { Ok(()) }
    }
}

impl<T: Data> SplitReader for IteratorReader<T> {
    type Item = T;
    type Split = IteratorSplit;

    fn read(&mut self, max: usize, out: &mut ReadBatch<T>) -> Result<ReadStatus, UserError> {
        self.fail_on_purpose()?;
        for given in 0..max {
            // What comes before the failure is given out first, by a call of its own.
            if given > 0 && self.failure.as_ref().is_some_and(|failure| failure.at == self.split.given) {
                break;
            }
            let Some((value, timestamp)) = self.items.next() else { return Ok(ReadStatus::Finished) };
            out.push_at(value, timestamp);
            self.split.given += 1;
        }
        Ok(ReadStatus::More)
    }

    fn split(&self) -> IteratorSplit {
        self.split.clone()
    }
}
