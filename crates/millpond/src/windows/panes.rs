//! Where what a window keeps is kept: one entry of a map for each window of a key.
//!
//! Windows with fixed bounds are found by their bounds, so that after a change of size the old windows live on to
//! their end beside the new ones. Sessions are found by their start alone: a session grows at its end with nearly each
//! record, and an entry that stays in its place is an entry that a snapshot takes once.

use std::cell::Cell;

use super::assigner::WindowAssigner;
use super::fold::{Fold, Merge};
use super::kept::Kept;
use super::window::Window;
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
    /// Into a window.
    In(Entered<Id>),
    /// Nowhere: the window is over and gone.
    Late,
}

/// The windows of a key and what is kept of them.
pub(crate) trait Panes<In, F: Fold<In>>: 'static {
    /// What a window is found by.
    type Id: StateValue + Ord;

    /// Declares the state.
    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>) -> Self;
    /// Puts a record that belongs at `time` into its windows, and says where it went.
    fn add(
        &self,
        assigner: WindowAssigner,
        time: EventTime,
        record: &In,
        fold: &F,
        is_late: impl Fn(Window) -> bool,
        placed: &mut Vec<Placed<Self::Id>>,
    );
    /// The windows that end at `end` and those that end at `gone` or before; maybe others too. Each once.
    fn due(&self, end: EventTime, gone: EventTime) -> Vec<Self::Id>;
    /// All windows.
    fn all(&self) -> Vec<Self::Id>;
    /// The bounds of a window that is there.
    fn window(&self, id: &Self::Id) -> Option<Window>;
    /// Looks at what is kept of a window, which must not touch the state.
    fn look(&self, id: &Self::Id, look: impl FnMut(&F::Kept));
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

    fn add(
        &self,
        assigner: WindowAssigner,
        time: EventTime,
        record: &In,
        fold: &F,
        is_late: impl Fn(Window) -> bool,
        placed: &mut Vec<Placed<Window>>,
    ) {
        assigner.each(time, |window| {
            placed.push(if is_late(window) {
                Placed::Late
            } else {
                let known = add_to(&self.0, window, || fold.first(record), |kept| fold.add(kept, record));
                Placed::In(Entered { id: window, window, before: known.then_some(window), absorbed: Vec::new() })
            });
        });
    }

    fn due(&self, end: EventTime, gone: EventTime) -> Vec<Window> {
        let mut ids = Vec::new();
        self.0.for_range(..=Window { start: EventTime::MAX, end: gone }, |window, _| ids.push(*window));
        if end > gone {
            let with_end = Window { start: EventTime::MIN, end }..=Window { start: EventTime::MAX, end };
            self.0.for_range(with_end, |window, _| ids.push(*window));
        }
        ids
    }

    fn all(&self) -> Vec<Window> {
        let mut ids = Vec::new();
        self.0.for_range(.., |window, _| ids.push(*window));
        ids
    }

    fn window(&self, id: &Window) -> Option<Window> {
        self.0.contains(id).then_some(*id)
    }

    fn look(&self, id: &Window, mut look: impl FnMut(&F::Kept)) {
        self.0.for_range(*id..=*id, |_, kept| look(kept));
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
        is_late: impl Fn(Window) -> bool,
        placed: &mut Vec<Placed<EventTime>>,
    ) {
        assigner.each(time, |alone| {
            let mut window = alone;
            let mut met: Vec<Window> = Vec::new();
            self.0.for_range(..alone.end, |start, pane| {
                let other = Window { start: *start, end: pane.end };
                if other.overlaps(alone) {
                    met.push(other);
                    window = window.cover(other);
                }
            });
            placed.push(match met[..] {
                [] if is_late(alone) => Placed::Late,
                // Its start stays, so it stays where it is.
                [session] if session.start == window.start => {
                    self.extend(window, record, fold);
                    let before = Some(session);
                    Placed::In(Entered { id: window.start, window, before, absorbed: Vec::new() })
                }
                _ => {
                    let absorbed: Vec<EventTime> = met.iter().map(|session| session.start).collect();
                    self.unite(window, &absorbed, record, fold);
                    Placed::In(Entered { id: window.start, window, before: None, absorbed })
                }
            });
        });
    }

    /// All: the end of a session is not what it is found by.
    fn due(&self, _: EventTime, _: EventTime) -> Vec<EventTime> {
        self.starts()
    }

    fn all(&self) -> Vec<EventTime> {
        self.starts()
    }

    fn window(&self, id: &EventTime) -> Option<Window> {
        let mut window = None;
        self.0.for_range(*id..=*id, |start, pane| window = Some(Window { start: *start, end: pane.end }));
        window
    }

    fn look(&self, id: &EventTime, mut look: impl FnMut(&F::Kept)) {
        self.0.for_range(*id..=*id, |_, pane| look(&pane.kept));
    }

    fn remove(&self, id: &EventTime) {
        self.0.remove(id);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<A: StateValue> Sessions<A> {
    fn starts(&self) -> Vec<EventTime> {
        let mut ids = Vec::new();
        self.0.for_range(.., |start, _| ids.push(*start));
        ids
    }

    /// Takes a record into the session that starts where `window` does.
    fn extend<In, F: Fold<In, Kept = A>>(&self, window: Window, record: &In, fold: &F) {
        let first = || SessionPane { end: window.end, kept: fold.first(record) };
        add_to(&self.0, window.start, first, |pane| {
            pane.end = window.end;
            fold.add(&mut pane.kept, record);
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

/// Puts something under `key`: by `add` if something is there, or else as the `first`. Whether something was there.
fn add_to<M, V>(map: &MapState<M, V>, key: M, first: impl FnOnce() -> V, add: impl FnOnce(&mut V)) -> bool
where
    M: StateValue + Ord,
    V: StateValue,
{
    let known = Cell::new(true);
    let first = || {
        known.set(false);
        first()
    };
    map.upsert(key, first, |value| {
        if known.get() {
            add(value);
        }
    });
    known.get()
}
