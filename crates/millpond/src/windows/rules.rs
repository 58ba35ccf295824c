//! When a window is complete, and when it is gone.

use super::assigner::WindowAssigner;
use super::trigger::Moment;
use super::window::Window;
use crate::operators::context::{KeyedContext, TimeDomain, Timer};
use crate::state::setup::KeyedSetup;
use crate::stream::record::Data;
use crate::time::EventTime;

/// How far time has come with a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is not complete.
    Open,
    /// It is complete, and kept for records that are late.
    Complete,
    /// Nothing of it is kept any more.
    Gone,
}

/// What is said about windows besides what becomes of their records.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) assigner: WindowAssigner,
    /// The clock that the windows go by.
    pub(crate) domain: TimeDomain,
    /// How long windows are kept after they are complete, in milliseconds.
    pub(crate) lateness: i64,
    /// Whether late records go to the side output.
    pub(crate) late_to_side: bool,
    /// Whether windows that overlap share slices.
    pub(crate) shares_slices: bool,
    /// The kind of the operator, as plans and messages have it.
    pub(crate) kind: &'static str,
}

impl Rules {
    /// Windows that are forgotten when they are complete.
    pub(crate) fn new(kind: &'static str, assigner: WindowAssigner) -> Self {
        Rules { assigner, domain: assigner.domain(), lateness: 0, late_to_side: false, shares_slices: false, kind }
    }

    /// Has the job refused if the rules make no sense.
    pub(super) fn check(&self, setup: &mut KeyedSetup) {
        self.assigner.check(setup);
        if self.domain() == TimeDomain::Processing && self.lateness != 0 {
            setup.refuse("allowed lateness is for event time: no record is late by the clock of the machine");
        }
    }

    #[inline]
    pub(super) fn domain(&self) -> TimeDomain {
        self.domain
    }

    /// The end of a window that is complete at `time`.
    pub(super) fn end_of(&self, time: EventTime) -> EventTime {
        match self.domain() {
            TimeDomain::Event => shift(time, 1),
            TimeDomain::Processing => time,
        }
    }

    #[inline]
    pub(super) fn complete_at(&self, window: Window) -> Timer {
        let domain = self.domain();
        let time = if domain == TimeDomain::Event { window.last() } else { window.end };
        Timer { time, domain }
    }

    /// When a window is forgotten. One that never ends is not.
    #[inline]
    pub(super) fn gone_at(&self, window: Window) -> Option<EventTime> {
        let gone_at = shift(self.complete_at(window).time, self.lateness);
        (gone_at != EventTime::MAX).then_some(gone_at)
    }

    /// How far event time has come with a window. By the clock of the machine none is gone while records come.
    #[inline]
    pub(super) fn phase(&self, window: Window, watermark: EventTime) -> Phase {
        if self.domain() != TimeDomain::Event {
            Phase::Open
        } else if self.gone_at(window).is_some_and(|gone_at| gone_at <= watermark) {
            Phase::Gone
        } else if self.complete_at(window).time <= watermark {
            Phase::Complete
        } else {
            Phase::Open
        }
    }

    /// The moment at which a window must have been complete to be gone at `time`.
    pub(super) fn complete_before(&self, time: EventTime) -> EventTime {
        shift(time, -self.lateness)
    }

    #[inline]
    pub(super) fn moment<K, O: Data, S: Data>(
        &self,
        window: Window,
        context: &KeyedContext<'_, K, O, S>,
    ) -> Moment {
        Moment {
            window,
            complete_at: self.complete_at(window),
            timestamp: context.timestamp(),
            watermark: context.watermark(),
            processing_time: context.processing_time(),
        }
    }
}

/// `time` plus so many milliseconds.
fn shift(time: EventTime, millis: i64) -> EventTime {
    EventTime::from_millis(time.as_millis().saturating_add(millis))
}
