//! A job of ours that goes on: a process, with its control server on loopback.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::going::{Going, PATIENCE, Saved, Start, await_that};
use super::subjects::run_flags;
use crate::flink::free_port;
use crate::harness::{Lab, Running, bytes_under};
use crate::machine;
use crate::rest::Rest;

/// Ours.
#[derive(Clone, Copy)]
pub(super) struct MillpondEngine;

/// A job of ours that goes on.
pub(super) struct MillpondJob {
    pub(super) process: Running,
    started: Instant,
    lines: Receiver<(Instant, String)>,
    rest: Rest,
    id: String,
    store: PathBuf,
}

impl MillpondEngine {
    pub(super) fn start(self, lab: &mut Lab, start: &Start) -> Result<MillpondJob> {
        let (store, from) = match &start.from {
            // Under a name of its own: what it leaves behind is no reason to start elsewhere next time.
            Some(saved) => (saved.store.clone(), vec!["-s".to_owned(), saved.address.clone()]),
            None => (lab.fresh("store"), vec![]),
        };
        let name = format!("keyed-sum-{}", lab.number());
        let mut more = from;
        more.extend(["--name".to_owned(), name, "--say-first".to_owned()]);
        start_job(lab, start, store, &more)
    }
}

/// Starts the keyed sum on a store.
pub(super) fn start_job(lab: &mut Lab, start: &Start, store: PathBuf, more: &[String]) -> Result<MillpondJob> {
    let port = free_port()?;
    let mut arguments = vec!["job".to_owned(), "keyed-sum".to_owned()];
    let interval = format!("{}ms", start.interval);
    arguments.extend(run_flags(start.parallelism, &store.display().to_string(), &interval));
    arguments.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
    arguments.extend(start.options.iter().chain(more).cloned());
    let started = Instant::now();
    let mut process = lab.spawn(&arguments)?;
    let output = process.output().context("no standard output")?;
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    let rest = Rest::at(format!("http://127.0.0.1:{port}"));
    let mut id = None;
    await_that("answer of the control server", || {
        anyhow::ensure!(!process.has_ended()?, "the job has ended");
        id = rest.get("/jobs").ok().and_then(|jobs| jobs["jobs"][0]["id"].as_str().map(str::to_owned));
        Ok(id.is_some())
    })?;
    let id = id.unwrap_or_default();
    Ok(MillpondJob { process, started, lines, rest, id, store })
}

impl Going for MillpondJob {
    fn records(&mut self) -> Result<u64> {
        let job = self.rest.get(&format!("/jobs/{}", self.id))?;
        job["records-read"].as_u64().with_context(|| format!("no records-read in {job}"))
    }

    fn savepoint(&mut self) -> Result<Saved> {
        let before = bytes_under(&self.store);
        let (address, took) = self.rest.savepoint(&self.id, "CANONICAL", PATIENCE)?;
        Ok(Saved { address, store: self.store.clone(), took, bytes: bytes_under(&self.store) - before })
    }

    fn first_row(&mut self) -> Result<Duration> {
        loop {
            let (at, line) = self.lines.recv_timeout(PATIENCE).context("no first row")?;
            if line.starts_with("FIRST") {
                return Ok(at.duration_since(self.started));
            }
        }
    }

    fn memory(&mut self) -> Result<u64> {
        Ok(self.resident())
    }

    fn resident(&self) -> u64 {
        machine::resident_bytes(self.process.id())
    }
}
