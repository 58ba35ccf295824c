//! What a snapshot takes: marked at once, copied in slices.

use std::sync::Arc;

use super::KeyedStates;
use crate::error::Error;
use crate::state::codec::StateValue;
use crate::state::rows::{KeyColumns, KeyedRows};
use crate::state::spill::part::SpilledPart;
use crate::state::stretches::Stretches;
use crate::state::tracker::Extent;
use crate::state::walk::Walk;

/// A snapshot that is being copied.
pub(super) struct Copying {
    /// The states of which all is taken, by number.
    walked: Vec<usize>,
    /// Whether that is all there is: nothing is on disk.
    alone: bool,
    /// For each state, the keys of the rows of its changes, or of the stretch at hand.
    keys: Vec<KeyColumns>,
    /// The state whose changes are copied.
    list: usize,
    walk: Walk,
}

impl Copying {
    fn takes_all(&self, state: usize) -> bool {
        self.walked.contains(&state)
    }

    /// Where the rows of a state are: those of its changes are one stretch.
    fn stretch_of(&self, state: usize) -> usize {
        if self.takes_all(state) { self.walk.stretch } else { 0 }
    }
}

/// What has been copied.
pub(crate) enum CopiedRows {
    /// The next stretch of those states that are taken whole, each with its number.
    Stretch(Vec<(usize, KeyedRows)>),
    /// What was left: rows of all states, in the order of their declaration. Of those that are taken whole, the last stretch.
    Rest(Vec<KeyedRows>),
}

/// Keys whose rows are copied between two looks at what is left to do.
const WALKED_TOGETHER: usize = 512;

impl<K: StateValue + Eq> KeyedStates<K> {
    /// Marks the snapshot: what changed since the last one, or everything.
    pub(crate) fn freeze(&mut self, everything: bool) -> Result<(), Error> {
        // A row on disk has all states of its key: if one of them must be written whole, all are.
        let rewritten = self.spills() && self.rewritten.contains(&true);
        let everything = everything || rewritten || self.is_mostly_changed();
        let (extent, keys) = (self.extent(everything), self.keys.len());
        self.spilled = self.freeze_spilled(everything)?;
        self.cursor.forget_tombstones();
        self.keys.freeze();
        // What is resident comes on top of what is not: it is everything only if it is all there is.
        let alone = self.spilled.is_none();
        let places = self.keys.places();
        let stretches =
            if alone { Stretches::of(places, keys, self.stretch_keys) } else { Stretches::one(places) };
        self.cursor.set_stretches(stretches);
        let mut walked = Vec::new();
        for (number, (state, rewritten)) in self.states.iter().zip(&mut self.rewritten).enumerate() {
            let extent = if std::mem::take(rewritten) { Extent::Everything } else { extent };
            let mut store = state.store.borrow_mut();
            let everything = store.takes_all(extent, keys);
            store.freeze(everything, if everything { stretches.count() } else { 1 });
            walked.extend(everything.then_some(number));
        }
        let mut walk = Walk::default();
        if !walked.is_empty() {
            walk.begin(0, stretches, &self.keys);
        }
        let keys = (0..self.states.len()).map(|state| self.key_columns(state)).collect();
        self.copying = Some(Copying { walked, alone, keys, list: 0, walk });
        Ok(())
    }

    fn key_columns(&self, state: usize) -> KeyColumns {
        KeyColumns::new(Arc::clone(&self.key_field), self.spare_hashes[state].list())
    }

    /// What the snapshot that has just been copied takes of keys that are not resident. It comes before what was copied.
    pub(crate) fn take_spilled(&mut self) -> Option<SpilledPart> {
        self.spilled.take()
    }

    /// Whether a copy is under way.
    pub(crate) fn is_copying(&self) -> bool {
        self.copying.is_some()
    }

    /// Copies at most `budget` rows, or hardly more; gives what has been copied when something is complete.
    pub(crate) fn copy_slice(&mut self, mut budget: usize) -> Option<CopiedRows> {
        let mut copying = self.copying.take()?;
        let copied = self.copy_some(&mut copying, &mut budget);
        match copied {
            Some(CopiedRows::Rest(_)) => self.keys.thaw(),
            _ => self.copying = Some(copying),
        }
        copied
    }

    fn copy_some(&self, copying: &mut Copying, budget: &mut usize) -> Option<CopiedRows> {
        while copying.list < self.states.len() {
            let list = copying.list;
            if !copying.takes_all(list) {
                let done = self.states[list].store.borrow_mut().copy_changes(budget);
                self.copy_their_keys(copying, list, done);
                if !done {
                    return None;
                }
            }
            copying.list += 1;
        }
        let stretches = self.cursor.stretches();
        while !copying.walked.is_empty() {
            let Copying { walked, walk: Walk { stretch, stops, near, at }, .. } = copying;
            for state in &walked[*at..] {
                let mut store = self.states[*state].store.borrow_mut();
                if !store.copy_keys(&stops[near.clone()], *stretch, budget) {
                    return None;
                }
                *at += 1;
            }
            if near.end < stops.len() {
                if *budget == 0 {
                    return None;
                }
                *near = near.end..(near.end + WALKED_TOGETHER.min(*budget)).min(stops.len());
                *at = 0;
                (0..walked.len()).for_each(|at| self.copy_their_keys(copying, copying.walked[at], false));
                continue;
            }
            if *stretch + 1 == stretches.count() {
                break;
            }
            let rows = (0..walked.len()).map(|at| {
                let state = copying.walked[at];
                (state, self.take_rows(copying, state))
            });
            let rows = rows.collect();
            copying.walk.begin(copying.walk.stretch + 1, stretches, &self.keys);
            return Some(CopiedRows::Stretch(rows));
        }
        copying.walked.iter().for_each(|state| self.states[*state].store.borrow_mut().end_walk());
        Some(CopiedRows::Rest((0..self.states.len()).map(|state| self.take_rows(copying, state)).collect()))
    }

    /// Takes the keys of the rows of a state that have been copied since the last time, in slices too.
    fn copy_their_keys(&self, copying: &mut Copying, state: usize, all: bool) {
        let stretch = copying.stretch_of(state);
        copying.keys[state].extend(self.states[state].store.borrow().copied(stretch), &self.keys, all);
    }

    /// Takes out the rows of a state: of its changes, or of the stretch at hand.
    fn take_rows(&self, copying: &mut Copying, state: usize) -> KeyedRows {
        self.copy_their_keys(copying, state, true);
        let stretch = copying.stretch_of(state);
        KeyedRows {
            keys: Box::new(std::mem::replace(&mut copying.keys[state], self.key_columns(state))),
            rows: self.states[state].store.borrow_mut().take_rows(stretch),
            whole: copying.takes_all(state) && copying.alone,
        }
    }
}
