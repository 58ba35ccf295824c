//! Where what a window keeps is kept: one entry of a map for each window of a key.
//!
//! Windows with fixed bounds are found by their bounds, so that after a change of size the old windows live on to
//! their end beside the new ones. Sessions are found by their start alone: a session grows at its end with nearly each
//! record, and an entry that stays in its place is an entry that a snapshot takes once.

use super::assigner::WindowAssigner;
use super::fold::{Fold, Merge};
use super::kept::Kept;
use super::window::Window;
use crate::runtime::failure::UserError;
use crate::state::codec::StateValue;
use crate::state::evolution::descriptors::MapDescriptor;
use crate::state::evolution::forms::SessionPane;
use crate::state::handles::MapState;
use crate::state::setup::KeyedSetup;
use crate::time::EventTime;

/// A window that a record has been put into.
pub(crate) struct Entered<Id> {
    pub(crate) id: Id,
    pub(crate) window: Window,
    /// The window as it was, if it was there and has not swallowed others.
    pub(crate) before: Option<Window>,
    /// The windows that are now part of it.
    pub(crate) absorbed: Vec<Id>,
}

/// The windows of a key and what is kept of them.
pub(crate) trait Panes<In, F: Fold<In>>: 'static {
    /// What a window is found by.
    type Id: StateValue + Ord;

    /// Declares the state.
    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>) -> Self;
    /// Puts a record that belongs at `time` into its windows, but for those that are over and gone, and says of each where
    /// it went, until that fails; but nothing of a window that was there and is quiet, given its bounds before and after. Says
    /// whether all the windows are gone.
    #[expect(clippy::too_many_arguments, reason = "what a record needs, from one caller")]
    fn add(
        &self,
        assigner: WindowAssigner,
        time: EventTime,
        record: &In,
        fold: &F,
        is_gone: impl Fn(Window) -> bool,
        is_quiet: impl Fn(Window, Window) -> bool,
        placed: impl FnMut(Entered<Self::Id>) -> Result<(), UserError>,
    ) -> Result<bool, UserError>;
    /// Lists the windows that end at `end` and those that end at `gone` or before; maybe others too. Each once.
    fn due(&self, end: EventTime, gone: EventTime, ids: &mut Vec<Self::Id>);
    /// All windows.
    fn all(&self) -> Vec<Self::Id>;
    /// The bounds of a window that is there.
    fn window(&self, id: &Self::Id) -> Option<Window>;
    /// Looks at what is kept of a window, which must not touch the state.
    fn look(&self, id: &Self::Id, look: impl FnOnce(&F::Kept));
    /// Forgets a window.
    fn remove(&self, id: &Self::Id);
    /// Whether the key has no windows.
    fn is_empty(&self) -> bool;
}

/// Windows that are found by their bounds.
pub(crate) struct Fixed<A>(MapState<Window, A>);

impl<In, F: Fold<In>> Panes<In, F> for Fixed<F::Kept> {
    type Id = Window;

    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>) -> Self {
        let state = MapDescriptor::new(kept.fixed(setup));
        Fixed(setup.map(state))
    }

    #[inline]
    fn add(
        &self,
        assigner: WindowAssigner,
        time: EventTime,
        record: &In,
        fold: &F,
        is_gone: impl Fn(Window) -> bool,
        is_quiet: impl Fn(Window, Window) -> bool,
        mut placed: impl FnMut(Entered<Window>) -> Result<(), UserError>,
    ) -> Result<bool, UserError> {
        // Mostly all the windows are there, and nothing is to be done but to add to each.
        let (mut gone, mut kept, mut more) = (false, false, false);
        let windows = assigner.windows(time).filter(|window| {
            let is_gone = is_gone(*window);
            gone |= is_gone;
            !is_gone
        });
        self.0.update_each(windows, |window, pane| {
            kept = true;
            match pane {
                Some(pane) => {
                    fold.add(pane, record);
                    more |= !is_quiet(window, window);
                }
                None => more = true,
            }
        });
        if more {
            for window in assigner.windows(time).filter(|window| !is_gone(*window)) {
                let mut before = None;
                if !self.0.contains(&window) {
                    self.0.insert(window, fold.first(record));
                } else if is_quiet(window, window) {
                    continue;
                } else {
                    before = Some(window);
                }
                placed(Entered { id: window, window, before, absorbed: Vec::new() })?;
            }
        }
        Ok(gone && !kept)
    }

    fn due(&self, end: EventTime, gone: EventTime, ids: &mut Vec<Window>) {
        self.0.for_range(..=Window { start: EventTime::MAX, end: gone }, |window, _| ids.push(*window));
        if end > gone {
            let with_end = Window { start: EventTime::MIN, end }..=Window { start: EventTime::MAX, end };
            self.0.for_range(with_end, |window, _| ids.push(*window));
        }
    }

    fn all(&self) -> Vec<Window> {
        let mut ids = Vec::new();
        self.0.for_range(.., |window, _| ids.push(*window));
        ids
    }

    fn window(&self, id: &Window) -> Option<Window> {
        self.0.contains(id).then_some(*id)
    }

    fn look(&self, id: &Window, look: impl FnOnce(&F::Kept)) {
        self.0.with(id, |kept| kept.map(look));
    }

    fn remove(&self, id: &Window) {
        self.0.remove(id);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Windows that grow together.
pub(crate) struct Sessions<A>(MapState<EventTime, SessionPane<A>>);

impl<In, F: Merge<In>> Panes<In, F> for Sessions<F::Kept> {
    type Id = EventTime;

    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>) -> Self {
        let state = MapDescriptor::new(kept.sessions(setup));
        Sessions(setup.map(state))
    }

    fn add(
        &self,
        assigner: WindowAssigner,
        time: EventTime,
        record: &In,
        fold: &F,
        is_gone: impl Fn(Window) -> bool,
        is_quiet: impl Fn(Window, Window) -> bool,
        mut placed: impl FnMut(Entered<EventTime>) -> Result<(), UserError>,
    ) -> Result<bool, UserError> {
        for alone in assigner.windows(time) {
            let mut window = alone;
            let (mut first, mut others) = (None, Vec::new());
            self.meet(alone, |session| {
                window = window.cover(session);
                match first {
                    None => first = Some(session),
                    Some(_) => others.push(session.start),
                }
            });
            match first {
                None if is_gone(alone) => return Ok(true),
                // Its start stays, so it stays where it is.
                Some(session) if others.is_empty() && session.start == window.start => {
                    self.0.update(&window.start, |pane| {
                        pane.end = window.end;
                        fold.add(&mut pane.kept, record);
                    });
                    if !is_quiet(session, window) {
                        let before = Some(session);
                        placed(Entered { id: window.start, window, before, absorbed: Vec::new() })?;
                    }
                }
                _ => {
                    let absorbed: Vec<EventTime> =
                        first.iter().map(|session| session.start).chain(others).collect();
                    self.unite(window, &absorbed, record, fold);
                    placed(Entered { id: window.start, window, before: None, absorbed })?;
                }
            }
        }
        Ok(false)
    }

    /// All: the end of a session is not what it is found by.
    fn due(&self, _: EventTime, _: EventTime, ids: &mut Vec<EventTime>) {
        self.0.for_range(.., |start, _| ids.push(*start));
    }

    fn all(&self) -> Vec<EventTime> {
        let mut ids = Vec::new();
        self.0.for_range(.., |start, _| ids.push(*start));
        ids
    }

    fn window(&self, id: &EventTime) -> Option<Window> {
        self.0.with(id, |pane| pane.map(|pane| Window { start: *id, end: pane.end }))
    }

    fn look(&self, id: &EventTime, look: impl FnOnce(&F::Kept)) {
        self.0.with(id, |pane| pane.map(|pane| look(&pane.kept)));
    }

    fn remove(&self, id: &EventTime) {
        self.0.remove(id);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<A: StateValue> Sessions<A> {
    /// Shows the sessions that overlap `window`, in order.
    fn meet(&self, window: Window, mut show: impl FnMut(Window)) {
        self.0.for_range(..window.end, |start, pane| {
            let session = Window { start: *start, end: pane.end };
            if session.overlaps(window) {
                show(session);
            }
        });
    }

    /// Makes one session of those at `starts`, which are in order, and a record.
    fn unite<In, F: Merge<In, Kept = A>>(&self, window: Window, starts: &[EventTime], record: &In, fold: &F) {
        let mut met = starts.iter().filter_map(|start| self.0.remove(start)).map(|pane| pane.kept);
        let kept = match met.next() {
            None => fold.first(record),
            Some(mut kept) => {
                met.for_each(|later| fold.merge(&mut kept, later));
                fold.add(&mut kept, record);
                kept
            }
        };
        self.0.insert(window.start, SessionPane { end: window.end, kept });
    }
}
