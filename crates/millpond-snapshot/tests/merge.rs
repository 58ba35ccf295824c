//! Chunks merged, compacted and compared, against a plain map.

mod common;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use common::{encode, job, meta, rows, schema};
use millpond_snapshot::Store;
use millpond_snapshot::chunk::{ChunkKind, ChunkRef, Columns, StateKind, encode_chunk, prune};
use millpond_snapshot::hash::{HashRange, key_hash};
use millpond_snapshot::state::{
    CompactOptions, DiffCounts, StateReader, Tombstones, compact, diff_states, plan_compaction,
};
use millpond_snapshot::store::OpenMode;
use proptest::prelude::*;

/// What happens to a state between two snapshots.
#[derive(Debug, Clone)]
enum Step {
    /// Keys are written or, without a value, deleted, in one worker's range.
    Delta(Vec<(u8, Option<u64>)>),
    /// A range is compacted, wherever that pays or not.
    Fold(usize, usize),
    /// What the plan says for a range is done.
    Plan(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let delta = prop::collection::vec((any::<u8>(), prop::option::weighted(0.7, 0u64..100)), 0..20);
    let worker = (1usize..5).prop_flat_map(|workers| (0..workers, Just(workers)));
    prop::collection::vec(
        prop_oneof![
            4 => delta.prop_map(Step::Delta),
            1 => worker.clone().prop_map(|(i, n)| Step::Fold(i, n)),
            2 => worker.prop_map(|(i, n)| Step::Plan(i, n)),
        ],
        1..25,
    )
}

fn name(key: u8) -> String {
    format!("key {key}")
}

async fn read(store: &Store, chunks: &[ChunkRef], range: HashRange) -> Vec<(u64, String, u64)> {
    let mut reader = StateReader::new(store, StateKind::Value, chunks, range, Tombstones::Drop);
    let mut found = Vec::new();
    while let Some(batch) = reader.next().await.unwrap() {
        assert!(batch.num_rows() > 0);
        let (hashes, keys) = (batch.column(0).as_primitive::<UInt64Type>(), batch.column(1).as_string::<i32>());
        let values = batch.column(2).as_primitive::<UInt64Type>();
        found.extend((0..batch.num_rows()).map(|i| (hashes.value(i), keys.value(i).to_owned(), values.value(i))));
    }
    found
}

/// The keys alone: what a reader gives that decodes nothing else.
async fn read_keys(store: &Store, chunks: &[ChunkRef], range: HashRange) -> Vec<(u64, String)> {
    let reader = StateReader::new(store, StateKind::Value, chunks, range, Tombstones::Drop);
    let mut reader = reader.select(Columns { value: false, expires_at: false });
    let mut found = Vec::new();
    while let Some(batch) = reader.next().await.unwrap() {
        assert_eq!(batch.num_columns(), 2);
        let (hashes, keys) = (batch.column(0).as_primitive::<UInt64Type>(), batch.column(1).as_string::<i32>());
        found.extend((0..batch.num_rows()).map(|i| (hashes.value(i), keys.value(i).to_owned())));
    }
    found
}

/// The rows that a map says, sorted as a state is.
fn expected(map: &BTreeMap<u8, u64>, range: HashRange) -> Vec<(u64, String, u64)> {
    let rows = map.iter().map(|(k, v)| (key_hash(&name(*k)).unwrap(), name(*k), *v));
    let mut rows: Vec<_> = rows.filter(|(hash, ..)| range.contains(*hash)).collect();
    rows.sort();
    rows
}

async fn fold(store: &Store, chunks: &mut Vec<ChunkRef>, plan: millpond_snapshot::state::CompactionPlan) {
    let mut options = CompactOptions::new(job("flights"), StateKind::Value);
    options.chunk_rows = 20;
    let folded = compact(store, chunks, &plan, &options).await.unwrap();
    *chunks = plan.apply(chunks, folded);
}

async fn run(steps: Vec<Step>) {
    let store = Store::open("memory://merge", OpenMode::CreateIfMissing).await.unwrap();
    let mut oracle = BTreeMap::new();
    let mut chunks: Vec<ChunkRef> = Vec::new();
    for step in steps {
        match step {
            Step::Delta(changes) => {
                let changes: BTreeMap<u8, Option<u64>> = changes.into_iter().collect();
                let names: Vec<_> = changes.iter().map(|(k, v)| (name(*k), *v)).collect();
                let names: Vec<_> = names.iter().map(|(k, v)| (k.as_str(), *v)).collect();
                let chunk = encode(ChunkKind::Delta, &names);
                chunks.extend(store.put_chunks(vec![chunk]).await.unwrap());
                for (key, value) in changes {
                    match value {
                        Some(value) => oracle.insert(key, value),
                        None => oracle.remove(&key),
                    };
                }
            }
            Step::Fold(index, workers) => {
                let plan = millpond_snapshot::state::CompactionPlan {
                    kind: ChunkKind::Base,
                    range: HashRange::of_worker(index, workers),
                    inputs: (0..chunks.len()).collect(),
                };
                fold(&store, &mut chunks, plan).await;
            }
            Step::Plan(index, workers) => {
                if let Some(plan) = plan_compaction(&chunks, HashRange::of_worker(index, workers)) {
                    fold(&store, &mut chunks, plan).await;
                }
            }
        }
        assert_eq!(prune(chunks.clone()), chunks);
        for (index, workers) in [(0, 1), (1, 3)] {
            let range = HashRange::of_worker(index, workers);
            let expected = expected(&oracle, range);
            assert_eq!(read(&store, &chunks, range).await, expected);
            let keys: Vec<_> = expected.into_iter().map(|(hash, key, _)| (hash, key)).collect();
            assert_eq!(read_keys(&store, &chunks, range).await, keys);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_state_is_what_was_done_to_it(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }

    #[test]
    fn a_difference_is_what_was_done_between(
        before in prop::collection::btree_map(any::<u8>(), 0u64..3, 0..60),
        after in prop::collection::btree_map(any::<u8>(), 0u64..3, 0..60),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let store = Store::open("memory://diff", OpenMode::CreateIfMissing).await.unwrap();
            let mut readers = Vec::new();
            for map in [&before, &after] {
                let names: Vec<_> = map.iter().map(|(k, v)| (name(*k), Some(*v))).collect();
                let names: Vec<_> = names.iter().map(|(k, v)| (k.as_str(), *v)).collect();
                let chunks = store.put_chunks(vec![encode(ChunkKind::Base, &names)]).await.unwrap();
                readers.push(StateReader::new(&store, StateKind::Value, &chunks, HashRange::FULL, Tombstones::Drop));
            }
            let (now, then) = (readers.pop().unwrap(), readers.pop().unwrap());
            let mut told = 0;
            let counts = diff_states(StateKind::Value, then, now, |change| {
                assert!(change.before.is_some() || change.after.is_some());
                told += 1;
            }).await.unwrap();
            let both = |same: bool| before.iter().filter(|(k, v)| after.get(k).is_some_and(|w| (w == *v) == same)).count() as u64;
            let expected = DiffCounts {
                added: after.keys().filter(|k| !before.contains_key(k)).count() as u64,
                removed: before.keys().filter(|k| !after.contains_key(k)).count() as u64,
                changed: both(false),
                same: both(true),
            };
            assert_eq!(counts, expected);
            assert_eq!(told, counts.added + counts.removed + counts.changed);
        });
    }
}

#[tokio::test]
async fn a_million_rows_of_change_are_read_in_order() {
    let store = Store::open("memory://merge-large", OpenMode::CreateIfMissing).await.unwrap();
    let names: Vec<String> = (0..100_000).map(|i| format!("key {i}")).collect();
    let all: Vec<_> = names.iter().map(|n| (n.as_str(), Some(1))).collect();
    let some: Vec<_> = names.iter().step_by(3).map(|n| (n.as_str(), Some(2))).collect();
    let none: Vec<_> = names.iter().step_by(2).map(|n| (n.as_str(), None)).collect();
    let chunks = [(ChunkKind::Base, all), (ChunkKind::Delta, some), (ChunkKind::Delta, none)];
    let chunks = chunks.iter().map(|(kind, rows)| encode(*kind, rows)).collect();
    let chunks = store.put_chunks(chunks).await.unwrap();
    let found = read(&store, &chunks, HashRange::FULL).await;
    assert_eq!(found.len(), 50_000);
    assert!(found.is_sorted());
    assert_eq!(found.iter().filter(|row| row.2 == 2).count(), 16_667);
}

#[tokio::test]
async fn keys_that_share_a_hash_stay_apart() {
    // Real collisions are out of reach, so the hash column is forged.
    let forge = |kind, content: &[(&str, Option<u64>)]| {
        let batch = rows(kind, content);
        let mut columns = batch.columns().to_vec();
        columns[0] = std::sync::Arc::new(arrow_array::UInt64Array::from(vec![7; batch.num_rows()]));
        let batch = RecordBatch::try_new(schema(kind), columns).unwrap();
        encode_chunk(&schema(kind), [batch], &meta(kind)).unwrap()
    };
    let store = Store::open("memory://merge-collide", OpenMode::CreateIfMissing).await.unwrap();
    let base = forge(ChunkKind::Base, &[("a", Some(1)), ("b", Some(2)), ("c", Some(3))]);
    let delta = forge(ChunkKind::Delta, &[("b", None), ("c", Some(4)), ("d", Some(5))]);
    let chunks = store.put_chunks(vec![base, delta]).await.unwrap();
    let mut found: Vec<_> =
        read(&store, &chunks, HashRange::FULL).await.into_iter().map(|(_, k, v)| (k, v)).collect();
    found.sort();
    assert_eq!(found, [("a".to_owned(), 1), ("c".to_owned(), 4), ("d".to_owned(), 5)]);
}

#[tokio::test]
async fn a_hundred_checkpoints_are_written_again_a_bounded_number_of_times() {
    let store = Store::open("memory://merge-amplification", OpenMode::CreateIfMissing).await.unwrap();
    let names: Vec<String> = (0..2000).map(|i| format!("key {i}")).collect();
    let all: Vec<_> = names.iter().map(|n| (n.as_str(), Some(1))).collect();
    let mut chunks = store.put_chunks(vec![encode(ChunkKind::Base, &all)]).await.unwrap();
    let (mut changed, mut rewritten) = (0, 0);
    for round in 0..100 {
        let rows: Vec<_> = names.iter().skip(round * 20).take(20).map(|n| (n.as_str(), Some(2))).collect();
        changed += rows.len() as u64;
        chunks.extend(store.put_chunks(vec![encode(ChunkKind::Delta, &rows)]).await.unwrap());
        if let Some(plan) = plan_compaction(&chunks, HashRange::FULL) {
            let options = CompactOptions::new(job("flights"), StateKind::Value);
            let folded = compact(&store, &chunks, &plan, &options).await.unwrap();
            rewritten += folded.iter().map(|chunk| chunk.rows).sum::<u64>();
            chunks = plan.apply(&chunks, folded);
        }
        assert!(chunks.len() < 20, "{} chunks after round {round}", chunks.len());
    }
    assert_eq!(changed, 2000);
    assert!(rewritten > 0 && rewritten <= 6 * changed, "{rewritten} rows rewritten for {changed} changed");
    assert_eq!(read(&store, &chunks, HashRange::FULL).await.len(), 2000);
}
