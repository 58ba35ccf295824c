//! A job on Flink that goes on.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::going::{Going, PATIENCE, Saved, Start, await_that};
use crate::flink::Backend;
use crate::harness::{Lab, bytes_under};
use crate::machine;
use crate::rest::Rest;

/// Theirs.
#[derive(Clone, Copy)]
pub(super) struct FlinkEngine {
    pub(super) backend: Backend,
    /// `CANONICAL` or `NATIVE`.
    pub(super) format: &'static str,
}

/// A job on Flink that goes on.
pub(super) struct FlinkGoing {
    rest: Rest,
    id: String,
    format: &'static str,
    log: PathBuf,
    /// How long the log was when the job was started.
    log_from: usize,
    worker: u32,
}

impl FlinkEngine {
    pub(super) fn start(self, lab: &mut Lab, start: &Start) -> Result<FlinkGoing> {
        let mut options = vec!["-p".to_owned(), start.parallelism.to_string()];
        options.extend(start.from.iter().flat_map(|saved| ["-s".to_owned(), saved.address.clone()]));
        let mut arguments = vec!["--checkpoint-interval".to_owned(), start.interval.to_string()];
        arguments.extend(start.options.iter().cloned());
        let cluster = lab.flink(self.backend)?;
        let log = cluster.worker_log().to_owned();
        let log_from = std::fs::read(&log)?.len();
        let id = cluster.submit(&options, "millpond.KeyedSum", &arguments)?;
        let worker = cluster.worker();
        Ok(FlinkGoing { rest: cluster.rest().clone(), id, format: self.format, log, log_from, worker })
    }
}

impl Going for FlinkGoing {
    fn records(&mut self) -> Result<u64> {
        let job = self.rest.get(&format!("/jobs/{}", self.id))?;
        if job["state"] == "FAILED" {
            bail!("Flink's job has failed: {}", self.rest.get(&format!("/jobs/{}/exceptions", self.id))?);
        }
        Ok(job["vertices"][0]["metrics"]["write-records"].as_u64().unwrap_or(0))
    }

    fn savepoint(&mut self) -> Result<Saved> {
        let (address, took) = self.rest.savepoint(&self.id, self.format, PATIENCE)?;
        let directory = PathBuf::from(address.trim_start_matches("file:"));
        Ok(Saved { bytes: bytes_under(&directory), address, store: directory, took })
    }

    /// From the moment at which the job manager had the job; starting the client is not counted.
    fn first_row(&mut self) -> Result<Duration> {
        let mut first = None;
        await_that("first row", || {
            let log = std::fs::read(&self.log)?;
            let text = String::from_utf8_lossy(&log[self.log_from.min(log.len())..]).into_owned();
            first = text.lines().find_map(|line| line.strip_prefix("FIRST ")?.trim().parse::<u64>().ok());
            if first.is_none() {
                self.records()?;
            }
            Ok(first.is_some())
        })?;
        let job = self.rest.get(&format!("/jobs/{}", self.id))?;
        let created = job["timestamps"]["INITIALIZING"].as_u64().context("no timestamps")?;
        Ok(Duration::from_millis(first.unwrap_or(0).saturating_sub(created)))
    }

    /// What is alive on the heap: the sum of all objects, which are counted while the job stands still. What the heap has in use
    /// after garbage was collected would have what the job has made since.
    fn memory(&mut self) -> Result<u64> {
        let output = Command::new("jcmd").args([&self.worker.to_string(), "GC.class_histogram"]).output()?;
        anyhow::ensure!(output.status.success(), "jcmd failed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let total = text.lines().find_map(|line| line.trim().strip_prefix("Total"));
        let bytes = total.and_then(|total| total.split_whitespace().nth(1)?.parse().ok());
        bytes.with_context(|| format!("no total in the last of {} lines", text.lines().count()))
    }

    fn resident(&self) -> u64 {
        machine::resident_bytes(self.worker)
    }
}

impl Drop for FlinkGoing {
    fn drop(&mut self) {
        let _ = self.rest.cancel(&self.id);
        let _ = await_that("end of the job", || {
            let job = self.rest.get(&format!("/jobs/{}", self.id))?;
            Ok(job["state"] == "CANCELED" || job["state"] == "FAILED" || job["state"] == "FINISHED")
        });
    }
}
