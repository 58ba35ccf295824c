//! What an interval join keeps: the records of both streams by time, one entry a moment, so that a snapshot takes what
//! came and went and no more.

use super::either::Either;
use crate::operators::connected::CoProcess;
use crate::operators::context::{KeyedContext, TimeDomain, Timer};
use crate::runtime::failure::{Permanent, UserError};
use crate::state::codec::StateValue;
use crate::state::evolution::descriptors::{MapDescriptor, TypedDescriptor};
use crate::state::handles::MapState;
use crate::state::setup::KeyedSetup;
use crate::stream::record::{Data, Key};
use crate::time::EventTime;
use crate::windows::LateCount;

/// How far, in milliseconds, a record of the second stream may be from one of the first; both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) lower: i64,
    pub(super) upper: i64,
}

impl Bounds {
    /// The times of partners in the second stream, first and last.
    fn of_left(self, time: EventTime) -> (EventTime, EventTime) {
        (shift(time, self.lower), shift(time, self.upper))
    }

    /// The times of partners in the first stream, first and last.
    fn of_right(self, time: EventTime) -> (EventTime, EventTime) {
        (shift(time, self.upper.saturating_neg()), shift(time, self.lower.saturating_neg()))
    }

    /// Records are forgotten in steps of this many milliseconds of event time: a key has a handful of timers, however
    /// many records it has, and keeps a record at most this much longer than it is needed.
    fn step(self) -> i64 {
        (self.upper.saturating_sub(self.lower) / 8).max(1)
    }

    /// The end of the step in which `time` is.
    fn step_end(self, time: EventTime) -> EventTime {
        let rest = time.as_millis().rem_euclid(self.step());
        if rest == 0 { time } else { shift(time, self.step() - rest) }
    }
}

/// `time` plus so many milliseconds.
fn shift(time: EventTime, millis: i64) -> EventTime {
    EventTime::from_millis(time.as_millis().saturating_add(millis))
}

type Function<L, R, O> = Box<dyn Fn(&L, &R) -> Result<O, UserError>>;

/// The interval join of one subtask.
pub(super) struct IntervalOperator<L, R, O> {
    left: MapState<EventTime, Vec<L>>,
    right: MapState<EventTime, Vec<R>>,
    bounds: Bounds,
    function: Function<L, R, O>,
    late_to_side: bool,
    late: LateCount,
    subtask: usize,
}

impl<L: Data, R: Data, O: Data> IntervalOperator<L, R, O> {
    pub(super) fn new(
        setup: &mut KeyedSetup,
        bounds: Bounds,
        (left, right): (TypedDescriptor<L>, TypedDescriptor<R>),
        late_to_side: bool,
        function: Function<L, R, O>,
    ) -> Self {
        if bounds.lower > bounds.upper {
            setup.refuse("the bounds of an interval join leave nothing between them: the lower one comes first");
        }
        IntervalOperator {
            left: setup.map(MapDescriptor::new(left.lists())),
            right: setup.map(MapDescriptor::new(right.lists())),
            bounds,
            function,
            late_to_side,
            late: LateCount::default(),
            subtask: setup.subtask(),
        }
    }

    /// Whether a record is in time. If not, it is dealt with.
    fn admit<K: Key>(
        &mut self,
        record: impl FnOnce() -> Either<L, R>,
        context: &mut KeyedContext<'_, K, O, Either<L, R>>,
    ) -> Result<bool, UserError> {
        let time = context.timestamp();
        if time == EventTime::MIN {
            return Err(Permanent::new(
                "the record has no event time, and an interval join needs one: give its source a \
                 WatermarkStrategy with timestamps",
            )
            .into());
        }
        let in_time = time > context.watermark();
        if !in_time && self.late_to_side {
            context.emit_side(record());
        } else if !in_time {
            self.late.count("interval_join", self.subtask);
        }
        Ok(in_time)
    }

    /// Sets the timer at which a record that waits for partners up to `last` is forgotten.
    fn keep_until<K: Key>(&self, last: EventTime, context: &mut KeyedContext<'_, K, O, Either<L, R>>) {
        context.set_event_timer(self.bounds.step_end(last));
    }
}

impl<K: Key, L: Data, R: Data, O: Data> CoProcess<K, L, R> for IntervalOperator<L, R, O> {
    type Out = O;
    type Side = Either<L, R>;

    fn left(&mut self, record: &L, context: &mut KeyedContext<'_, K, O, Either<L, R>>) -> Result<(), UserError> {
        if !self.admit(|| Either::Left(record.clone()), context)? {
            return Ok(());
        }
        let time = context.timestamp();
        let (first, last) = self.bounds.of_left(time);
        pairs(&self.right, (first, last), |right, at| {
            context.emit_at((self.function)(record, right)?, time.max(at));
            Ok(())
        })?;
        // What can have no more partners need not be kept.
        if last > context.watermark() {
            self.left.upsert(time, Vec::new, |records| records.push(record.clone()));
            self.keep_until(last, context);
        }
        Ok(())
    }

    fn right(&mut self, record: &R, context: &mut KeyedContext<'_, K, O, Either<L, R>>) -> Result<(), UserError> {
        if !self.admit(|| Either::Right(record.clone()), context)? {
            return Ok(());
        }
        let time = context.timestamp();
        let (first, last) = self.bounds.of_right(time);
        pairs(&self.left, (first, last), |left, at| {
            context.emit_at((self.function)(left, record)?, time.max(at));
            Ok(())
        })?;
        if last > context.watermark() {
            self.right.upsert(time, Vec::new, |records| records.push(record.clone()));
            self.keep_until(last, context);
        }
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, _: &mut KeyedContext<'_, K, O, Either<L, R>>) -> Result<(), UserError> {
        if timer.domain == TimeDomain::Event {
            // Those of the first stream whose last partner would be at the timer or before, and so for the second.
            forget(&self.left, self.bounds.of_right(timer.time).0);
            forget(&self.right, self.bounds.of_left(timer.time).0);
        }
        Ok(())
    }
}

/// Shows each record from the first moment to the last, and its time.
fn pairs<V: StateValue>(
    kept: &MapState<EventTime, Vec<V>>,
    (first, last): (EventTime, EventTime),
    mut show: impl FnMut(&V, EventTime) -> Result<(), UserError>,
) -> Result<(), UserError> {
    let mut outcome = Ok(());
    if first <= last {
        kept.for_range(first..=last, |at, records| {
            if outcome.is_ok() {
                outcome = records.iter().try_for_each(|record| show(record, *at));
            }
        });
    }
    outcome
}

/// Removes everything up to `last`.
fn forget<V: StateValue>(kept: &MapState<EventTime, Vec<V>>, last: EventTime) {
    let mut gone = Vec::new();
    kept.for_range(..=last, |at, _| gone.push(*at));
    gone.iter().for_each(|at| {
        kept.remove(at);
    });
}
