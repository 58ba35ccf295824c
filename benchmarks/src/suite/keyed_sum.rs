//! The keyed running sum: for each record, what all records of its key come to so far.

use anyhow::Result;

use super::subjects::{FlinkJob, Millpond, Peer, options};
use crate::flink::Backend;
use crate::harness::{Benchmark, Bound, Settings, Subject, Target};

const RATE: &str = "records_per_second";

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
    ]
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
