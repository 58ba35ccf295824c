//! `millpond snapshots tag`, `untag`, `pin` and `unpin`

use clap::Args;
use millpond_snapshot::repository::{self, SnapshotAddress};
use millpond_snapshot::{JobName, Tag as Name};
use serde_json::json;

use super::place::Place;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::user::user;

/// Give a snapshot a name
///
/// It is then found as JOB#NAME, and neither retention nor a policy removes it. A checkpoint that is tagged
/// is kept like a savepoint.
#[derive(Args)]
pub(crate) struct Tag {
    /// JOB@42, JOB@latest or JOB#tag
    snapshot: SnapshotAddress,
    /// Letters, digits, '.', '_' and '-'
    name: Name,
    /// Why, for those who find it
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Take a name away; the snapshot stays
#[derive(Args)]
pub(crate) struct Untag {
    /// The name with its job, such as flights#monday
    #[arg(value_name = "JOB#TAG", value_parser = tagged)]
    tag: (JobName, Name),
    #[command(flatten)]
    place: Place,
}

/// See to it that nothing removes a snapshot, until `unpin`
#[derive(Args)]
pub(crate) struct Pin {
    /// JOB@42, JOB@latest or JOB#tag
    snapshot: SnapshotAddress,
    /// Why, for those who want to remove it
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Let a pinned snapshot be removed again
#[derive(Args)]
pub(crate) struct Unpin {
    /// JOB@42, JOB@latest or JOB#tag
    snapshot: SnapshotAddress,
    #[command(flatten)]
    place: Place,
}

impl Tag {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (store, id) = self.place.entry(&self.snapshot).await?;
        repository::tag(&store, &id, &self.name, Some(user()), self.reason).await?;
        if self.place.json {
            return print_json(&json!({ "snapshot": id, "tag": self.name }));
        }
        print(&format!("{}#{} is {id}.", id.job, self.name))
    }
}

impl Untag {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (job, name) = &self.tag;
        repository::untag(&self.place.open().await?, job, name).await?;
        if self.place.json {
            return print_json(&json!({ "job": job, "removed-tag": name }));
        }
        print(&format!("{job}#{name} names nothing any more; the snapshot stays."))
    }
}

impl Pin {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (store, id) = self.place.entry(&self.snapshot).await?;
        repository::pin(&store, &id, Some(user()), self.reason).await?;
        if self.place.json {
            return print_json(&json!({ "snapshot": id, "pinned": true }));
        }
        print(&format!("{id} is pinned."))
    }
}

impl Unpin {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (store, id) = self.place.entry(&self.snapshot).await?;
        repository::unpin(&store, &id).await?;
        if self.place.json {
            return print_json(&json!({ "snapshot": id, "pinned": false }));
        }
        print(&format!("{id} is not pinned any more."))
    }
}

fn tagged(text: &str) -> Result<(JobName, Name), String> {
    match text.parse() {
        Ok(SnapshotAddress::Tagged(job, name)) => Ok((job, name)),
        Ok(_) => Err("expected a tag with its job, such as flights#monday".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
