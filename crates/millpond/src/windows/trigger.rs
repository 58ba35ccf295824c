//! When a window gives its result.
//!
//! A trigger is three pure functions over what it remembers of a window: what to do about a record, what to do when it
//! is woken, and when it wants to be woken next. It sets no timers and holds no state of its own; the operator does, so
//! that a trigger is right after a restore without doing anything for it.

use crate::operators::context::{TimeDomain, Timer};
use crate::state::codec::StateValue;
use crate::time::EventTime;
use crate::windows::Window;

/// What to do with a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// Give the result, and keep what the window holds.
    Fire,
    /// Forget what the window holds, and what the trigger remembers of it. A session ends with it.
    Purge,
    /// Give the result, then forget.
    FireAndPurge,
}

impl Verdict {
    pub(crate) fn fires(self) -> bool {
        matches!(self, Verdict::Fire | Verdict::FireAndPurge)
    }

    pub(crate) fn purges(self) -> bool {
        matches!(self, Verdict::Purge | Verdict::FireAndPurge)
    }
}

/// What a trigger may know when it is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Moment {
    /// The window.
    pub window: Window,
    /// The moment, by the window's own clock, from which on the window is complete.
    pub complete_at: Timer,
    /// The event time of the record at hand ([`EventTime::MIN`] if it has none), or the moment of the timer.
    pub timestamp: EventTime,
    /// How far event time has come.
    pub watermark: EventTime,
    /// The clock of the machine.
    pub processing_time: EventTime,
}

impl Moment {
    /// The time by the clock of `domain`.
    pub fn clock(&self, domain: TimeDomain) -> EventTime {
        match domain {
            TimeDomain::Event => self.watermark,
            TimeDomain::Processing => self.processing_time,
        }
    }

    /// Whether the window is complete. A record that comes now is late, within the allowed lateness.
    pub fn is_complete(&self) -> bool {
        self.clock(self.complete_at.domain) >= self.complete_at.time
    }
}

/// Says when a window of records of type `T` gives its result.
///
/// What it remembers of a window is kept with the window and is part of snapshots.
///
/// ```
/// use millpond::windows::{Moment, Trigger, Verdict};
/// use millpond::{EventTime, TimeDomain};
///
/// /// Fires as soon as a reading is above a bound, and when the window is complete.
/// struct Above(f64);
/// impl Trigger<f64> for Above {
///     type State = bool;
///     fn on_record(&self, reading: &f64, alarmed: &mut bool, moment: &Moment) -> Verdict {
///         let first = *reading > self.0 && !std::mem::replace(alarmed, *alarmed || *reading > self.0);
///         if first || moment.is_complete() { Verdict::Fire } else { Verdict::Wait }
///     }
///     fn on_wake(&self, _: &mut bool, _: &Moment) -> Verdict {
///         Verdict::Fire
///     }
///     fn wake_at(&self, _: &bool, moment: &Moment, domain: TimeDomain) -> Option<EventTime> {
///         (domain == moment.complete_at.domain).then_some(moment.complete_at.time)
///     }
///     fn merge(&self, alarmed: &mut bool, other: bool) {
///         *alarmed |= other;
///     }
/// }
/// ```
pub trait Trigger<T>: 'static {
    /// What is remembered of a window; at first, and again after a purge, the default.
    type State: StateValue + Default + PartialEq;

    /// A record has been put into the window.
    fn on_record(&self, record: &T, state: &mut Self::State, moment: &Moment) -> Verdict;

    /// A moment has come that [`Trigger::wake_at`] asked for.
    fn on_wake(&self, state: &mut Self::State, moment: &Moment) -> Verdict;

    /// When to be woken next by the clock of `domain`, if at all. Asked again whenever the state or the window has
    /// changed. A moment that has passed already is not made up for.
    ///
    /// While the state is the default, this can only be [`Moment::complete_at`].
    fn wake_at(&self, state: &Self::State, moment: &Moment, domain: TimeDomain) -> Option<EventTime>;

    /// Two sessions have become one: takes in what was remembered of the other.
    fn merge(&self, state: &mut Self::State, other: Self::State);
}
