//! `millpond snapshots verify`

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use millpond_snapshot::log::{JobLog, SnapshotId};
use millpond_snapshot::repository::{Resolved, SnapshotAddress, Verified, tags, verify};
use millpond_snapshot::store::layout;
use millpond_snapshot::{Error, JobName, Store};
use serde_json::{Value, json};

use super::place::{Place, no_such_job};
use super::words::{bytes, count, counted};
use crate::failure::Failure;
use crate::output::{Transfer, plain, print, print_json};

/// Check every hash, row count and schema, and name what is broken
///
/// All chunks are read, each once, in bounded memory. Exit code 1 if anything is broken; then it says which snapshots that
/// touches, with their tags, and which are whole.
#[derive(Args)]
pub(crate) struct Verify {
    /// A snapshot, or a job for all of its snapshots; without it, all of the store's
    #[arg(value_name = "SNAPSHOT|JOB", value_parser = target)]
    what: Option<Target>,
    /// All snapshots of the store, which is the default
    #[arg(long, conflicts_with = "what")]
    all: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone)]
enum Target {
    Snapshot(SnapshotAddress),
    Job(JobName),
}

/// What there is to verify, and what cannot be read in the first place.
#[derive(Default)]
struct Found {
    snapshots: Vec<Resolved>,
    broken: Vec<Broken>,
    names: Names,
}

/// What people know snapshots by.
#[derive(Default)]
struct Names {
    /// Tags, each with its job.
    tags: BTreeMap<SnapshotId, Vec<String>>,
    /// The exported directory that is verified.
    exported: Option<String>,
}

/// Something that is not as it was written, and whom it touches.
struct Broken {
    object: String,
    state: Option<String>,
    problem: String,
    touches: Vec<SnapshotId>,
}

impl Verify {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Found { snapshots, mut broken, names } = self.find().await?;
        let transfer = Transfer::new("Verifying".to_owned());
        let verified = verify(&snapshots, |done, total| transfer.at(done, total)).await?;
        drop(transfer);
        broken.extend(verified.problems.iter().map(|problem| Broken {
            object: problem.object.to_string(),
            state: Some(format!("{}/{}", problem.state.0, problem.state.1)),
            problem: problem.problem.clone(),
            touches: problem.snapshots.clone(),
        }));
        let touched: BTreeSet<&SnapshotId> = broken.iter().flat_map(|broken| &broken.touches).collect();
        let whole: Vec<SnapshotId> =
            snapshots.iter().map(|snapshot| snapshot.entry.id()).filter(|id| !touched.contains(id)).collect();
        match self.place.json {
            true => print_json(&json(&verified, &broken, &whole, &names))?,
            false => print(&words(&verified, &broken, &whole, &names))?,
        }
        match broken.len() as u64 {
            0 => Ok(()),
            1 => Err(Failure::Broken { problems: "1 object is".to_owned() }),
            many => Err(Failure::Broken { problems: format!("{} objects are", count(many)) }),
        }
    }

    async fn find(&self) -> Result<Found, Error> {
        let mut found = Found::default();
        if let Some(Target::Snapshot(address)) = &self.what {
            let snapshot = self.place.find(address).await?;
            match address {
                SnapshotAddress::Directory(path) => found.names.exported = Some(path.clone()),
                _ => found.add_tags(&snapshot.store, &snapshot.entry.job).await?,
            }
            found.snapshots.push(snapshot);
            return Ok(found);
        }
        let store = self.place.open().await?;
        let names = store.list_directories(&layout::jobs()).await?;
        let mut jobs: Vec<JobName> = names.into_iter().filter_map(|name| name.parse().ok()).collect();
        jobs.sort();
        if let Some(Target::Job(job)) = &self.what {
            if !jobs.contains(job) {
                return Err(no_such_job(&store, job, &jobs));
            }
            jobs.retain(|other| other == job);
        }
        for job in &jobs {
            found.add_job(&store, job).await?;
        }
        Ok(found)
    }
}

impl Found {
    async fn add_tags(&mut self, store: &Store, job: &JobName) -> Result<(), Error> {
        match tags(store, job).await {
            Ok(tags) => {
                for (tag, mark) in tags {
                    let id = SnapshotId { job: job.clone(), sequence: mark.sequence };
                    self.names.tags.entry(id).or_default().push(format!("{job}#{tag}"));
                }
                Ok(())
            }
            Err(error) => {
                let object = match &error {
                    Error::Corrupt { file, .. } => file.clone(),
                    _ => layout::tags(job).to_string(),
                };
                self.add_unreadable(object, error, Vec::new())
            }
        }
    }

    /// All snapshots of a job. An entry that cannot be read is a finding, not the end.
    async fn add_job(&mut self, store: &Store, job: &JobName) -> Result<(), Error> {
        self.add_tags(store, job).await?;
        let log = JobLog::open(store, job);
        for sequence in log.sequences().await? {
            match log.read(sequence).await {
                Ok(Some(entry)) if entry.snapshot().is_some() => {
                    self.snapshots.push(Resolved { store: store.clone(), entry });
                }
                Ok(_) => {}
                Err(error) => {
                    let touches = vec![SnapshotId { job: job.clone(), sequence }];
                    self.add_unreadable(layout::entry(job, sequence).to_string(), error, touches)?;
                }
            }
        }
        Ok(())
    }

    /// What is in an object that can be fetched and not be understood; another error is not about the object.
    fn add_unreadable(&mut self, object: String, error: Error, touches: Vec<SnapshotId>) -> Result<(), Error> {
        let problem = match error {
            Error::Corrupt { field, problem, .. } => format!("{field}: {problem}"),
            Error::Unsupported { .. } => error.to_string(),
            _ => return Err(error),
        };
        self.broken.push(Broken { object, state: None, problem, touches });
        Ok(())
    }
}

fn words(verified: &Verified, broken: &[Broken], whole: &[SnapshotId], names: &Names) -> String {
    let chunks = counted(verified.chunks as u64, "chunk");
    let checked = format!("{chunks}, {}, {}", counted(verified.rows, "row"), bytes(verified.bytes));
    if broken.is_empty() {
        return format!("{} whole: {checked}.", counted(whole.len() as u64, "snapshot"));
    }
    let mut lines = Vec::new();
    for Broken { object, state, problem, touches } in broken {
        let of = state.as_ref().map(|state| format!(" (of {state})")).unwrap_or_default();
        lines.push(plain(&format!("{object}{of}: {problem}")));
        lines.push(match touches.is_empty() {
            true => "  touches the tags of its job, and no snapshot".to_owned(),
            false => format!("  touches {}", names.list(touches)),
        });
    }
    lines.push(match whole.is_empty() {
        true => format!("No snapshot is whole: {checked} checked."),
        false => format!("Whole: {}. {checked} checked.", names.list(whole)),
    });
    lines.join("\n")
}

impl Names {
    /// Snapshots, and after each in brackets what else it is called.
    fn list(&self, ids: &[SnapshotId]) -> String {
        let named = ids.iter().map(|id| {
            let exported = self.exported.iter().map(|path| plain(&format!("exported to {path}")));
            let others: Vec<String> = self.tags_of(id).cloned().chain(exported).collect();
            match others.is_empty() {
                true => id.to_string(),
                false => format!("{id} ({})", others.join(", ")),
            }
        });
        named.collect::<Vec<_>>().join(", ")
    }

    fn tags_of(&self, id: &SnapshotId) -> impl Iterator<Item = &String> {
        self.tags.get(id).into_iter().flatten()
    }
}

fn json(verified: &Verified, broken: &[Broken], whole: &[SnapshotId], names: &Names) -> Value {
    let problems = broken.iter().map(|broken| {
        json!({
            "object": broken.object,
            "state": broken.state,
            "problem": broken.problem,
            "snapshots": broken.touches,
            "tags": broken.touches.iter().flat_map(|id| names.tags_of(id)).collect::<Vec<_>>(),
        })
    });
    json!({
        "chunks": verified.chunks,
        "rows": verified.rows,
        "bytes": verified.bytes,
        "whole": whole,
        "exported": names.exported,
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn target(text: &str) -> Result<Target, Error> {
    match text.contains(['@', '#', '/', '\\']) || text.starts_with('.') {
        true => text.parse().map(Target::Snapshot),
        false => Ok(Target::Job(text.parse()?)),
    }
}
