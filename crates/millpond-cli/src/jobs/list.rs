//! `millpond list`

use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Deserialize;
use serde_json::Value;

use super::Connection;
use super::client::Client;
use crate::failure::Failure;
use crate::output::{plain, print, print_json};

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    connection: Connection,
}

/// What is shown of a job.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    jid: String,
    name: String,
    state: String,
    /// Milliseconds.
    duration: u64,
    parallelism: u64,
    records_read: u64,
    restarts: u64,
    store: String,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        let address = &self.connection.address;
        let mut answer: Value = Client::new(address).get("/jobs/overview")?;
        let jobs = answer["jobs"].take();
        if self.connection.json {
            return print_json(&jobs);
        }
        let rows: Vec<Row> = serde_json::from_value(jobs)
            .map_err(|error| Failure::NotUnderstood { address: address.clone(), reason: error.to_string() })?;
        print(&table(&rows))
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["JOB", "STATE", "WORKERS", "FOR", "RECORDS", "RESTARTS", "STORE", "ID"]);
    for row in rows {
        let seconds = Duration::from_secs(row.duration / 1000);
        table.add_row([
            plain(&row.name),
            plain(&row.state),
            row.parallelism.to_string(),
            humantime::format_duration(seconds).to_string(),
            row.records_read.to_string(),
            row.restarts.to_string(),
            plain(&row.store),
            plain(&row.jid),
        ]);
    }
    table.trim_fmt()
}
