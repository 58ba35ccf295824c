//! Which store a command is about, and how to print what comes of it.

use clap::Args;
use millpond_snapshot::log::SnapshotId;
use millpond_snapshot::repository::{JobSummary, Resolved, SnapshotAddress, jobs, open_exported, resolve};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Error, JobName, Store};

#[derive(Args)]
pub(super) struct Place {
    /// The store: a path, file:///dir, s3://, gs:// or az://
    #[arg(long, value_name = "URL", env = "MILLPOND_STORE", default_value = "millpond-store")]
    store: String,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Place {
    pub(super) async fn open(&self) -> Result<Store, Error> {
        Store::open(&self.store, OpenMode::Existing).await
    }

    /// The snapshot at an address. An exported directory needs no store.
    pub(super) async fn find(&self, address: &SnapshotAddress) -> Result<Resolved, Error> {
        match address {
            SnapshotAddress::Directory(path) => open_exported(path).await,
            in_store => resolve(&self.open().await?, &in_store.to_string()).await,
        }
    }

    /// The store, and the number in it of the snapshot at an address.
    pub(super) async fn entry(&self, address: &SnapshotAddress) -> Result<(Store, SnapshotId), Error> {
        let store = self.open().await?;
        let id = match address {
            SnapshotAddress::Entry(id) => id.clone(),
            SnapshotAddress::Directory(path) => {
                return Err(Error::InvalidInput(format!(
                    "{path} is an exported directory and stands in no store; name a snapshot of {}, such as JOB@42",
                    store.address()
                )));
            }
            named => resolve(&store, &named.to_string()).await?.entry.id(),
        };
        Ok((store, id))
    }

    /// The jobs of the store, or the one that is meant.
    pub(super) async fn jobs(&self, only: Option<&JobName>) -> Result<(Store, Vec<JobSummary>), Error> {
        let store = self.open().await?;
        let mut found = jobs(&store).await?;
        if let Some(only) = only {
            let all: Vec<JobName> = found.iter().map(|job| job.job.clone()).collect();
            found.retain(|job| job.job == *only);
            if found.is_empty() {
                return Err(no_such_job(&store, only, &all));
            }
        }
        Ok((store, found))
    }
}

pub(super) fn no_such_job(store: &Store, job: &JobName, there: &[JobName]) -> Error {
    let there: Vec<&str> = there.iter().map(JobName::as_str).collect();
    let there = match there.is_empty() {
        true => "it holds no jobs".to_owned(),
        false => format!("it holds {}", there.join(", ")),
    };
    Error::NotFound(format!("there is no job {job} in {}; {there}", store.address()))
}
