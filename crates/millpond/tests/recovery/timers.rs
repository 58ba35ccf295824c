//! Event-time timers: a tumbling window made by hand.

use std::collections::BTreeMap;

use millpond::{EventTime, KeyedContext, KeyedProcess, MapState, Timer, UserError};

use crate::harness::{COUNT, recovers};
use crate::source::in_order;

/// The length of a bucket in milliseconds of event time.
const BUCKET: u64 = 70;

/// Sums up the numbers of each bucket, and says the sum when event time has passed it.
struct Buckets {
    sums: MapState<u64, u64>,
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

#[test]
fn a_timer_fires_once_with_all_that_was_before_it() {
    let mut sums = BTreeMap::<(u64, u64), u64>::new();
    for number in 0..COUNT {
        *sums.entry((number % 7, number / BUCKET * BUCKET)).or_default() += number;
    }
    recovers(
        1,
        |env, numbers, ledger| {
            env.source(numbers, in_order())
                .uid("numbers")
                // Seven keys: each gets numbers from every split, so the watermark is a minimum.
                .key_by(|number| number % 7)
                .process(|setup| Buckets { sums: setup.map("sums") })
                .uid("buckets")
                .sink(ledger.sink())
                .uid("ledger");
        },
        sums.into_iter().map(|((key, start), sum)| (key, start, sum)).collect(),
    );
}
