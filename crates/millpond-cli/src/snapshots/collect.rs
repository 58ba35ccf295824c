//! `millpond snapshots gc`

use std::time::Duration;

use clap::Args;
use humantime::parse_duration;
use millpond_snapshot::repository::{self, CollectOptions, Collected};
use serde_json::{Value, json};

use super::place::Place;
use super::words::{bytes, counted, time};
use crate::failure::Failure;
use crate::output::{Waiting, print, print_json};

/// Delete the objects that no snapshot names
///
/// Safe while jobs run: what a run has written and not yet named in a snapshot is left alone, and so is everything that
/// is younger than the grace period. May be interrupted and run again.
#[derive(Args)]
pub(crate) struct Collect {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// How long objects are left alone after they were written; covers clocks that differ, and copies under way
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    grace: Duration,
    #[command(flatten)]
    place: Place,
}

impl Collect {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let store = self.place.open().await?;
        let options = CollectOptions { grace: self.grace, dry_run: self.dry_run };
        let waiting = Waiting::new(format!("Looking through {}", store.address()));
        let collected = repository::collect(&store, options).await?;
        drop(waiting);
        match self.place.json {
            true => print_json(&json(&collected, self.dry_run)),
            false => print(&self.words(&collected)),
        }
    }

    fn words(&self, collected: &Collected) -> String {
        let mut lines = Vec::new();
        if self.dry_run {
            let deleted = collected.deleted.iter();
            lines.extend(
                deleted
                    .map(|object| format!("{}  {}  {}", object.path, bytes(object.bytes), time(object.modified))),
            );
        }
        let would = if self.dry_run { "would be deleted" } else { "deleted" };
        let objects = counted(collected.deleted.len() as u64, "object");
        let named = counted(collected.named as u64, "object");
        lines.push(format!("{objects} ({}) {would}; snapshots name {named}.", bytes(collected.bytes)));
        let (young, young_bytes) = collected.young;
        if young > 0 {
            let young = counted(young as u64, "object");
            let why = match &collected.held_by {
                Some(job) => format!("job {job}, whose run has not ended, may still name some of it"),
                None => "too young; see --grace".to_owned(),
            };
            lines.push(format!("{young} ({}) left alone: {why}.", bytes(young_bytes)));
        }
        lines.join("\n")
    }
}

fn json(collected: &Collected, dry_run: bool) -> Value {
    let deleted = collected.deleted.iter().map(
        |object| json!({ "object": object.path.as_ref(), "bytes": object.bytes, "modified": object.modified }),
    );
    json!({
        "dry-run": dry_run,
        "deleted": deleted.collect::<Vec<_>>(),
        "bytes": collected.bytes,
        "named": collected.named,
        "young": collected.young.0,
        "young-bytes": collected.young.1,
        "held-by": collected.held_by,
    })
}
