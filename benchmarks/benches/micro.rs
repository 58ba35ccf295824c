//! What a record and a row of a snapshot are made of, by themselves: `cargo bench` in this directory.

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millpond_benchmarks::work::keyed_sum::{Keys, Totals, payment};
use millpond_benchmarks::work::nexmark::event;
use millpond_snapshot::arrow_schema::{DataType, Field, Schema};
use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, StateKind, encode_chunk};
use millpond_snapshot::hash::{HashRange, key_hash};
use millpond_snapshot::typed;

const ROWS: u64 = 65_536;
const KEYS: Keys = Keys { all: ROWS, hot: ROWS };

fn hashes(c: &mut Criterion) {
    let mut group = c.benchmark_group("key_hash");
    group.bench_function("u64", |b| b.iter(|| key_hash(black_box(&42_u64))));
    let account = payment(42, KEYS).account;
    group.bench_function("16 characters", |b| b.iter(|| key_hash(black_box(&account))));
    group.bench_function("(u64, 16 characters)", |b| b.iter(|| key_hash(black_box(&(42_u64, &account)))));
    group.finish();
}

fn columns(c: &mut Criterion) {
    let mut group = c.benchmark_group("typed::encode");
    group.throughput(Throughput::Elements(ROWS));
    let numbers: Vec<u64> = (0..ROWS).collect();
    let field = typed::column::<u64>("value").expect("a column for numbers");
    group.bench_function("u64", |b| b.iter(|| typed::encode(&field, black_box(&numbers))));
    let mut totals = Totals::default();
    let structs: Vec<Totals> = (0..ROWS)
        .map(|index| {
            totals.add(&payment(index, KEYS).paid);
            totals.clone()
        })
        .collect();
    let field = typed::column::<Totals>("value").expect("a column for totals");
    group.bench_function("struct of four", |b| b.iter(|| typed::encode(&field, black_box(&structs))));
    group.finish();
}

fn chunks(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode_chunk");
    group.throughput(Throughput::Elements(ROWS));
    let mut rows: Vec<(u64, u64)> = (0..ROWS).map(|key| (key_hash(&key).expect("a hash"), key)).collect();
    rows.sort_unstable();
    let column = |values: Vec<u64>| Arc::new(UInt64Array::from(values)) as ArrayRef;
    let schema = Arc::new(Schema::new(vec![
        Field::new("hash", DataType::UInt64, false),
        Field::new("key", DataType::UInt64, false),
        Field::new("value", DataType::UInt64, true),
    ]));
    let (hash, key): (Vec<u64>, Vec<u64>) = rows.into_iter().unzip();
    let values = key.iter().map(|key| key * 7 % 1000).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column(hash), column(key), column(values)])
        .expect("three columns of one length");
    let meta = ChunkMeta {
        job: "micro".parse().expect("a name"),
        state: StateKind::Value,
        kind: ChunkKind::Base,
        range: HashRange::FULL,
    };
    group.bench_function("u64 to u64", |b| b.iter(|| encode_chunk(&schema, [batch.clone()], &meta)));
    group.finish();
}

fn events(c: &mut Criterion) {
    let mut group = c.benchmark_group("nexmark");
    group.throughput(Throughput::Elements(50));
    group.bench_function("50 events", |b| b.iter(|| (0..50).map(event).for_each(|event| drop(black_box(event)))));
    group.finish();
}

criterion_group!(micro, hashes, columns, chunks, events);
criterion_main!(micro);
