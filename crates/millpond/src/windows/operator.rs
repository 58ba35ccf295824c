//! The windows of a keyed operator: records come in, results go out, and nothing stays behind.
//!
//! A window has at most one timer for its next firing and one for its end. A session that grows keeps the timers that it
//! has: when one goes off too early it is set anew, once a gap rather than once a record. A timer that has become
//! pointless goes off without effect, at the end of its window at the latest.

use std::marker::PhantomData;
use std::time::Duration;

use super::assigner::WindowAssigner;
use super::fold::Fold;
use super::late::LateCount;
use super::panes::{Entered, Panes, Placed};
use super::trigger::{Moment, Trigger, Verdict};
use super::window::{Window, WindowResult};
use crate::operators::context::{KeyedContext, TimeDomain, Timer};
use crate::operators::keyed::KeyedProcess;
use crate::runtime::failure::UserError;
use crate::state::handles::MapState;
use crate::state::setup::KeyedSetup;
use crate::stream::record::{Data, Key};
use crate::time::EventTime;

const DOMAINS: [TimeDomain; 2] = [TimeDomain::Event, TimeDomain::Processing];

/// What is said about windows besides what becomes of their records.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) assigner: WindowAssigner,
    pub(crate) lateness: Duration,
    /// Whether late records go to the side output.
    pub(crate) late_to_side: bool,
    /// The kind of the operator, as plans and messages have it.
    pub(crate) kind: &'static str,
}

impl Rules {
    /// Windows that are forgotten when they are complete.
    pub(crate) fn new(kind: &'static str, assigner: WindowAssigner) -> Self {
        Rules { assigner, lateness: Duration::ZERO, late_to_side: false, kind }
    }

    /// Has the job refused if the rules make no sense.
    fn check(&self, setup: &mut KeyedSetup) {
        self.assigner.check(setup);
        if self.domain() == TimeDomain::Processing && !self.lateness.is_zero() {
            setup.refuse("allowed lateness is for event time: no record is late by the clock of the machine");
        }
    }

    fn domain(&self) -> TimeDomain {
        self.assigner.domain()
    }

    /// The end of a window that is complete at `time`.
    fn end_of(&self, time: EventTime) -> EventTime {
        match self.domain() {
            TimeDomain::Event => time.saturating_add(Duration::from_millis(1)),
            TimeDomain::Processing => time,
        }
    }

    fn complete_at(&self, window: Window) -> Timer {
        let domain = self.domain();
        let time = if domain == TimeDomain::Event { window.last() } else { window.end };
        Timer { time, domain }
    }

    /// When a window is forgotten. One that never ends is not.
    fn gone_at(&self, window: Window) -> Option<EventTime> {
        let gone_at = self.complete_at(window).time.saturating_add(self.lateness);
        (gone_at != EventTime::MAX).then_some(gone_at)
    }

    /// Whether windows may stay until the end of the input, for which they need a timer of their own.
    fn is_open_ended(&self) -> bool {
        self.domain() == TimeDomain::Processing || !self.assigner.needs_time()
    }

    fn moment<K, O: Data, S: Data>(&self, window: Window, context: &KeyedContext<'_, K, O, S>) -> Moment {
        Moment {
            window,
            complete_at: self.complete_at(window),
            timestamp: context.timestamp(),
            watermark: context.watermark(),
            processing_time: context.processing_time(),
        }
    }
}

/// Makes results of what is kept of a window.
pub(crate) type Finish<K, A, R> = Box<dyn Fn(&K, Window, &A, &mut dyn FnMut(R)) -> Result<(), UserError>>;

type WindowContext<'a, K, In, R> = KeyedContext<'a, K, WindowResult<K, R>, In>;

/// The windows of one subtask. Late records go to the side output, if they are wanted.
pub(crate) struct WindowOperator<K, In, F: Fold<In>, P: Panes<In, F>, G: Trigger<In>, R> {
    rules: Rules,
    fold: F,
    trigger: G,
    finish: Finish<K, F::Kept, R>,
    panes: P,
    triggers: MapState<P::Id, G::State>,
    placed: Vec<Placed<P::Id>>,
    late: LateCount,
    subtask: usize,
    types: PhantomData<In>,
}

impl<K, In, F, P, G, R> WindowOperator<K, In, F, P, G, R>
where
    K: Key,
    In: Data,
    F: Fold<In>,
    P: Panes<In, F>,
    G: Trigger<In>,
    R: Data,
{
    pub(crate) fn new(
        setup: &mut KeyedSetup,
        rules: Rules,
        fold: F,
        trigger: G,
        finish: Finish<K, F::Kept, R>,
    ) -> Self {
        rules.check(setup);
        WindowOperator {
            rules,
            fold,
            trigger,
            finish,
            panes: P::declare(setup),
            triggers: setup.map("triggers"),
            placed: Vec::new(),
            late: LateCount::default(),
            subtask: setup.subtask(),
            types: PhantomData,
        }
    }

    /// Puts a record into its windows.
    pub(crate) fn record(
        &mut self,
        record: &In,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<(), UserError> {
        let time = match self.rules.domain() {
            TimeDomain::Processing => context.processing_time(),
            TimeDomain::Event if self.rules.assigner.needs_time() && context.timestamp() == EventTime::MIN => {
                return Err("the record has no event time, and event-time windows need one: give its source a \
                            WatermarkStrategy with timestamps, or use windows in processing time"
                    .into());
            }
            TimeDomain::Event => context.timestamp(),
        };
        let (rules, watermark) = (self.rules, context.watermark());
        let is_late = |window: Window| {
            rules.domain() == TimeDomain::Event
                && rules.gone_at(window).is_some_and(|gone_at| gone_at <= watermark)
        };
        let mut placed = std::mem::take(&mut self.placed);
        self.panes.add(rules.assigner, time, record, &self.fold, is_late, &mut placed);
        // A record is late if all its windows are gone.
        let mut late = !placed.is_empty();
        for place in placed.drain(..) {
            if let Placed::In(entered) = place {
                late = false;
                self.entered(entered, record, context)?;
            }
        }
        self.placed = placed;
        if late && rules.late_to_side {
            context.emit_side(record.clone());
        } else if late {
            self.late.count(rules.kind, self.subtask);
        }
        Ok(())
    }

    fn entered(
        &mut self,
        Entered { id, window, before, absorbed }: Entered<P::Id>,
        record: &In,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<(), UserError> {
        let moment = self.rules.moment(window, context);
        let mut state = self.triggers.get(&id).unwrap_or_default();
        let timers = before.map(|before| {
            let moment = self.rules.moment(before, context);
            DOMAINS.map(|domain| self.trigger.wake_at(&state, &moment, domain))
        });
        for other in absorbed.iter().filter(|other| **other != id) {
            if let Some(other) = self.triggers.remove(other) {
                self.trigger.merge(&mut state, other);
            }
        }
        let verdict = self.trigger.on_record(record, &mut state, &moment);
        if !self.carry_out(verdict, &id, window, context)? {
            return Ok(());
        }
        for (index, domain) in DOMAINS.into_iter().enumerate() {
            let now = moment.clock(domain);
            let Some(wake_at) = self.trigger.wake_at(&state, &moment, domain).filter(|wake_at| *wake_at > now)
            else {
                continue;
            };
            // A timer that is set for an earlier moment, and has not gone off, will see to it.
            let earlier = timers.and_then(|timers| timers[index]).is_some_and(|set| set > now && set <= wake_at);
            if !earlier {
                set_timer(context, Timer { time: wake_at, domain });
            }
        }
        self.remember(id, state);
        if before.is_none() {
            self.set_end(window, context);
        }
        Ok(())
    }

    /// Does what is due when a timer goes off.
    pub(crate) fn timer(
        &mut self,
        timer: Timer,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<(), UserError> {
        if timer == END_OF_INPUT && self.rules.domain() == TimeDomain::Processing {
            return self.end_of_input(context);
        }
        let gone = timer.time.saturating_sub(self.rules.lateness);
        let mut ids = self.panes.ending([self.rules.end_of(timer.time), self.rules.end_of(gone)]);
        self.triggers.for_range(.., |id, _| ids.push(id.clone()));
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().try_for_each(|id| self.wake(id, timer, context))
    }

    fn wake(
        &mut self,
        id: P::Id,
        timer: Timer,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<(), UserError> {
        let Some(window) = self.panes.window(&id) else { return Ok(()) };
        let moment = self.rules.moment(window, context);
        let mut state = self.triggers.get(&id).unwrap_or_default();
        if self.trigger.wake_at(&state, &moment, timer.domain) == Some(timer.time) {
            let verdict = self.trigger.on_wake(&mut state, &moment);
            if !self.carry_out(verdict, &id, window, context)? {
                return Ok(());
            }
        }
        let gone_at = self.rules.gone_at(window).filter(|_| timer.domain == self.rules.domain());
        if gone_at.is_some_and(|gone_at| gone_at <= timer.time) {
            self.forget(&id, context);
            return Ok(());
        }
        for domain in DOMAINS {
            // Timers go off in order, also if event time has jumped far beyond this one.
            let now = if domain == timer.domain { timer.time } else { moment.clock(domain) };
            if let Some(time) = self.trigger.wake_at(&state, &moment, domain).filter(|time| *time > now) {
                set_timer(context, Timer { time, domain });
            }
        }
        self.remember(id, state);
        self.set_end(window, context);
        Ok(())
    }

    /// By the clock of the machine the windows at hand would be complete some time; the input has ended before.
    fn end_of_input(&mut self, context: &mut WindowContext<'_, K, In, R>) -> Result<(), UserError> {
        for id in self.panes.all() {
            let Some(window) = self.panes.window(&id) else { continue };
            let moment = Moment { processing_time: EventTime::MAX, ..self.rules.moment(window, context) };
            let mut state = self.triggers.get(&id).unwrap_or_default();
            let waits = DOMAINS.iter().any(|domain| self.trigger.wake_at(&state, &moment, *domain).is_some());
            let verdict = if waits { self.trigger.on_wake(&mut state, &moment) } else { Verdict::Wait };
            if self.carry_out(verdict, &id, window, context)? {
                self.forget(&id, context);
            }
        }
        Ok(())
    }

    /// Does as the trigger says. Whether the window is still there.
    fn carry_out(
        &mut self,
        verdict: Verdict,
        id: &P::Id,
        window: Window,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<bool, UserError> {
        if verdict.fires() {
            let key = context.key().clone();
            let timestamp = if window == Window::GLOBAL { context.timestamp() } else { window.last() };
            let mut outcome = Ok(());
            self.panes.look(id, |kept| {
                let mut emit =
                    |value| context.emit_at(WindowResult { key: key.clone(), window, value }, timestamp);
                outcome = (self.finish)(&key, window, kept, &mut emit);
            });
            outcome?;
        }
        if verdict.purges() {
            self.forget(id, context);
        }
        Ok(!verdict.purges())
    }

    fn forget(&mut self, id: &P::Id, context: &mut WindowContext<'_, K, In, R>) {
        self.panes.remove(id);
        self.triggers.remove(id);
        if self.rules.is_open_ended() && self.panes.is_empty() {
            context.delete_event_timer(END_OF_INPUT.time);
        }
    }

    /// Keeps what the trigger remembers, if it is anything.
    fn remember(&self, id: P::Id, state: G::State) {
        if state == G::State::default() {
            self.triggers.remove(&id);
        } else if self.triggers.get(&id).as_ref() != Some(&state) {
            self.triggers.insert(id, state);
        }
    }

    /// Sets the timer at which a window is forgotten.
    fn set_end(&self, window: Window, context: &mut WindowContext<'_, K, In, R>) {
        if let Some(time) = self.rules.gone_at(window) {
            set_timer(context, Timer { time, domain: self.rules.domain() });
        }
        if self.rules.domain() == TimeDomain::Processing {
            set_timer(context, END_OF_INPUT);
        }
    }
}

/// Event time has come to its end.
const END_OF_INPUT: Timer = Timer { time: EventTime::MAX, domain: TimeDomain::Event };

fn set_timer<K, O: Data, S: Data>(context: &mut KeyedContext<'_, K, O, S>, timer: Timer) {
    match timer.domain {
        TimeDomain::Event => context.set_event_timer(timer.time),
        TimeDomain::Processing => context.set_processing_timer(timer.time),
    }
}

impl<K, T, F, P, G, R> KeyedProcess<K, T> for WindowOperator<K, T, F, P, G, R>
where
    K: Key,
    T: Data,
    F: Fold<T>,
    P: Panes<T, F>,
    G: Trigger<T>,
    R: Data,
{
    type Out = WindowResult<K, R>;
    type Side = T;

    fn process(&mut self, record: &T, context: &mut WindowContext<'_, K, T, R>) -> Result<(), UserError> {
        self.record(record, context)
    }

    fn on_timer(&mut self, timer: Timer, context: &mut WindowContext<'_, K, T, R>) -> Result<(), UserError> {
        self.timer(timer, context)
    }
}
