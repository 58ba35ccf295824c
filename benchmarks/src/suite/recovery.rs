//! From `kill -9` to the first output that is new and committed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use super::flink_engine::FlinkEngine;
use super::going::{Going, Start, await_keys, await_that};
use super::millpond_engine::start_job;
use super::subjects::options;
use crate::flink::Backend;
use crate::harness::{Benchmark, Bound, Lab, Sample, Settings, Subject, Target};

pub(super) fn benchmarks() -> Vec<Benchmark> {
    vec![Benchmark {
        name: "recovery",
        about: "from kill -9 to the first new file that a sink has committed; 1 M keys, a checkpoint each second",
        targets: vec![Target::ratio("recovery_ms", "millpond", "flink", Bound::AtMost(0.25))],
        subjects: |_| Ok(vec![Box::new(Ours), Box::new(Theirs)]),
    }]
}

/// Committed files that there are before a process is killed.
const FILES: usize = 6;

fn start(settings: &Settings, output: &Path) -> (Start, u64) {
    let keys = settings.scaled(1_000_000);
    let options = options(&[("keys", keys.to_string()), ("output", output.display().to_string())]);
    (Start { options, parallelism: settings.parallelism, interval: 1000, from: None }, keys)
}

/// Files that are there to be read: those in progress have a name that begins with a dot.
fn committed(directory: &Path, found: &mut HashSet<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with(['.', '_']);
        match path.is_dir() {
            _ if hidden => {}
            true => committed(&path, found),
            false => {
                found.insert(path);
            }
        }
    }
}

fn committed_in(directory: &Path) -> HashSet<PathBuf> {
    let mut found = HashSet::new();
    committed(directory, &mut found);
    found
}

/// Waits until all keys were there and output has been committed a few times.
fn settle(job: &mut dyn Going, keys: u64, output: &Path) -> Result<()> {
    await_keys(job, keys)?;
    await_that("committed output", || Ok(committed_in(output).len() >= FILES))
}

/// Waits for a file that was not there, and says how long that was after `since`.
fn next_file(before: &HashSet<PathBuf>, output: &Path, since: Instant) -> Result<Sample> {
    await_that("new output", || Ok(!committed_in(output).is_subset(before)))?;
    Ok(Sample::default().with("recovery_ms", since.elapsed().as_secs_f64() * 1e3))
}

/// The whole process is killed, and started again by the same command.
struct Ours;

impl Subject for Ours {
    fn name(&self) -> &str {
        "millpond"
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let (store, output) = (lab.fresh("store"), lab.fresh("output"));
        let (start, keys) = start(&lab.settings, &output);
        let mut job = start_job(lab, &start, store.clone(), &[])?;
        settle(&mut job, keys, &output)?;
        let killed = Instant::now();
        job.process.kill();
        let before = committed_in(&output);
        let _again = start_job(lab, &start, store, &[])?;
        next_file(&before, &output, killed)
    }
}

/// The task manager is killed, and another started at once; the job manager restarts the job.
struct Theirs;

impl Subject for Theirs {
    fn name(&self) -> &str {
        "flink"
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let output = lab.fresh("output");
        let (start, keys) = start(&lab.settings, &output);
        let engine = FlinkEngine { backend: Backend::Heap, format: "CANONICAL" };
        let mut job = engine.start(lab, &start)?;
        settle(&mut job, keys, &output)?;
        let killed = Instant::now();
        lab.flink(Backend::Heap)?.replace_worker()?;
        let before = committed_in(&output);
        next_file(&before, &output, killed)
    }
}
