//! What a process that was measured says of itself, as one line that begins with `RESULT`.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

const PREFIX: &str = "RESULT ";

/// The outcome of one job. A Java job prints the same fields.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Records that went in.
    pub records: u64,
    /// From the start of the job to its end.
    pub seconds: f64,
    /// Rows that came out, or how many records they stand for.
    pub rows: u64,
    /// A sum over all that came out, in whatever order it came.
    pub check: u64,
    /// Processor time of the process so far, where it is one of its own.
    #[serde(default)]
    pub cpu_seconds: f64,
    /// The most memory that the process had, where it is one of its own.
    #[serde(default)]
    pub peak_bytes: u64,
    /// Whatever else was measured.
    #[serde(default)]
    pub figures: BTreeMap<String, f64>,
    /// How many rows came out how late, in steps of [`latency::STEP_MICROS`](crate::latency::STEP_MICROS).
    #[serde(default)]
    pub latencies: BTreeMap<u64, u64>,
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
