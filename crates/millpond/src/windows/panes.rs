//! Where what a window keeps is kept: one entry of a map for each window of a key.
//!
//! Windows with fixed bounds are found by their bounds, so that after a change of size the old windows live on to their end
//! beside the new ones ([those that overlap](super::slices) share what they have in common). Sessions are found by their start
//! alone: a session grows at its end with nearly each record, and an entry that stays in its place is an entry that a snapshot
//! takes once.

use super::assigner::WindowAssigner;
use super::fold::{Fold, Merge};
use super::kept::Kept;
use super::rules::{Phase, Rules};
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

/// Where a record went.
pub(crate) enum Placed<Id> {
    /// Into a window that was there, and has the bounds that it had.
    Known(Id, Window),
    /// Into a window that is new, or has changed its bounds.
    In(Entered<Id>),
    /// Nowhere: the window is over and gone.
    Late,
}

/// The windows of a key and what is kept of them.
pub(crate) trait Panes<In, F: Fold<In>>: 'static {
    /// What a window is found by.
    type Id: StateValue + Ord;

    /// Declares the state.
    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>, rules: &Rules) -> Self;
    /// Puts a record that belongs at `time` into its windows, and says of each where it went, until that fails; maybe not of
    /// windows that are open and have what they need.
    fn add(
        &self,
        assigner: WindowAssigner,
        time: EventTime,
        record: &In,
        fold: &F,
        phase: impl Fn(Window) -> Phase,
        placed: impl FnMut(Placed<Self::Id>) -> Result<(), UserError>,
    ) -> Result<(), UserError>;
    /// Lists the windows that end at `end` and those that end at `gone` or before; maybe others too, and some twice.
    fn due(&self, end: EventTime, gone: EventTime, ids: &mut Vec<Self::Id>);
    /// All windows.
    fn all(&self) -> Vec<Self::Id>;
    /// The bounds of a window that is there.
    fn window(&self, id: &Self::Id) -> Option<Window>;
    /// Looks at what is kept of a window, which must not touch the state.
    fn look(&self, id: &Self::Id, fold: &F, look: impl FnOnce(&F::Kept));
    /// Forgets a window.
    fn remove(&self, id: &Self::Id);
    /// Whether the key has no windows.
    fn is_empty(&self) -> bool;
}

/// Windows that are found by their bounds.
pub(crate) struct Fixed<A>(pub(super) MapState<Window, A>);

impl<In, F: Fold<In>> Panes<In, F> for Fixed<F::Kept> {
    type Id = Window;

    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>, _: &Rules) -> Self {
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
        phase: impl Fn(Window) -> Phase,
        mut placed: impl FnMut(Placed<Window>) -> Result<(), UserError>,
    ) -> Result<(), UserError> {
        assigner.each(time, |window| {
            placed(if phase(window) == Phase::Gone {
                Placed::Late
            } else if self.0.update(&window, |kept| fold.add(kept, record)).is_some() {
                Placed::Known(window, window)
            } else {
                self.0.insert(window, fold.first(record));
                Placed::In(Entered { id: window, window, before: None, absorbed: Vec::new() })
            })
        })
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

    fn look(&self, id: &Window, _: &F, look: impl FnOnce(&F::Kept)) {
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

    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>, _: &Rules) -> Self {
        let state = MapDescriptor::new(kept.sessions(setup));
        Sessions(setup.map(state))
    }

    fn add(
        &self,
        assigner: WindowAssigner,
        time: EventTime,
        record: &In,
        fold: &F,
        phase: impl Fn(Window) -> Phase,
        mut placed: impl FnMut(Placed<EventTime>) -> Result<(), UserError>,
    ) -> Result<(), UserError> {
        assigner.each(time, |alone| {
            let mut window = alone;
            let (mut first, mut others) = (None, Vec::new());
            self.meet(alone, |session| {
                window = window.cover(session);
                match first {
                    None => first = Some(session),
                    Some(_) => others.push(session.start),
                }
            });
            placed(match first {
                None if phase(alone) == Phase::Gone => Placed::Late,
                // Its start stays, so it stays where it is.
                Some(session) if others.is_empty() && session.start == window.start => {
                    self.0.update(&window.start, |pane| {
                        pane.end = window.end;
                        fold.add(&mut pane.kept, record);
                    });
                    if session == window {
                        Placed::Known(window.start, window)
                    } else {
                        let before = Some(session);
                        Placed::In(Entered { id: window.start, window, before, absorbed: Vec::new() })
                    }
                }
                _ => {
                    let absorbed: Vec<EventTime> =
                        first.iter().map(|session| session.start).chain(others).collect();
                    self.unite(window, &absorbed, record, fold);
                    Placed::In(Entered { id: window.start, window, before: None, absorbed })
                }
            })
        })
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

    fn look(&self, id: &EventTime, _: &F, look: impl FnOnce(&F::Kept)) {
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
