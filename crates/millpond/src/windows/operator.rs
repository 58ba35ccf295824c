//! The windows of a keyed operator: records come in, results go out, and nothing stays behind.
//!
//! A window has timers for when it is complete, for when it is gone, and for when its trigger wants to be woken. A session that grows keeps
//! the timers that it has: when one goes off too early it is set anew, once a gap rather than once a record. A timer that
//! has become pointless goes off without effect, unless its key has no windows any more: then it is taken back.

use std::marker::PhantomData;
use std::rc::Rc;

use super::fold::Fold;
use super::kept::Kept;
use super::late::LateCount;
use super::panes::{Entered, Panes, Placed};
use super::rules::Rules;
use super::trigger::{Moment, Trigger, Verdict};
use super::window::{Window, WindowResult};
use crate::operators::context::{KeyedContext, TimeDomain, Timer};
use crate::operators::keyed::KeyedProcess;
use crate::runtime::failure::{Permanent, UserError};
use crate::state::descriptor::StateDescriptor;
use crate::state::handles::MapState;
use crate::state::setup::KeyedSetup;
use crate::stream::record::{Data, Key};
use crate::time::EventTime;

/// A moment for each clock of [`DOMAINS`].
type Timers = [Option<EventTime>; 2];

const DOMAINS: [TimeDomain; 2] = [TimeDomain::Event, TimeDomain::Processing];

/// Makes results of what is kept of a window.
pub(crate) type Finish<K, A, R> = Box<dyn Fn(&K, Window, &A, &mut dyn FnMut(R)) -> Result<(), UserError>>;

type WindowContext<'a, K, In, R> = KeyedContext<'a, K, WindowResult<K, R>, In>;

/// The windows of one subtask. Late records go to the side output, if they are wanted.
pub(crate) struct WindowOperator<K, In, F: Fold<In>, P: Panes<In, F>, G: Trigger<In>, R> {
    rules: Rules,
    fold: Rc<F>,
    trigger: Rc<G>,
    finish: Finish<K, F::Kept, R>,
    panes: P,
    triggers: MapState<P::Id, G::State>,
    /// The windows that a timer may be for; for its room.
    due: Vec<P::Id>,
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
    /// Whether the trigger remembers anything of a window. If not, it wants to be woken when a window is complete or not at all,
    /// which a record that goes into a window that is there does not change.
    const REMEMBERS: bool = size_of::<G::State>() > 0;

    pub(crate) fn new(
        setup: &mut KeyedSetup,
        rules: Rules,
        fold: Rc<F>,
        trigger: G,
        finish: Finish<K, F::Kept, R>,
        kept: Kept<F::Kept>,
    ) -> Self {
        rules.check(setup);
        let trigger = Rc::new(trigger);
        let merge = Rc::clone(&trigger);
        let triggers = StateDescriptor::new("triggers").merge(move |mut one: G::State, other| {
            merge.merge(&mut one, other);
            one
        });
        WindowOperator {
            rules,
            fold,
            trigger,
            finish,
            panes: P::declare(setup, kept, &rules),
            triggers: setup.map(triggers),
            due: Vec::new(),
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
                return Err(Permanent::new(
                    "the record has no event time, and event-time windows need one: give its source a \
                     WatermarkStrategy with timestamps, or use windows in processing time",
                )
                .into());
            }
            TimeDomain::Event => context.timestamp(),
        };
        let (rules, watermark) = (&self.rules, context.watermark());
        let phase = |window: Window| rules.phase(window, watermark);
        // A record is late if all its windows are gone.
        let (mut gone, mut kept) = (false, false);
        self.panes.add(rules.assigner, time, record, &self.fold, phase, |placed| {
            kept |= !matches!(placed, Placed::Late);
            match placed {
                Placed::Late => gone = true,
                Placed::Known(id, window) if !Self::REMEMBERS => self.again(&id, window, record, context)?,
                Placed::Known(id, window) => {
                    let entered = Entered { id, window, before: Some(window), absorbed: Vec::new() };
                    self.entered(entered, record, context)?;
                }
                Placed::In(entered) => self.entered(entered, record, context)?,
            }
            Ok(())
        })?;
        let late = gone && !kept;
        if late && rules.late_to_side {
            context.emit_side(record.clone());
        } else if late {
            self.late.count(rules.kind, self.subtask);
        }
        Ok(())
    }

    /// Sees to a window that had all that it needs, and whose trigger remembers nothing.
    #[inline]
    fn again(
        &self,
        id: &P::Id,
        window: Window,
        record: &In,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<(), UserError> {
        let (moment, mut state) = (self.rules.moment(window, context), G::State::default());
        let verdict = self.trigger.on_record(record, &mut state, &moment);
        if verdict != Verdict::Wait {
            self.carry_out(verdict, id, self.timers(&state, &moment), &moment, context)?;
        }
        Ok(())
    }

    fn entered(
        &self,
        Entered { id, window, before, absorbed }: Entered<P::Id>,
        record: &In,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<(), UserError> {
        let moment = self.rules.moment(window, context);
        let mut state = self.remembered(&id);
        let timers = match before {
            Some(before) => self.timers(&state, &self.rules.moment(before, context)),
            None => [None; 2],
        };
        for other in absorbed.iter().filter(|other| **other != id) {
            if let Some(other) = self.triggers.remove(other) {
                self.trigger.merge(&mut state, other);
            }
        }
        let verdict = self.trigger.on_record(record, &mut state, &moment);
        if !self.carry_out(verdict, &id, timers, &moment, context)? {
            return Ok(());
        }
        let wanted = self.timers(&state, &moment);
        for ((wake_at, set), domain) in wanted.into_iter().zip(timers).zip(DOMAINS) {
            let now = moment.clock(domain);
            // A timer that is set for an earlier moment, and has not gone off, will see to it.
            let in_hand = |time| set.is_some_and(|set| now < set && set <= time);
            if let Some(time) = wake_at.filter(|time| *time > now && !in_hand(*time)) {
                set_timer(context, Timer { time, domain });
            }
        }
        self.remember(id, state);
        if before.is_none() {
            self.set_end(window, moment.clock(self.rules.domain()), wanted, context);
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
        let gone = self.rules.complete_before(timer.time);
        let mut ids = std::mem::take(&mut self.due);
        self.panes.due(self.rules.end_of(timer.time), self.rules.end_of(gone), &mut ids);
        if !self.triggers.is_empty() {
            self.triggers.for_range(.., |id, _| ids.push(id.clone()));
        }
        if ids.is_empty() {
            // Set by other rules than these, before a restore: so none of the windows may have the timers that it needs.
            ids = self.panes.all();
        }
        ids.sort_unstable();
        ids.dedup();
        let outcome = ids.drain(..).try_for_each(|id| self.wake(id, timer, context));
        self.due = ids;
        outcome
    }

    fn wake(&self, id: P::Id, timer: Timer, context: &mut WindowContext<'_, K, In, R>) -> Result<(), UserError> {
        let Some(window) = self.panes.window(&id) else { return Ok(()) };
        let moment = self.rules.moment(window, context);
        let mut state = self.remembered(&id);
        let timers = self.timers(&state, &moment);
        if self.trigger.wake_at(&state, &moment, timer.domain) == Some(timer.time) {
            let verdict = self.trigger.on_wake(&mut state, &moment);
            if !self.carry_out(verdict, &id, timers, &moment, context)? {
                return Ok(());
            }
        }
        let gone_at = self.rules.gone_at(window).filter(|_| timer.domain == self.rules.domain());
        if gone_at.is_some_and(|gone_at| gone_at <= timer.time) {
            self.forget(&id, timers, context);
            return Ok(());
        }
        // Timers go off in order, also if event time has jumped far beyond this one.
        let now = |domain| if domain == timer.domain { timer.time } else { moment.clock(domain) };
        let wanted = self.timers(&state, &moment);
        for (wake_at, domain) in wanted.into_iter().zip(DOMAINS) {
            if let Some(time) = wake_at.filter(|time| *time > now(domain)) {
                set_timer(context, Timer { time, domain });
            }
        }
        self.remember(id, state);
        self.set_end(window, now(self.rules.domain()), wanted, context);
        Ok(())
    }

    /// By the clock of the machine the windows at hand would be complete some time; the input has ended before.
    fn end_of_input(&self, context: &mut WindowContext<'_, K, In, R>) -> Result<(), UserError> {
        for id in self.panes.all() {
            let Some(window) = self.panes.window(&id) else { continue };
            let moment = Moment { processing_time: EventTime::MAX, ..self.rules.moment(window, context) };
            let mut state = self.remembered(&id);
            let timers = self.timers(&state, &moment);
            let waits = timers.iter().any(Option::is_some);
            let verdict = if waits { self.trigger.on_wake(&mut state, &moment) } else { Verdict::Wait };
            if self.carry_out(verdict, &id, timers, &moment, context)? {
                self.forget(&id, timers, context);
            }
        }
        Ok(())
    }

    /// When the trigger wants to be woken, by each clock.
    fn timers(&self, state: &G::State, moment: &Moment) -> Timers {
        DOMAINS.map(|domain| self.trigger.wake_at(state, moment, domain))
    }

    /// Does as the trigger says. `timers` are those that are set for it. Whether the window is still there.
    fn carry_out(
        &self,
        verdict: Verdict,
        id: &P::Id,
        timers: Timers,
        moment: &Moment,
        context: &mut WindowContext<'_, K, In, R>,
    ) -> Result<bool, UserError> {
        if verdict.fires() {
            let window = moment.window;
            let key = context.key();
            let timestamp = if window == Window::GLOBAL { context.timestamp() } else { window.last() };
            let mut outcome = Ok(());
            self.panes.look(id, &self.fold, |kept| {
                let mut emit =
                    |value| context.emit_at(WindowResult { key: key.clone(), window, value }, timestamp);
                outcome = (self.finish)(key, window, kept, &mut emit);
            });
            outcome?;
        }
        if verdict.purges() {
            self.forget(id, timers, context);
        }
        Ok(!verdict.purges())
    }

    /// Drops a window. With the last one of the key go the timers that would keep the key.
    fn forget(&self, id: &P::Id, timers: Timers, context: &mut WindowContext<'_, K, In, R>) {
        self.panes.remove(id);
        if !self.triggers.is_empty() {
            self.triggers.remove(id);
        }
        if !self.panes.is_empty() {
            return;
        }
        for (time, domain) in timers.into_iter().zip(DOMAINS) {
            if let Some(time) = time {
                delete_timer(context, Timer { time, domain });
            }
        }
        if self.rules.domain() == TimeDomain::Processing {
            delete_timer(context, END_OF_INPUT);
        }
    }

    /// What the trigger remembers.
    fn remembered(&self, id: &P::Id) -> G::State {
        if Self::REMEMBERS { self.triggers.get(id).unwrap_or_default() } else { G::State::default() }
    }

    /// Keeps what the trigger remembers, if it is anything.
    fn remember(&self, id: P::Id, state: G::State) {
        if !Self::REMEMBERS {
            return;
        }
        if state == G::State::default() {
            self.triggers.remove(&id);
        } else if self.triggers.get(&id).as_ref() != Some(&state) {
            self.triggers.insert(id, state);
        }
    }

    /// Sets the timers that a window has whatever its trigger says: when it is complete, and when it is gone. Those that the
    /// trigger has `wanted` are set.
    fn set_end(&self, window: Window, now: EventTime, wanted: Timers, context: &mut WindowContext<'_, K, In, R>) {
        let domain = self.rules.domain();
        let complete_at = self.rules.complete_at(window).time;
        if let Some(gone_at) = self.rules.gone_at(window) {
            if complete_at > now && wanted[domain as usize] != Some(complete_at) {
                set_timer(context, Timer { time: complete_at, domain });
            }
            if gone_at > now && gone_at != complete_at {
                set_timer(context, Timer { time: gone_at, domain });
            }
        }
        if domain == TimeDomain::Processing {
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

fn delete_timer<K, O: Data, S: Data>(context: &mut KeyedContext<'_, K, O, S>, timer: Timer) {
    match timer.domain {
        TimeDomain::Event => context.delete_event_timer(timer.time),
        TimeDomain::Processing => context.delete_processing_timer(timer.time),
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
