//! The triggers that come with the library.

use std::time::Duration;

use super::trigger::{Moment, Trigger, Verdict};
use crate::operators::context::TimeDomain;
use crate::time::{EventTime, millis};

/// Fires when the window is complete, and again for each late record within the allowed lateness. This is what windows
/// do if nothing else is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct WhenComplete;

impl<T> Trigger<T> for WhenComplete {
    type State = ();

    fn on_record(&self, _: &T, (): &mut (), moment: &Moment) -> Verdict {
        if moment.is_complete() { Verdict::Fire } else { Verdict::Wait }
    }

    fn on_wake(&self, (): &mut (), _: &Moment) -> Verdict {
        Verdict::Fire
    }

    fn wake_at(&self, (): &(), moment: &Moment, domain: TimeDomain) -> Option<EventTime> {
        (domain == moment.complete_at.domain).then_some(moment.complete_at.time)
    }

    fn merge(&self, (): &mut (), (): ()) {}
}

/// Fires at each so many records, and at nothing else: what has come since is gone when the window is done.
#[derive(Clone, Copy, Debug)]
pub struct Count(u64);

impl Count {
    /// Fires at each `records` records of a window.
    pub fn of(records: u64) -> Self {
        Count(records)
    }
}

impl<T> Trigger<T> for Count {
    type State = u64;

    fn on_record(&self, _: &T, count: &mut u64, _: &Moment) -> Verdict {
        *count += 1;
        if *count < self.0 {
            return Verdict::Wait;
        }
        *count = 0;
        Verdict::Fire
    }

    fn on_wake(&self, _: &mut u64, _: &Moment) -> Verdict {
        Verdict::Wait
    }

    fn wake_at(&self, _: &u64, _: &Moment, _: TimeDomain) -> Option<EventTime> {
        None
    }

    fn merge(&self, count: &mut u64, other: u64) {
        *count += other;
    }
}

/// Fires at each multiple of an interval if something is new since it last fired, and when the window is complete, and
/// again for each late record within the allowed lateness: early results, and then the full one.
///
/// ```
/// use millpond::windows::Every;
/// use std::time::Duration;
/// let each_second_of_the_clock = Every::processing_time(Duration::from_secs(1));
/// let each_minute_of_event_time = Every::event_time(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Every {
    interval: i64,
    domain: TimeDomain,
}

impl Every {
    /// Fires at each multiple of `interval` in event time, as the watermark comes by.
    pub fn event_time(interval: Duration) -> Self {
        Every { interval: millis(interval).max(1), domain: TimeDomain::Event }
    }

    /// Fires at each multiple of `interval` by the clock of the machine.
    pub fn processing_time(interval: Duration) -> Self {
        Every { interval: millis(interval).max(1), domain: TimeDomain::Processing }
    }

    /// The first multiple of the interval after `time`.
    fn next(self, time: EventTime) -> EventTime {
        let time = time.as_millis();
        EventTime::from_millis(time.saturating_add(self.interval - time.rem_euclid(self.interval)))
    }
}

impl<T> Trigger<T> for Every {
    /// When to fire; there is nothing to fire for unless something is new.
    type State = Option<EventTime>;

    fn on_record(&self, _: &T, next: &mut Self::State, moment: &Moment) -> Verdict {
        if moment.is_complete() {
            *next = None;
            return Verdict::Fire;
        }
        let now = match self.domain {
            TimeDomain::Event => moment.watermark.max(moment.timestamp),
            TimeDomain::Processing => moment.processing_time,
        };
        next.get_or_insert(self.next(now));
        Verdict::Wait
    }

    fn on_wake(&self, next: &mut Self::State, _: &Moment) -> Verdict {
        *next = None;
        Verdict::Fire
    }

    fn wake_at(&self, next: &Self::State, moment: &Moment, domain: TimeDomain) -> Option<EventTime> {
        let next = (*next)?;
        let early = (domain == self.domain).then_some(next);
        let complete = (domain == moment.complete_at.domain).then_some(moment.complete_at.time);
        early.into_iter().chain(complete).min()
    }

    fn merge(&self, next: &mut Self::State, other: Self::State) {
        *next = next.iter().copied().chain(other).min();
    }
}

/// Fires when another trigger does, and forgets what the window holds each time.
#[derive(Clone, Copy, Debug)]
pub struct Purging<G>(G);

impl<G> Purging<G> {
    /// Makes `trigger` purge.
    pub fn of(trigger: G) -> Self {
        Purging(trigger)
    }
}

fn purge(verdict: Verdict) -> Verdict {
    if verdict.fires() { Verdict::FireAndPurge } else { verdict }
}

impl<T, G: Trigger<T>> Trigger<T> for Purging<G> {
    type State = G::State;

    fn on_record(&self, record: &T, state: &mut Self::State, moment: &Moment) -> Verdict {
        purge(self.0.on_record(record, state, moment))
    }

    fn on_wake(&self, state: &mut Self::State, moment: &Moment) -> Verdict {
        purge(self.0.on_wake(state, moment))
    }

    fn wake_at(&self, state: &Self::State, moment: &Moment, domain: TimeDomain) -> Option<EventTime> {
        self.0.wake_at(state, moment, domain)
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) {
        self.0.merge(state, other);
    }
}
