//! What it costs to keep state: savepoints, restores, memory.

use std::time::Duration;

use anyhow::{Context, Result};

use super::engine::Engine;
use super::flink_engine::FlinkEngine;
use super::going::{Going, Saved, Start, await_keys, await_records};
use super::millpond_engine::MillpondEngine;
use super::subjects::options;
use crate::flink::Backend;
use crate::harness::{Benchmark, Bound, Lab, Sample, Settings, Subject, Target};

const OURS: (&str, Engine) = ("millpond", Engine::Millpond(MillpondEngine));
const CANONICAL: (&str, Engine) =
    ("flink-canonical", Engine::Flink(FlinkEngine { backend: Backend::Heap, format: "CANONICAL" }));
const NATIVE: (&str, Engine) =
    ("flink-native", Engine::Flink(FlinkEngine { backend: Backend::Heap, format: "NATIVE" }));

pub(super) fn benchmarks() -> Vec<Benchmark> {
    let ratio = |figure: &str, to: &str, most: f64| Target::ratio(figure, "millpond", to, Bound::AtMost(most));
    vec![
        Benchmark {
            name: "savepoint",
            about: "a savepoint of 5 M keys under full load, from asking to being told that it is there",
            targets: vec![
                ratio("savepoint_ms", "flink-canonical", 1.0 / 8.0),
                ratio("savepoint_ms", "flink-native", 1.0 / 5.0),
                ratio("savepoint_bytes", "flink-canonical", 0.5),
            ],
            subjects: |_| each([OURS, CANONICAL, NATIVE], |name, engine| Box::new(Savepoint { name, engine })),
        },
        Benchmark {
            name: "incremental",
            about: "a second savepoint after 1 % of 10 M keys has changed, beside the first",
            targets: vec![
                Target::figure("bytes_ratio", "millpond", Bound::AtMost(0.03)),
                Target::figure("time_ratio", "millpond", Bound::AtMost(0.10)),
            ],
            subjects: |_| each([OURS], |name, engine| Box::new(Incremental { name, engine })),
        },
        Benchmark {
            name: "restore",
            about: "from the start with a savepoint of 5 M keys to the first row, at the same and at double parallelism",
            targets: vec![
                ratio("restore_ms", "flink-canonical", 1.0 / 15.0),
                ratio("restore_ms", "flink-native", 1.0 / 5.0),
                ratio("restore_double_ms", "flink-canonical", 1.0 / 15.0),
                ratio("restore_double_ms", "flink-native", 1.0 / 5.0),
            ],
            subjects: |_| {
                each([OURS, CANONICAL, NATIVE], |name, engine| Box::new(Restore { name, engine, saved: None }))
            },
        },
        Benchmark {
            name: "memory",
            about: "memory a key, u64 to u64, of 10 M keys",
            targets: vec![
                Target::figure("bytes_per_key", "millpond", Bound::AtMost(64.0)),
                ratio("bytes_per_key", "flink-canonical", 0.5),
            ],
            subjects: |_| each([OURS, CANONICAL], |name, engine| Box::new(Memory { name, engine })),
        },
    ]
}

fn each<const N: usize>(
    engines: [(&'static str, Engine); N],
    make: impl Fn(&'static str, Engine) -> Box<dyn Subject>,
) -> Result<Vec<Box<dyn Subject>>> {
    Ok(engines.into_iter().map(|(name, engine)| make(name, engine)).collect())
}

/// The sum over so many keys, before they are scaled.
pub(super) fn start(settings: &Settings, keys: u64) -> Start {
    Start {
        options: options(&[("keys", settings.scaled(keys).to_string())]),
        parallelism: settings.parallelism,
        ..Start::default()
    }
}

/// Starts the job and waits until each key has been there.
pub(super) fn loaded(lab: &mut Lab, engine: Engine, start: &Start, keys: u64) -> Result<Box<dyn Going>> {
    let keys = lab.settings.scaled(keys);
    let mut job = engine.start(lab, start)?;
    await_keys(&mut *job, keys)?;
    Ok(job)
}

struct Savepoint {
    name: &'static str,
    engine: Engine,
}

impl Subject for Savepoint {
    fn name(&self) -> &str {
        self.name
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let start = start(&lab.settings, 5_000_000);
        let mut job = loaded(lab, self.engine, &start, 5_000_000)?;
        let saved = job.savepoint()?;
        let sample = Sample::default().with("savepoint_ms", saved.took.as_secs_f64() * 1e3);
        Ok(sample.with("savepoint_bytes", saved.bytes as f64))
    }
}

struct Incremental {
    name: &'static str,
    engine: Engine,
}

impl Subject for Incremental {
    fn name(&self) -> &str {
        self.name
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let (all, hot) = (lab.settings.scaled(10_000_000), lab.settings.scaled(100_000));
        let mut start = start(&lab.settings, 10_000_000);
        start.options.extend(options(&[("hot", hot.to_string())]));
        let mut job = self.engine.start(lab, &start)?;
        await_keys(&mut *job, all)?;
        let first = job.savepoint()?;
        let records = job.records()?;
        await_records(&mut *job, records + 4 * hot)?;
        let second = job.savepoint()?;
        let time = |saved: &Saved| saved.took.as_secs_f64() * 1e3;
        Ok(Sample::default()
            .with("first_ms", time(&first))
            .with("second_ms", time(&second))
            .with("first_bytes", first.bytes as f64)
            .with("second_bytes", second.bytes as f64)
            .with("time_ratio", time(&second) / time(&first))
            .with("bytes_ratio", second.bytes as f64 / first.bytes as f64))
    }
}

struct Restore {
    name: &'static str,
    engine: Engine,
    saved: Option<Saved>,
}

impl Subject for Restore {
    fn name(&self) -> &str {
        self.name
    }

    fn prepare(&mut self, lab: &mut Lab) -> Result<()> {
        let start = start(&lab.settings, 5_000_000);
        let mut job = loaded(lab, self.engine, &start, 5_000_000)?;
        self.saved = Some(job.savepoint()?);
        Ok(())
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let mut sample = Sample::default();
        let saved = self.saved.clone().context("nothing was prepared")?;
        let same = Start { from: Some(saved), ..start(&lab.settings, 5_000_000) };
        let double = Start { parallelism: same.parallelism * 2, ..same.clone() };
        for (figure, start) in [("restore_ms", same), ("restore_double_ms", double)] {
            let mut job = self.engine.start(lab, &start)?;
            sample = sample.with(figure, job.first_row()?.as_secs_f64() * 1e3);
        }
        Ok(sample)
    }
}

/// The suite has the allocator keep what was freed for ten seconds.
const GIVEN_BACK: Duration = Duration::from_secs(12);

struct Memory {
    name: &'static str,
    engine: Engine,
}

impl Memory {
    /// What is alive with so many keys, and what the process has of the system before that is found out.
    fn with(&self, lab: &mut Lab, keys: u64) -> Result<(u64, u64)> {
        // What a heap still holds of the job before cannot be told from what this one has.
        lab.end_flink();
        let start = Start { options: options(&[("keys", keys.to_string())]), ..start(&lab.settings, 1) };
        let mut job = self.engine.start(lab, &start)?;
        await_keys(&mut *job, keys)?;
        // What was freed while the tables grew is to have gone back to the system, as garbage is collected on the other side.
        std::thread::sleep(GIVEN_BACK);
        let resident = job.resident();
        Ok((job.memory()?, resident))
    }
}

impl Subject for Memory {
    fn name(&self) -> &str {
        self.name
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let keys = lab.settings.scaled(10_000_000);
        let (with_few, _) = self.with(lab, 1000)?;
        let (with_all, resident) = self.with(lab, keys)?;
        let per_key = with_all.saturating_sub(with_few) as f64 / keys as f64;
        let sample = Sample::default().with("bytes_per_key", per_key).with("used_bytes", with_all as f64);
        Ok(sample.with("resident_bytes", resident as f64))
    }
}
