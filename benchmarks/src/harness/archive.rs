//! Results that are kept.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Report;

impl Report {
    /// Writes the report, with every sample, to `benchmarks/results/`, and says where.
    pub fn archive(&self) -> Result<PathBuf> {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results").join(&self.benchmark);
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let taken = self.taken_at.strftime("%Y-%m-%dT%H%MZ");
        let path = directory.join(format!("{taken}-millpond-{}-flink-{}.json", self.machine.millpond, self.flink));
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}
