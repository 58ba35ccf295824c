//! What is measured once, and what it should come to.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Lab;
use crate::outcome::Outcome;
use crate::tally::latency_figures;

/// One who takes part.
pub trait Subject {
    /// What it is called in the report, and by `--peers`.
    fn name(&self) -> &str;

    /// What is done once, before the first round, and not measured.
    fn prepare(&mut self, _lab: &mut Lab) -> Result<()> {
        Ok(())
    }

    /// Does the work.
    fn measure(&mut self, lab: &mut Lab) -> Result<Sample>;
}

/// Figures of one measurement, by name. A name says the unit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    pub figures: BTreeMap<String, f64>,
    /// Rows and their check, where all subjects must agree.
    pub result: Option<(u64, u64)>,
    /// Processor time that the measured processes took.
    pub cpu_seconds: f64,
    /// The share of the machine that others had meanwhile.
    pub others: f64,
}

impl Sample {
    /// A sample with a figure more.
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.to_owned(), value);
        self
    }
}

impl From<Outcome> for Sample {
    /// The throughput of a job that ran to its end.
    fn from(outcome: Outcome) -> Self {
        let nanoseconds = outcome.cpu_seconds * 1e9 / outcome.records.max(1) as f64;
        let sample = Sample {
            result: Some((outcome.rows, outcome.check)),
            cpu_seconds: outcome.cpu_seconds,
            ..Sample::default()
        };
        let mut sample = sample.with("records_per_second", outcome.rate()).with("cpu_ns_per_record", nanoseconds);
        if outcome.peak_bytes > 0 {
            sample = sample.with("peak_bytes", outcome.peak_bytes as f64);
        }
        sample.figures.extend(latency_figures(&outcome.latencies).map(|(name, value)| (name.to_owned(), value)));
        sample.figures.extend(outcome.figures);
        sample
    }
}

/// How a figure relates to what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    /// Whether `value` is within it.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Bound::AtLeast(least) => value >= least,
            Bound::AtMost(most) => value <= most,
        }
    }
}

/// What a figure of a subject, or its ratio to that of another, should be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    pub figure: String,
    pub of: String,
    /// Whose figure it is divided by, if any.
    pub to: Option<String>,
    pub bound: Bound,
}

impl Target {
    /// For the ratio of two subjects.
    pub fn ratio(figure: &str, of: &str, to: &str, bound: Bound) -> Self {
        Target { figure: figure.to_owned(), of: of.to_owned(), to: Some(to.to_owned()), bound }
    }

    /// For a figure as it is.
    pub fn figure(figure: &str, of: &str, bound: Bound) -> Self {
        Target { figure: figure.to_owned(), of: of.to_owned(), to: None, bound }
    }
}
