//! Event-time timers: a tumbling window made by hand.

use millpond::{EventTime, KeyedContext, KeyedProcess, MapState, Timer, UserError};

/// The length of a bucket in milliseconds of event time.
pub(crate) const BUCKET: u64 = 70;

/// Sums up the numbers of each bucket, and says the sum when event time has passed it.
pub(crate) struct Buckets {
    pub(crate) sums: MapState<u64, u64>,
}

impl KeyedProcess<u64, u64> for Buckets {
    type Out = (u64, u64, u64);
    type Side = ();

    fn process(
        &mut self,
        number: &u64,
        context: &mut KeyedContext<'_, u64, Self::Out, ()>,
    ) -> Result<(), UserError> {
        let start = number / BUCKET * BUCKET;
        self.sums.upsert(start, || 0, |sum| *sum += number);
        context.set_event_timer(EventTime::from_millis((start + BUCKET - 1) as i64));
        Ok(())
    }

    fn on_timer(
        &mut self,
        timer: Timer,
        context: &mut KeyedContext<'_, u64, Self::Out, ()>,
    ) -> Result<(), UserError> {
        let start = timer.time.as_millis() as u64 + 1 - BUCKET;
        let sum = self.sums.remove(&start).ok_or("a timer of a bucket that is not there")?;
        context.emit((*context.key(), start, sum));
        Ok(())
    }
}
