//! Putting a snapshot together from what subtasks send.
//!
//! Pure: no clock and no store. Chunks accumulate: a subtask sends what changed since its last part, and an assembly
//! adds that to what was there. The chunks of a snapshot that failed stay: they are part of the next one.

use std::collections::{BTreeMap, BTreeSet};

use millpond_snapshot::chunk::{self, ChunkRef};
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, StateSnapshot, UidSource};
use millpond_snapshot::{Epoch, JobName};

use crate::error::Error;
use crate::job::plan::{OperatorPlan, Plan};
use crate::runtime::message::Acknowledgement;
use crate::runtime::restore::Restored;
use crate::state::descriptor::StateDeclaration;
use crate::state::evolution::decide;
use crate::time::millis;

/// A state that grows from snapshot to snapshot.
#[derive(Clone, Debug, Default)]
struct StateAssembly {
    chunks: Vec<ChunkRef>,
    /// Rows of operator state as each subtask last sent them.
    rows: BTreeMap<usize, Vec<String>>,
}

/// What the next snapshot will consist of.
#[derive(Clone, Debug)]
pub(crate) struct Assembly {
    states: Vec<Vec<StateAssembly>>,
}

impl Assembly {
    /// An assembly that goes on from what was restored. A state whose columns have changed begins anew: each subtask writes
    /// its part of it whole, and chunks of a state must have the same columns.
    pub(crate) fn new(plan: &Plan, restored: &Restored) -> Self {
        let chunks_of = |operator: usize, state: &StateDeclaration| {
            let snapshot = restored.operator_snapshot(operator)?;
            let old = snapshot.states.iter().find(|s| s.name == state.name)?;
            let rewrites = decide(state, old).is_ok_and(|outcome| outcome.rewrites);
            (!rewrites).then(|| old.chunks.clone())
        };
        let states = plan.operators.iter().enumerate().map(|(index, operator)| {
            let state = |state| StateAssembly {
                chunks: chunks_of(index, state).unwrap_or_default(),
                ..Default::default()
            };
            operator.states.iter().map(state).collect()
        });
        Assembly { states: states.collect() }
    }

    /// Adds a subtask's part.
    pub(crate) fn absorb(&mut self, plan: &Plan, part: Acknowledgement) -> Result<(), Error> {
        let unknown = || {
            Error::job(format!("operator number {} sent a part for a state that it does not have", part.operator))
        };
        let operator = plan.operators.get(part.operator).ok_or_else(unknown)?;
        for state in part.states {
            let place =
                operator.states.iter().position(|declared| declared.name == state.name).ok_or_else(unknown)?;
            let assembly = &mut self.states[part.operator][place];
            assembly.chunks.extend(state.chunks);
            if !operator.states[place].kind.is_keyed() {
                assembly.rows.insert(part.subtask, state.rows);
            }
        }
        Ok(())
    }

    /// The manifest as it stands.
    pub(crate) fn manifest(&mut self, plan: &Plan, job: &JobName, epoch: u64) -> Result<Manifest, Error> {
        let mut manifest = Manifest::new(job.clone(), Epoch(epoch));
        for (operator, states) in plan.operators.iter().zip(&mut self.states) {
            if operator.states.is_empty() {
                continue;
            }
            let mut snapshots = Vec::new();
            for (declared, assembly) in operator.states.iter().zip(states) {
                assembly.chunks = chunk::prune(std::mem::take(&mut assembly.chunks));
                snapshots.push(assembly.snapshot(operator, declared)?);
            }
            manifest.operators.push(OperatorSnapshot {
                uid: operator.uid.clone(),
                uid_source: if operator.uid_given { UidSource::Given } else { UidSource::Derived },
                name: operator.name.clone(),
                kind: operator.kind.to_owned(),
                states: snapshots,
            });
        }
        Ok(manifest)
    }

    /// The chunks of each keyed state.
    pub(crate) fn keyed<'a>(
        &'a self,
        plan: &'a Plan,
    ) -> impl Iterator<Item = (usize, usize, &'a StateDeclaration, &'a [ChunkRef])> {
        plan.operators.iter().zip(&self.states).enumerate().flat_map(|(index, (operator, states))| {
            let declared = operator.states.iter().zip(states).enumerate();
            declared
                .filter(|(_, (declared, _))| declared.kind.is_keyed())
                .map(move |(place, (declared, state))| (index, place, declared, state.chunks.as_slice()))
        })
    }

    /// Changes the chunks of a state. Between snapshots chunks are only added behind those that are there.
    pub(crate) fn update(
        &mut self,
        operator: usize,
        state: usize,
        change: impl FnOnce(&[ChunkRef]) -> Vec<ChunkRef>,
    ) {
        let chunks = &mut self.states[operator][state].chunks;
        *chunks = change(chunks);
    }
}

impl StateAssembly {
    fn snapshot(&self, operator: &OperatorPlan, declared: &StateDeclaration) -> Result<StateSnapshot, Error> {
        let rows_inline = if declared.kind.is_keyed() {
            None
        } else {
            let rows = self.rows.values().flatten().map(|row| {
                serde_json::from_str(row).map_err(|error| {
                    Error::job(format!("operator '{}', state '{}': {error}", operator.uid, declared.name))
                })
            });
            Some(rows.collect::<Result<_, _>>()?)
        };
        Ok(StateSnapshot {
            name: declared.name.clone(),
            kind: declared.kind,
            key_schema: declared.key.clone(),
            map_key_schema: declared.map_key.clone(),
            value_schema: declared.value.clone(),
            ttl_ms: declared.ttl.map(|ttl| millis(ttl.duration).unsigned_abs()),
            chunks: self.chunks.clone(),
            rows_inline,
        })
    }
}

/// How many bytes of `manifest` are in chunks that `parent` does not name.
pub(crate) fn new_bytes(manifest: &Manifest, parent: Option<&Manifest>) -> u64 {
    let known: BTreeSet<_> = parent.into_iter().flat_map(Manifest::chunks).map(|chunk| chunk.hash).collect();
    manifest.chunks().filter(|chunk| !known.contains(&chunk.hash)).map(|chunk| chunk.bytes).sum()
}
