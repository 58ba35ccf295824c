//! Folding deltas together in the background, one state at a time.

use millpond_snapshot::chunk::ChunkRef;
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::state::{CompactOptions, CompactionPlan, compact, plan_compaction};
use millpond_snapshot::{JobName, Store};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::assembly::Assembly;
use crate::clock::Clock;
use crate::error::Error;
use crate::job::plan::Plan;

/// A fold under way, or done.
pub(crate) struct Fold {
    operator: usize,
    state: usize,
    /// The chunks that it was planned for.
    planned: Vec<ChunkRef>,
    plan: CompactionPlan,
    made: Vec<ChunkRef>,
}

/// Starts the first fold that pays, if any does.
pub(crate) fn start(
    assembly: &Assembly,
    plan: &Plan,
    store: &Store,
    job: &JobName,
    clock: &Clock,
) -> Option<JoinHandle<Result<Fold, Error>>> {
    let found = assembly.keyed(plan).find_map(|(operator, state, declared, chunks)| {
        let fold = plan_compaction(chunks, HashRange::FULL)?;
        Some((operator, state, declared.kind, chunks.to_vec(), fold))
    });
    let (operator, state, kind, chunks, plan) = found?;
    let mut options = CompactOptions::new(job.clone(), kind);
    options.expired_at_ms = Some(clock.now().as_millis());
    let store = store.clone();
    let handle = Handle::current();
    // It takes processor time, and the coordinator must stay awake.
    Some(tokio::task::spawn_blocking(move || {
        let made = handle.block_on(compact(&store, &chunks, &plan, &options))?;
        Ok(Fold { operator, state, planned: chunks, plan, made })
    }))
}

impl Fold {
    /// Puts the result in the place of what was folded; the next snapshot names it.
    pub(crate) fn apply(self, assembly: &mut Assembly) {
        let Fold { operator, state, planned, plan, made } = self;
        assembly.update(operator, state, |chunks| place(chunks, &planned, &plan, made));
    }
}

/// The list with the result of a fold in the place of what was folded. If a newer base has come since it was planned, what
/// that hides is gone from the list, the places mean nothing any more, and the result is left to garbage collection.
fn place(chunks: &[ChunkRef], planned: &[ChunkRef], plan: &CompactionPlan, made: Vec<ChunkRef>) -> Vec<ChunkRef> {
    if chunks.starts_with(planned) { plan.apply(chunks, made) } else { chunks.to_vec() }
}

#[cfg(test)]
mod tests {
    use millpond_snapshot::ChunkHash;
    use millpond_snapshot::chunk::ChunkKind;

    use super::*;

    fn chunk(name: u8, kind: ChunkKind) -> ChunkRef {
        let (hash, job) = (ChunkHash([name; 32]), "j".parse().unwrap());
        ChunkRef { hash, job, kind, range: HashRange::FULL, rows: 100_000, bytes: 10, pack: None }
    }

    #[test]
    fn a_fold_that_a_newer_base_has_overtaken_is_not_applied() {
        let (base, delta) = (ChunkKind::Base, ChunkKind::Delta);
        let planned = vec![chunk(1, base), chunk(2, delta), chunk(3, delta)];
        let plan = plan_compaction(&planned, HashRange::FULL).unwrap();
        let made = vec![chunk(9, base)];

        let grown = [planned.clone(), vec![chunk(4, delta)]].concat();
        assert_eq!(place(&grown, &planned, &plan, made.clone()), [chunk(9, base), chunk(4, delta)]);

        let overtaken = vec![chunk(5, base), chunk(6, delta), chunk(7, delta)];
        assert_eq!(place(&overtaken, &planned, &plan, made), overtaken);
    }
}
