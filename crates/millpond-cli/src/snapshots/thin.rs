//! `millpond snapshots thin`

use clap::Args;
use millpond_snapshot::log::SnapshotId;
use millpond_snapshot::repository::{KeepPolicy, RemoveOptions, protected, remove, thin};
use millpond_snapshot::{Error, JobName};
use serde_json::{Value, json};

use super::place::Place;
use super::remove::{json as removal_json, words};
use crate::failure::Failure;
use crate::output::{plain, print, print_json};

/// Remove the savepoints of a job that a policy does not keep
///
/// Nothing does this by itself: a savepoint is kept until somebody asks for its removal, by name or by such a policy. What
/// is tagged, pinned, in use or the origin of another job is kept whatever the policy says. Periods are those of
/// UTC. Checkpoints are not touched: the job forgets them itself.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("policy").required(true).multiple(true)
    .args(["keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly"]))]
pub(crate) struct Thin {
    /// The job whose savepoints it is about
    job: JobName,
    /// Keep the newest N
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    keep_last: Option<usize>,
    /// Keep the newest of each of the last N hours that have any
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    keep_hourly: Option<usize>,
    /// Keep the newest of each of the last N days that have any
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    keep_daily: Option<usize>,
    /// Keep the newest of each of the last N weeks that have any
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    keep_weekly: Option<usize>,
    /// Keep the newest of each of the last N months that have any
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    keep_monthly: Option<usize>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

impl Thin {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (store, jobs) = self.place.jobs(Some(&self.job)).await?;
        let entries = jobs.into_iter().flat_map(|job| job.entries).collect::<Vec<_>>();
        let kept = protected(&store, &self.job).await?.into_keys().collect();
        let surplus = thin(&entries, self.policy(), &kept);

        let (mut removed, mut refused): (Vec<Value>, Vec<Value>) = Default::default();
        for sequence in surplus {
            let id = SnapshotId { job: self.job.clone(), sequence };
            let line = match remove(&store, &id, RemoveOptions { dry_run: self.dry_run, with_tags: false }).await {
                Ok(removal) => {
                    removed.push(removal_json(&removal));
                    words(&removal, self.dry_run)
                }
                Err(Error::Conflict(why)) => {
                    refused.push(json!({ "snapshot": id, "why": why }));
                    plain(&why)
                }
                Err(error) => return Err(error.into()),
            };
            if !self.place.json {
                print(&line)?;
            }
        }
        if self.place.json {
            return print_json(&json!({ "dry-run": self.dry_run, "removed": removed, "refused": refused }));
        }
        match removed.is_empty() && refused.is_empty() {
            true => print(&format!("The policy keeps all savepoints of {}.", self.job)),
            false => Ok(()),
        }
    }

    fn policy(&self) -> KeepPolicy {
        KeepPolicy {
            last: self.keep_last.unwrap_or(0),
            hourly: self.keep_hourly.unwrap_or(0),
            daily: self.keep_daily.unwrap_or(0),
            weekly: self.keep_weekly.unwrap_or(0),
            monthly: self.keep_monthly.unwrap_or(0),
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a number from 1".to_owned()),
    }
}
