//! How event time is read off the records.

use std::rc::Rc;
use std::time::Duration;

use crate::stream::record::Record;
use crate::time::EventTime;

/// Makes watermarks from the event times that a split yields.
pub trait WatermarkGenerator: 'static {
    /// A record with this event time has been read.
    fn observe(&mut self, timestamp: EventTime);
    /// How far event time has come: no record at or before it is expected any more.
    fn watermark(&self) -> EventTime;
}

/// The greatest event time so far, less a bound.
#[derive(Clone, Debug)]
struct BoundedOutOfOrderness {
    greatest: EventTime,
    bound: Duration,
}

impl WatermarkGenerator for BoundedOutOfOrderness {
    #[inline]
    fn observe(&mut self, timestamp: EventTime) {
        self.greatest = self.greatest.max(timestamp);
    }
    fn watermark(&self) -> EventTime {
        if self.greatest == EventTime::MIN {
            return EventTime::MIN;
        }
        // One less: another record with the same time may follow.
        EventTime::from_millis(self.greatest.saturating_sub(self.bound).as_millis().saturating_sub(1))
    }
}

/// Gives records their event time; all that were read together, so that it is one call.
type Stamp<T> = Rc<dyn Fn(&mut [Record<T>])>;
type Generators = Rc<dyn Fn() -> Box<dyn WatermarkGenerator>>;

/// When records happened, how far out of order they come, when a source counts as idle, and whether sources keep together.
///
/// ```
/// use millpond::{EventTime, WatermarkStrategy};
/// use std::time::Duration;
/// let strategy = WatermarkStrategy::bounded_out_of_orderness(Duration::from_secs(5))
///     .timestamps(|reading: &(i64, f64)| EventTime::from_millis(reading.0))
///     .idle_after(Duration::from_secs(60));
/// ```
pub struct WatermarkStrategy<T> {
    pub(crate) stamp: Option<Stamp<T>>,
    pub(crate) generator: Option<Generators>,
    pub(crate) idle_after: Option<Duration>,
    pub(crate) drift: Option<Duration>,
}

impl<T> Clone for WatermarkStrategy<T> {
    fn clone(&self) -> Self {
        WatermarkStrategy {
            stamp: self.stamp.clone(),
            generator: self.generator.clone(),
            idle_after: self.idle_after,
            drift: self.drift,
        }
    }
}

impl<T> WatermarkStrategy<T> {
    /// No event time: the watermark stays at the beginning until the input ends.
    pub fn none() -> Self {
        WatermarkStrategy { stamp: None, generator: None, idle_after: None, drift: None }
    }

    /// Records come at most `bound` after one with a later event time.
    pub fn bounded_out_of_orderness(bound: Duration) -> Self {
        WatermarkStrategy::own(move || {
            Box::new(BoundedOutOfOrderness { greatest: EventTime::MIN, bound }) as Box<dyn WatermarkGenerator>
        })
    }

    /// Records come in the order of their event time.
    pub fn ascending() -> Self {
        WatermarkStrategy::bounded_out_of_orderness(Duration::ZERO)
    }

    /// Watermarks by a generator of your own; one is made for each split.
    pub fn own(generator: impl Fn() -> Box<dyn WatermarkGenerator> + 'static) -> Self {
        WatermarkStrategy { stamp: None, generator: Some(Rc::new(generator)), idle_after: None, drift: None }
    }

    /// Reads the event time off a record. Without it, the source's own timestamps count, where it has them.
    pub fn timestamps(mut self, timestamp: impl Fn(&T) -> EventTime + 'static) -> Self {
        self.stamp = Some(Rc::new(move |records: &mut [Record<T>]| {
            records.iter_mut().for_each(|record| record.timestamp = timestamp(&record.value));
        }));
        self
    }

    /// A source that has had nothing for this long no longer holds event time back, until it has something again.
    /// Records that it then yields may be late.
    pub fn idle_after(mut self, duration: Duration) -> Self {
        self.idle_after = Some(duration);
        self
    }

    /// Reads no split on whose watermark is more than `drift` ahead of the slowest one, of all sources of the job that are
    /// aligned, until that one has come nearer.
    ///
    /// Catching up after a stop, or joining a large input with a small one, sources come on at different speeds, and
    /// what the fast ones have read waits in windows and joins for the slow ones: without this there is no bound to that.
    /// With it, state holds what happens within the windows and the drift. The price: splits of different times, such
    /// as the files of several days, are read one after the other and no longer at once.
    ///
    /// Who has come to its end, is idle by [`WatermarkStrategy::idle_after`], or has yielded no event time yet is not
    /// waited for. A split that has nothing and is not idle is: give sources that may fall silent an `idle_after`. The
    /// drift is overstepped by what is read at once, some thousand records, and with several processes by what is read in the
    /// hundredth of a second in which they hear of each other. Without watermarks it has no effect.
    ///
    /// ```
    /// use millpond::{EventTime, WatermarkStrategy};
    /// use std::time::Duration;
    /// let strategy = WatermarkStrategy::ascending()
    ///     .timestamps(|click: &(i64, u32)| EventTime::from_millis(click.0))
    ///     .aligned_within(Duration::from_secs(60));
    /// ```
    pub fn aligned_within(mut self, drift: Duration) -> Self {
        self.drift = Some(drift);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_watermark_stays_below_what_may_still_come() {
        let mut generator = BoundedOutOfOrderness { greatest: EventTime::MIN, bound: Duration::from_millis(10) };
        assert_eq!(generator.watermark(), EventTime::MIN);
        generator.observe(EventTime::from_millis(100));
        generator.observe(EventTime::from_millis(95));
        assert_eq!(generator.watermark(), EventTime::from_millis(89));
    }
}
