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

/// A fold that has come to its end.
pub(crate) struct Fold {
    operator: usize,
    state: usize,
    /// The chunks that it was planned for.
    planned: Vec<ChunkRef>,
    plan: CompactionPlan,
    made: Result<Vec<ChunkRef>, Error>,
}

/// What became of a fold.
#[derive(Debug)]
pub(crate) enum Folded {
    /// The next snapshot names the result.
    InPlace,
    /// A newer base has come meanwhile that hides what was folded. Retention may have removed that while it was read, since
    /// no snapshot that is kept names it: then the fold has failed, and nothing is lost by it either.
    Overtaken,
    /// It could not be done.
    Failed(Error),
}

/// Starts the first fold that pays, if any does.
pub(crate) fn start(
    assembly: &Assembly,
    plan: &Plan,
    store: &Store,
    job: &JobName,
    clock: &Clock,
) -> Option<JoinHandle<Fold>> {
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
        let made = handle.block_on(compact(&store, &chunks, &plan, &options)).map_err(Error::from);
        Fold { operator, state, planned: chunks, plan, made }
    }))
}

impl Fold {
    /// Puts the result in the place of what was folded; the next snapshot names it.
    pub(crate) fn apply(self, assembly: &mut Assembly) -> Folded {
        let Fold { operator, state, planned, plan, made } = self;
        let mut folded = Folded::Overtaken;
        assembly.update(operator, state, |chunks| {
            let (chunks, outcome) = place(chunks, &planned, &plan, made);
            folded = outcome;
            chunks
        });
        folded
    }
}

/// The list with the result of a fold in the place of what was folded. If a newer base has come since it was planned, what
/// that hides is gone from the list, the places mean nothing any more, and the result is left to garbage collection.
fn place(
    chunks: &[ChunkRef],
    planned: &[ChunkRef],
    plan: &CompactionPlan,
    made: Result<Vec<ChunkRef>, Error>,
) -> (Vec<ChunkRef>, Folded) {
    match made {
        _ if !chunks.starts_with(planned) => (chunks.to_vec(), Folded::Overtaken),
        Ok(made) => (plan.apply(chunks, made), Folded::InPlace),
        Err(error) => (chunks.to_vec(), Folded::Failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
    use arrow_schema::{DataType, Field, Schema};
    use millpond_snapshot::ChunkHash;
    use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, EncodedChunk, StateKind, encode_chunk};
    use millpond_snapshot::store::OpenMode;

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
        let (chunks, outcome) = place(&grown, &planned, &plan, Ok(made.clone()));
        assert_eq!(chunks, [chunk(9, base), chunk(4, delta)]);
        assert!(matches!(outcome, Folded::InPlace), "{outcome:?}");

        let overtaken = vec![chunk(5, base), chunk(6, delta), chunk(7, delta)];
        let (chunks, outcome) = place(&overtaken, &planned, &plan, Ok(made));
        assert_eq!(chunks, overtaken);
        assert!(matches!(outcome, Folded::Overtaken), "{outcome:?}");
    }

    /// Much of a state changes while its deltas are folded: it is written whole, the snapshot after that does not name what is
    /// being folded, and retention removes it in the middle of the reading.
    #[tokio::test]
    async fn a_fold_whose_chunks_retention_removed_has_failed_only_if_they_still_count() {
        let store = Store::open("memory://fold-overtaken", OpenMode::CreateIfMissing).await.unwrap();
        let mut planned = Vec::new();
        for kind in [ChunkKind::Base, ChunkKind::Delta] {
            planned.push(store.put_chunk(one_row(kind)).await.unwrap());
        }
        let plan = CompactionPlan { kind: ChunkKind::Base, range: HashRange::FULL, inputs: vec![0, 1] };
        store.delete(&planned[1].path()).await.unwrap();
        let options = CompactOptions::new("j".parse().unwrap(), StateKind::Value);
        let fold = async || compact(&store, &planned, &plan, &options).await.map_err(Error::from);

        let written_whole = vec![chunk(5, ChunkKind::Base)];
        let (chunks, outcome) = place(&written_whole, &planned, &plan, fold().await);
        assert_eq!(chunks, written_whole);
        assert!(matches!(outcome, Folded::Overtaken), "{outcome:?}");

        let (chunks, outcome) = place(&planned, &planned, &plan, fold().await);
        assert_eq!(chunks, planned);
        assert!(
            matches!(&outcome, Folded::Failed(error) if error.to_string().contains("not there")),
            "{outcome:?}"
        );
    }

    fn one_row(kind: ChunkKind) -> EncodedChunk {
        let field = |name, data_type, null| Field::new(name, data_type, null);
        let mut fields = vec![
            field("hash", DataType::UInt64, false),
            field("key", DataType::UInt64, false),
            field("value", DataType::UInt64, true),
        ];
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(vec![millpond_snapshot::hash::key_hash(&7u64).unwrap()])),
            Arc::new(UInt64Array::from(vec![7])),
            Arc::new(UInt64Array::from(vec![1])),
        ];
        if kind == ChunkKind::Delta {
            fields.push(field("deleted", DataType::Boolean, false));
            columns.push(Arc::new(BooleanArray::from(vec![false])));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let (job, state) = ("j".parse().unwrap(), StateKind::Value);
        encode_chunk(&batch.schema(), [batch], &ChunkMeta { job, state, kind, range: HashRange::FULL }).unwrap()
    }
}
