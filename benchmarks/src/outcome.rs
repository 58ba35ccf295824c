//! What a process that was measured says of itself, as one line that begins with `RESULT`.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

const PREFIX: &str = "RESULT ";

/// The outcome of one job. A Java job prints the same fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Records that went in.
    pub records: u64,
    /// From the start of the job to its end.
    pub seconds: f64,
    /// Records that came out.
    pub rows: u64,
    /// A sum over all that came out, in whatever order it came.
    pub check: u64,
    /// Processor time of the process so far, where it is one of its own.
    #[serde(default)]
    pub cpu_seconds: f64,
    /// The most memory that the process had, where it is one of its own.
    #[serde(default)]
    pub peak_bytes: u64,
}

impl Outcome {
    /// Records a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    /// Prints the line.
    pub fn print(&self) {
        let line = serde_json::to_string(self).unwrap_or_default();
        let _ = writeln!(std::io::stdout(), "{PREFIX}{line}");
    }

    /// Finds the line in what a process has printed.
    pub fn read(output: &str) -> Result<Outcome> {
        let line = output.lines().rev().find_map(|line| line.trim().strip_prefix(PREFIX));
        let line = line.with_context(|| format!("no line begins with '{PREFIX}' in:\n{output}"))?;
        serde_json::from_str(line).with_context(|| format!("the outcome is malformed: {line}"))
    }
}

/// Counts what comes out of a job, on any number of threads.
#[derive(Clone, Debug)]
pub struct Tally {
    started: Instant,
    rows: Arc<AtomicU64>,
    check: Arc<AtomicU64>,
}

impl Tally {
    /// Starts the clock.
    pub fn start() -> Self {
        Tally { started: Instant::now(), rows: Arc::default(), check: Arc::default() }
    }

    /// Adds what one thread has gathered, and leaves it at nothing.
    pub fn add(&self, local: &mut Local) {
        self.rows.fetch_add(local.rows, Ordering::Relaxed);
        self.check.fetch_add(local.check, Ordering::Relaxed);
        *local = Local::default();
    }

    /// What has come of `records`, now that all are through.
    pub fn outcome(&self, records: u64) -> Outcome {
        Outcome {
            records,
            seconds: self.started.elapsed().as_secs_f64(),
            rows: self.rows.load(Ordering::Relaxed),
            check: self.check.load(Ordering::Relaxed),
            cpu_seconds: crate::machine::own_cpu_seconds(),
            peak_bytes: crate::machine::own_peak_bytes(),
        }
    }
}

/// What one thread has gathered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local {
    rows: u64,
    check: u64,
}

impl Local {
    /// Takes a row's check in.
    #[inline]
    pub fn take(&mut self, check: u64) {
        self.rows += 1;
        self.check = self.check.wrapping_add(check);
    }
}
