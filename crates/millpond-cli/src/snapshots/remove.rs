//! `millpond snapshots rm`

use clap::Args;
use millpond_snapshot::repository::{Removal, RemoveOptions, SnapshotAddress, remove};
use serde_json::{Value, json};

use super::place::Place;
use super::words::{bytes, counted};
use crate::failure::Failure;
use crate::output::{print, print_json};

/// Remove snapshots; refuses what is pinned or in use
///
/// The log entry goes at once, its tags with it, and what only it named with the next `gc`.
#[derive(Args)]
pub(crate) struct Remove {
    /// JOB@42, JOB@latest or JOB#tag
    #[arg(required = true)]
    snapshots: Vec<SnapshotAddress>,
    /// Only say what would be freed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

impl Remove {
    pub(super) async fn run(self) -> Result<(), Failure> {
        // Found first: `JOB@latest` means what it meant when it was typed.
        let mut found = Vec::new();
        for snapshot in &self.snapshots {
            found.push(self.place.entry(snapshot).await?);
        }
        let mut removed = Vec::new();
        let mut outcome = Ok(());
        for (store, id) in found {
            match remove(&store, &id, RemoveOptions { dry_run: self.dry_run, with_tags: true }).await {
                Ok(removal) if self.place.json => removed.push(json(&removal)),
                Ok(removal) => print(&words(&removal, self.dry_run))?,
                Err(error) => {
                    outcome = Err(error.into());
                    break;
                }
            }
        }
        if self.place.json {
            print_json(&json!({ "dry-run": self.dry_run, "removed": removed }))?;
        }
        outcome
    }
}

pub(super) fn words(removal: &Removal, dry_run: bool) -> String {
    let Removal { id, objects, bytes: freed, tags } = removal;
    let tags = tags.iter().map(|tag| format!(", with the tag {tag}")).collect::<String>();
    let what = format!("{} ({})", counted(*objects as u64, "object"), bytes(*freed));
    match dry_run {
        true => format!("{id} would be removed{tags}, and `gc` would free {what}."),
        false => format!("{id} is removed{tags}; `gc` frees {what}."),
    }
}

pub(super) fn json(removal: &Removal) -> Value {
    json!({ "snapshot": removal.id, "objects": removal.objects, "bytes": removal.bytes, "tags": removal.tags })
}
