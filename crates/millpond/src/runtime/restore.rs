//! The state that a run starts with, as each subtask reads its share of it.

use std::fmt::Display;

use millpond_snapshot::Store;
use millpond_snapshot::chunk::{self, StateKind};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot};
use tokio::runtime::Handle;

use super::evolved::evolved;
use crate::error::Error;
use crate::source::SourcePosition;
use crate::state::codec::StateValue;
use crate::state::evolution::decide;
use crate::state::keyed::KeyedStates;
use crate::state::setup::RegisteredOperatorState;

/// Where the state of an operator of this program stands in a snapshot, as the restore plan decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restored {
    pub(crate) snapshot: Option<(Store, Manifest)>,
    /// For each operator of the plan, its place in the manifest.
    pub(crate) operators: Vec<Option<usize>>,
    /// Sources, by their place in the plan, that begin where the run was told to.
    pub(crate) positions: Vec<(usize, SourcePosition)>,
}

impl Restored {
    fn states(&self, operator: usize) -> Option<(&Store, &OperatorSnapshot)> {
        let (store, manifest) = self.snapshot.as_ref()?;
        let place = (*self.operators.get(operator)?)?;
        Some((store, manifest.operators.get(place)?))
    }

    /// Where the source at `operator` begins, if the run was told.
    pub(crate) fn position(&self, operator: usize) -> Option<&SourcePosition> {
        self.positions.iter().find(|(place, _)| *place == operator).map(|(_, position)| position)
    }

    /// Where the state of an operator of the plan stands in the snapshot.
    pub(crate) fn operator_snapshot(&self, operator: usize) -> Option<&OperatorSnapshot> {
        self.states(operator).map(|(_, snapshot)| snapshot)
    }

    /// Reads the rows of `range` into the keyed states of an operator.
    pub(crate) fn keyed<K: StateValue + Eq>(
        &self,
        operator: usize,
        range: HashRange,
        states: &mut KeyedStates<K>,
        handle: &Handle,
    ) -> Result<(), Error> {
        let Some((store, snapshot)) = self.states(operator) else { return Ok(()) };
        let declared: Vec<_> = states.declarations().cloned().collect();
        for (index, declared) in declared.iter().enumerate() {
            let Some(state) = snapshot.states.iter().find(|state| state.name == declared.name) else { continue };
            let place = || format!("operator '{}', state '{}'", snapshot.uid, declared.name);
            let outcome =
                decide(declared, state).map_err(|reasons| Error::snapshot(reasons.join("; ")).at(place()))?;
            if outcome.rewrites {
                evolved(store, state, &outcome, index, range, states, handle)
                    .map_err(|error| error.at(place()))?;
                continue;
            }
            for (chunk, parts) in state.chunks.iter().zip(chunk::visible(&state.chunks, range)) {
                for part in parts {
                    let outcome = handle.block_on(chunk::read_chunk(store, chunk, state.kind, part));
                    let read = outcome
                        .map_err(Error::from)
                        .and_then(|mut batches| batches.try_for_each(|batch| states.restore(index, &batch?)));
                    read.map_err(|error| error.at(place()))?;
                }
            }
        }
        states.restored()
    }

    /// Gives operator states their rows: dealt out to `workers`, or whole.
    pub(crate) fn operator(
        &self,
        operator: usize,
        worker: usize,
        workers: usize,
        states: &[RegisteredOperatorState],
    ) -> Result<(), Error> {
        let Some((_, snapshot)) = self.states(operator) else { return Ok(()) };
        for registered in states {
            let name = &registered.declaration.name;
            let Some(state) = snapshot.states.iter().find(|state| state.name == *name) else { continue };
            let Some(rows) = state.rows_inline.as_ref() else { continue };
            let mine: Vec<_> = match registered.declaration.kind {
                StateKind::OperatorList => rows
                    .iter()
                    .enumerate()
                    .filter(|(row, _)| row % workers == worker)
                    .map(|(_, row)| row.clone())
                    .collect(),
                _ => rows.clone(),
            };
            let place = |error: &dyn Display| {
                Error::snapshot(format!("operator '{}', state '{name}': {error}", snapshot.uid))
            };
            let outcome = decide(&registered.declaration, state).map_err(|reasons| place(&reasons.join("; ")))?;
            registered.store.borrow_mut().restore(&mine, &outcome).map_err(|error| place(&error))?;
        }
        Ok(())
    }
}
