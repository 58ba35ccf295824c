//! Windows that overlap, kept in slices.
//!
//! A record of a window of ten seconds each two is in five windows. If it is put into the slice of two seconds that it is
//! in, once, a window is what its slices amount to when it fires. An entry says which windows it is for, so that after a
//! change of size or slide the old ones live on to their end beside the new ones.

use super::assigner::WindowAssigner;
use super::fold::Merge;
use super::kept::Kept;
use super::panes::{Entered, Fixed, Panes, Placed};
use super::rules::{Phase, Rules};
use super::slice::{Slice, beginning};
use super::window::Window;
use crate::runtime::failure::UserError;
use crate::state::codec::StateValue;
use crate::state::evolution::descriptors::MapDescriptor;
use crate::state::handles::MapState;
use crate::state::setup::KeyedSetup;
use crate::time::EventTime;

/// Windows that overlap: as slices, and whole where that cannot be.
pub(crate) struct Sliced<A> {
    slices: MapState<Slice, A>,
    /// Windows of which something is kept that is in no slice: they have another trigger, or had one when they began, or an older
    /// version began them.
    whole: Fixed<A>,
    /// Whether new records are put into slices.
    shares: bool,
}

impl<A: StateValue> Sliced<A> {
    /// The slices next to this one, of the same windows: where the one before starts, and where the one behind ends.
    fn neighbours(&self, slice: Slice) -> (EventTime, EventTime) {
        let (mut before, mut behind) = (EventTime::MIN, EventTime::MAX);
        self.slices.for_range(.., |other, _| {
            if other.size != slice.size || other.slide() != slice.slide() {
            } else if other.start < slice.start {
                before = before.max(other.start);
            } else if other.start > slice.start {
                behind = behind.min(other.end);
            }
        });
        (before, behind)
    }
}

impl<In, F: Merge<In>> Panes<In, F> for Sliced<F::Kept> {
    type Id = Window;

    fn declare(setup: &mut KeyedSetup, kept: Kept<F::Kept>, rules: &Rules) -> Self {
        let [whole, slices] = kept.sliced(setup);
        let whole = Fixed(setup.map(MapDescriptor::new(whole)));
        Sliced { slices: setup.map(MapDescriptor::new(slices)), whole, shares: rules.shares_slices }
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
        let Some(slice) = assigner.slice(time).filter(|_| self.shares) else {
            return self.whole.add(assigner, time, record, fold, phase, placed);
        };
        if phase(slice.last_window()) == Phase::Gone {
            return placed(Placed::Late);
        }
        let neighbours = match self.slices.update(&slice, |kept| fold.add(kept, record)) {
            Some(()) => None,
            None => {
                let neighbours = self.neighbours(slice);
                self.slices.insert(slice, fold.first(record));
                Some(neighbours)
            }
        };
        for window in slice.windows() {
            match (phase(window), neighbours) {
                (Phase::Gone, _) => {}
                // What a neighbour is in has its timers.
                (_, Some((before, behind))) if before < window.start && window.end < behind => {
                    placed(Placed::In(Entered { id: window, window, before: None, absorbed: Vec::new() }))?;
                }
                (Phase::Complete, _) => placed(Placed::Known(window, window))?,
                (Phase::Open, Some(_)) => {}
                // Of a slice that was there, this window and those after it have what they need.
                (Phase::Open, None) => break,
            }
        }
        Ok(())
    }

    fn due(&self, end: EventTime, gone: EventTime, ids: &mut Vec<Window>) {
        Panes::<In, F>::due(&self.whole, end, gone, ids);
        self.slices.for_range(.., |slice, _| {
            let window = Window { start: EventTime::from_millis(end.as_millis().saturating_sub(slice.size)), end };
            if slice.is_part_of(window) {
                ids.push(window);
            }
            if slice.last_window().end <= gone {
                ids.push(slice.last_window());
            }
        });
    }

    /// Those that are gone as well, if a later one has a slice of theirs.
    fn all(&self) -> Vec<Window> {
        let mut ids = Panes::<In, F>::all(&self.whole);
        self.slices.for_range(.., |slice, _| ids.extend(slice.windows()));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn window(&self, id: &Window) -> Option<Window> {
        let mut is_there = false;
        self.slices.for_range(beginning(id.start, id.end), |slice, _| is_there |= slice.is_part_of(*id));
        if is_there { Some(*id) } else { Panes::<In, F>::window(&self.whole, id) }
    }

    fn look(&self, id: &Window, fold: &F, look: impl FnOnce(&F::Kept)) {
        let mut kept = self.whole.0.get(id);
        self.slices.for_range(beginning(id.start, id.end), |slice, part| {
            if !slice.is_part_of(*id) {
                return;
            }
            match &mut kept {
                None => kept = Some(part.clone()),
                Some(kept) => fold.merge(kept, part.clone()),
            }
        });
        kept.as_ref().map(look);
    }

    /// With the slices that no later window has.
    fn remove(&self, id: &Window) {
        Panes::<In, F>::remove(&self.whole, id);
        let mut over = Vec::new();
        self.slices.for_range(beginning(EventTime::MIN, id.start), |slice, _| {
            if slice.last_window().end <= id.end {
                over.push(*slice);
            }
        });
        for slice in over {
            self.slices.remove(&slice);
        }
    }

    fn is_empty(&self) -> bool {
        self.slices.is_empty() && Panes::<In, F>::is_empty(&self.whole)
    }
}
