//! The keyed running sum: for each record, what all records of its key come to so far.

use anyhow::Result;

use super::subjects::{FlinkJob, Millpond, Peer, options};
use crate::flink::Backend;
use crate::harness::{Benchmark, Bound, Settings, Subject, Target};

const RATE: &str = "records_per_second";
/// What a key of the numbers takes in memory, about: see `memory` in the suite.
const BYTES_A_KEY: u64 = 48;
/// How much more state there is than the cache holds, if state is on disk.
const TIMES_THE_CACHE: u64 = 20;

fn targets(flink: f64, timely: Option<f64>) -> Vec<Target> {
    let mut targets = vec![Target::ratio(RATE, "millpond", "flink", Bound::AtLeast(flink))];
    targets.extend(timely.map(|least| Target::ratio(RATE, "millpond", "timely", Bound::AtLeast(least))));
    targets
}

pub(super) fn benchmarks() -> Vec<Benchmark> {
    vec![
        Benchmark {
            name: "keyed-sum-1m",
            about: "keyed running sum, 1 M keys of u64, a checkpoint each second",
            targets: targets(12.0, Some(0.7)),
            subjects: |settings| subjects(settings, "numbers", 50_000_000, 1_000_000),
        },
        Benchmark {
            name: "keyed-sum-10m",
            about: "keyed running sum, 10 M keys of u64, a checkpoint each second",
            targets: targets(12.0, Some(0.7)),
            subjects: |settings| subjects(settings, "numbers", 60_000_000, 10_000_000),
        },
        Benchmark {
            name: "keyed-sum-texts",
            about: "keyed running totals in a struct, 1 M keys of String, a checkpoint each second",
            targets: targets(8.0, None),
            subjects: |settings| subjects(settings, "texts", 25_000_000, 1_000_000),
        },
        Benchmark {
            name: "keyed-sum-1m-disk",
            about: "the sum over 1 M keys with state on disk and a twentieth of it in memory, beside RocksDB",
            targets: targets(5.0, None),
            subjects: |settings| disk_subjects(settings, 5_000_000, 1_000_000),
        },
        Benchmark {
            name: "keyed-sum-5m-disk",
            about: "the same over 5 M keys",
            targets: targets(5.0, None),
            subjects: |settings| disk_subjects(settings, 12_000_000, 5_000_000),
        },
    ]
}

/// Ours has the bound on its memory that it is given; Flink's RocksDB has what Flink gives it by itself, which is more.
fn disk_subjects(settings: &Settings, records: u64, keys: u64) -> Result<Vec<Box<dyn Subject>>> {
    let keys = settings.scaled(keys);
    let work = options(&[("records", settings.scaled(records).to_string()), ("keys", keys.to_string())]);
    let cache = (keys * BYTES_A_KEY / TIMES_THE_CACHE).to_string();
    let disk = options(&[("state-backend", "disk".to_owned()), ("state-cache", cache)]);
    let job = [vec!["keyed-sum".to_owned()], work.clone(), disk].concat();
    Ok(vec![
        Box::new(Millpond { name: "millpond", job, interval: "1s" }),
        Box::new(FlinkJob {
            name: "flink",
            backend: Backend::RocksDb,
            class: "millpond.KeyedSum",
            arguments: work,
            interval: 1000,
        }),
    ])
}

fn subjects(settings: &Settings, shape: &str, records: u64, keys: u64) -> Result<Vec<Box<dyn Subject>>> {
    let work = options(&[
        ("records", settings.scaled(records).to_string()),
        ("keys", settings.scaled(keys).to_string()),
        ("shape", shape.to_owned()),
    ]);
    let named = |name: &str| [vec![name.to_owned()], work.clone()].concat();
    let mut subjects: Vec<Box<dyn Subject>> = vec![
        Box::new(Millpond { name: "millpond", job: named("keyed-sum"), interval: "1s" }),
        Box::new(FlinkJob {
            name: "flink",
            backend: Backend::Heap,
            class: "millpond.KeyedSum",
            arguments: work.clone(),
            interval: 1000,
        }),
        Box::new(Peer { name: "timely", arguments: named("timely") }),
        Box::new(Peer { name: "loop", arguments: named("loop") }),
    ];
    if cfg!(feature = "renoir") {
        subjects.push(Box::new(Peer { name: "renoir", arguments: named("renoir") }));
    }
    Ok(subjects)
}
