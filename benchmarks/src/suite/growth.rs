//! How cost grows: with keys, with workers, with state, and with how often a snapshot is taken. Figures without targets.

use anyhow::Result;

use super::engine::Engine;
use super::going::Start;
use super::millpond_engine::MillpondEngine;
use super::state::{loaded, start};
use super::subjects::{Millpond, Peer, Unchecked, options};
use crate::harness::{Benchmark, Lab, Sample, Settings, Subject, Subjects};

pub(super) fn benchmarks() -> Vec<Benchmark> {
    let benchmark = |name, about, subjects| Benchmark { name, about, targets: vec![], subjects };
    vec![
        benchmark("growth-keys", "the sum over 0.01 M to 20 M keys, beside a loop with one hash map", keys),
        benchmark("growth-workers", "the sum with one, two and four workers, beside raw timely", workers),
        benchmark("growth-interval", "the sum with a snapshot from never to each 100 ms; 1 M keys", intervals),
        benchmark("growth-state", "a first savepoint of 1 M to 20 M keys, and a restore from it", state),
    ]
}

fn work(settings: &Settings, records: u64, keys: u64) -> Vec<String> {
    options(&[("records", settings.scaled(records).to_string()), ("keys", settings.scaled(keys).to_string())])
}

fn sum(name: &'static str, work: Vec<String>, interval: &'static str) -> Millpond {
    Millpond { name, job: [vec!["keyed-sum".to_owned()], work].concat(), interval }
}

fn keys(settings: &Settings) -> Result<Subjects> {
    let sizes = [
        ("millpond-0.01m", "loop-0.01m", 10_000),
        ("millpond-0.1m", "loop-0.1m", 100_000),
        ("millpond-1m", "loop-1m", 1_000_000),
        ("millpond-5m", "loop-5m", 5_000_000),
        ("millpond-20m", "loop-20m", 20_000_000),
    ];
    let subjects = sizes.into_iter().flat_map(|(ours, other, keys)| {
        // Each key is there several times.
        let work = work(settings, 60_000_000.max(keys * 4), keys);
        let peer = Peer { name: other, arguments: [vec!["loop".to_owned()], work.clone()].concat() };
        [Box::new(sum(ours, work, "1s")) as Box<dyn Subject>, Box::new(peer)]
    });
    Ok(subjects.map(|subject| Box::new(Unchecked(subject)) as Box<dyn Subject>).collect())
}

fn workers(settings: &Settings) -> Result<Subjects> {
    let work = work(settings, 60_000_000, 1_000_000);
    let counts = [("millpond-1", "timely-1", 1), ("millpond-2", "timely-2", 2), ("millpond-4", "timely-4", 4)];
    let subjects = counts.into_iter().flat_map(|(ours, other, workers)| {
        let peer = Peer { name: other, arguments: [vec!["timely".to_owned()], work.clone()].concat() };
        let both: [Box<dyn Subject>; 2] = [Box::new(sum(ours, work.clone(), "1s")), Box::new(peer)];
        both.map(|subject| Box::new(With { workers, subject }) as Box<dyn Subject>)
    });
    Ok(subjects.collect())
}

fn intervals(settings: &Settings) -> Result<Subjects> {
    let intervals = [
        ("millpond-never", "0s"),
        ("millpond-10s", "10s"),
        ("millpond-3s", "3s"),
        ("millpond-1s", "1s"),
        ("millpond-300ms", "300ms"),
        ("millpond-100ms", "100ms"),
    ];
    // Long enough that one is taken each ten seconds.
    let work = work(settings, 300_000_000, 1_000_000);
    Ok(intervals
        .into_iter()
        .map(|(name, interval)| Box::new(sum(name, work.clone(), interval)) as Box<dyn Subject>)
        .collect())
}

fn state(_: &Settings) -> Result<Subjects> {
    let sizes = [("millpond-1m", 1), ("millpond-5m", 5), ("millpond-20m", 20)];
    Ok(sizes
        .into_iter()
        .map(|(name, millions)| Box::new(Cycle { name, keys: millions * 1_000_000 }) as Box<dyn Subject>)
        .collect())
}

/// A subject with so many workers, whatever the settings say.
struct With {
    workers: usize,
    subject: Box<dyn Subject>,
}

impl Subject for With {
    fn name(&self) -> &str {
        self.subject.name()
    }
    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let settings = std::mem::replace(&mut lab.settings.parallelism, self.workers);
        let sample = self.subject.measure(lab);
        lab.settings.parallelism = settings;
        sample
    }
}

/// A savepoint under load, and a start from it.
struct Cycle {
    name: &'static str,
    keys: u64,
}

impl Subject for Cycle {
    fn name(&self) -> &str {
        self.name
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let engine = Engine::Millpond(MillpondEngine);
        let start = start(&lab.settings, self.keys);
        let saved = loaded(lab, engine, &start, self.keys)?.savepoint()?;
        let from = Start { from: Some(saved.clone()), ..start };
        let restored = engine.start(lab, &from)?.first_row()?;
        let _ = std::fs::remove_dir_all(&saved.store);
        let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        Ok(Sample::default()
            .with("savepoint_ms", millis(saved.took))
            .with("savepoint_bytes", saved.bytes as f64)
            .with("restore_ms", millis(restored)))
    }
}
