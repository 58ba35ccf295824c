//! `millpond snapshots ls`

use clap::Args;
use millpond_snapshot::JobName;
use serde_json::Value;

use super::marks::Marks;
use super::place::Place;
use super::summary;
use super::words::{bytes, duration, table, time};
use crate::failure::Failure;
use crate::output::{print, print_json};

/// List the snapshots of a store, oldest first
///
/// OWN is what a snapshot holds that the one before it does not; TOTAL is all that a job needs to start from it. A
/// snapshot that is tagged, pinned, in use or the origin of another job is not removed by retention.
#[derive(Args)]
pub(crate) struct List {
    /// Only this job's
    job: Option<JobName>,
    #[command(flatten)]
    place: Place,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (store, jobs) = self.place.jobs(self.job.as_ref()).await?;
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        for job in &jobs {
            let marks = Marks::of(&store, &job.job, job.in_use()).await?;
            for entry in job.snapshots() {
                let Some(record) = entry.snapshot() else { continue };
                values.push(summary::json(entry, record, &marks));
                rows.push([
                    entry.id().to_string(),
                    entry.body.kind().to_owned(),
                    time(entry.time),
                    bytes(record.bytes_new),
                    bytes(record.bytes_total),
                    duration(record.duration_ms),
                    summary::origin(record),
                    marks.words(&entry.id()),
                    summary::reason(record),
                ]);
            }
        }
        if self.place.json {
            return print_json(&Value::Array(values));
        }
        if rows.is_empty() {
            return print("There are no snapshots.");
        }
        let header = ["SNAPSHOT", "KIND", "TAKEN", "OWN", "TOTAL", "TOOK", "FROM", "MARKS", "WHY"];
        print(&table(header, rows, &[3, 4, 5]))
    }
}
