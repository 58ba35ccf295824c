//! What a reader has read.

use crate::stream::record::Record;
use crate::time::EventTime;

/// The records that a [`SplitReader`](super::SplitReader) gives out, in their order.
///
/// They are sent on from where the reader has put them: nothing that is in here is moved once more.
///
/// ```
/// use millpond::{EventTime, ReadBatch};
/// let mut batch = ReadBatch::new();
/// batch.push("as it is");
/// batch.push_at("with an event time of its own", EventTime::from_millis(17));
/// let times: Vec<EventTime> = batch.into_pairs().map(|(_, time)| time).collect();
/// assert_eq!(times, [EventTime::MIN, EventTime::from_millis(17)]);
/// ```
#[derive(Debug)]
pub struct ReadBatch<T>(Vec<Record<T>>);

impl<T> ReadBatch<T> {
    /// Without records.
    pub fn new() -> Self {
        ReadBatch(Vec::new())
    }

    /// Adds a record without an event time; [`WatermarkStrategy::timestamps`](crate::WatermarkStrategy::timestamps) may give
    /// it one.
    #[inline]
    pub fn push(&mut self, value: T) {
        self.push_at(value, EventTime::MIN);
    }

    /// Adds a record that happened at `timestamp`, unless
    /// [`WatermarkStrategy::timestamps`](crate::WatermarkStrategy::timestamps) says otherwise.
    #[inline]
    pub fn push_at(&mut self, value: T, timestamp: EventTime) {
        self.0.push(Record { timestamp, value });
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each record with its event time; [`EventTime::MIN`] is none.
    pub fn into_pairs(self) -> impl Iterator<Item = (T, EventTime)> {
        self.0.into_iter().map(|record| (record.value, record.timestamp))
    }

    /// One to which records are added behind `records`.
    pub(crate) fn behind(records: Vec<Record<T>>) -> Self {
        ReadBatch(records)
    }

    pub(crate) fn into_records(self) -> Vec<Record<T>> {
        self.0
    }
}

impl<T> Default for ReadBatch<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<T> for ReadBatch<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.0.extend(values.into_iter().map(|value| Record { timestamp: EventTime::MIN, value }));
    }
}

impl<T> Extend<(T, EventTime)> for ReadBatch<T> {
    fn extend<I: IntoIterator<Item = (T, EventTime)>>(&mut self, values: I) {
        self.0.extend(values.into_iter().map(|(value, timestamp)| Record { timestamp, value }));
    }
}
