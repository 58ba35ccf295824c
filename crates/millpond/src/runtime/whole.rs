//! What a run does with a snapshot that is not as it was written: it does not start from it, or ends, and says which older
//! one is whole. It never chooses that one by itself: what happened since then would be done twice, or lost.

use millpond_snapshot::log::{Entry, JobLog};
use millpond_snapshot::repository::{self, OlderSnapshots, Resolved, SnapshotAddress};
use millpond_snapshot::{JobName, Sequence, Store};

use super::restore::Restored;
use crate::error::{Error, ErrorKind};
use crate::job::restore_plan::quoted;

/// The job that is to run, and where.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a Store,
    pub(crate) job: &'a JobName,
}

impl Scene<'_> {
    /// All entries of the log in which the run takes its place.
    ///
    /// # Errors
    /// If one cannot be decoded, the error says from which snapshot the job can be started under another name: its log can
    /// neither be read nor added to.
    pub(crate) async fn entries(&self, log: &JobLog) -> Result<Vec<Entry>, Error> {
        let error = match log.entries().await.map_err(Error::from) {
            Err(error) if error.kind() == ErrorKind::Damaged => error,
            entries => return entries,
        };
        let other = format!("{}-2", self.job);
        let advice = self.advice(repository::newest_whole(self.store, self.job, None).await, &other);
        Err(Error::damaged(format!(
            "the log of job '{}' cannot be read: {error}\n{advice}\n(its output to another place: what '{}' committed after that \
             stays where it is)",
            self.job, self.job
        )))
    }

    /// Finds the snapshot that the run is to begin from. Nothing is written.
    pub(crate) async fn find(&self, address: &str) -> Result<Entry, Error> {
        self.found(address, repository::resolve(self.store, address).await).await
    }

    /// As [`Scene::find`], and sees to it that the snapshot stays: it is marked, or, if it stands in a directory, copied.
    pub(crate) async fn base(&self, address: &str) -> Result<Entry, Error> {
        self.found(address, repository::begin_from(self.store, address, self.job).await).await
    }

    async fn found(&self, address: &str, found: millpond_snapshot::Result<Resolved>) -> Result<Entry, Error> {
        let (job, before): (_, Option<Sequence>) = match address.parse()? {
            SnapshotAddress::Entry(id) => (id.job, Some(id.sequence)),
            SnapshotAddress::Latest(job) | SnapshotAddress::Tagged(job, _) => (job, None),
            SnapshotAddress::Directory(path) => return Ok(exported(&path, found)?.entry),
        };
        let error = match found.map_err(Error::from) {
            Ok(Resolved { entry, .. }) => return Ok(entry),
            Err(error) if error.kind() == ErrorKind::Damaged => error,
            Err(error) => return Err(error),
        };
        let older = repository::newest_whole(self.store, &job, before).await;
        Err(Error::damaged(format!(
            "{address} cannot be restored: {error}\n{}",
            self.advice(older, self.job.as_str())
        )))
    }

    /// Looks whether all objects that are to be restored are there, and of the right size: before the run has a place in
    /// the log.
    pub(crate) async fn check(&self, base: Option<&Entry>, restored: &Restored) -> Result<(), Error> {
        let (Some(base), Some((store, manifest))) = (base, &restored.snapshot) else { return Ok(()) };
        match repository::check_objects(store, manifest).await.map_err(Error::from) {
            Err(error) if error.kind() == ErrorKind::Damaged => {
                Err(Error::damaged(self.refusal(base, &error.to_string()).await))
            }
            looked => looked,
        }
    }

    /// Why a snapshot cannot be restored, and which older one can. Reads older ones whole.
    pub(crate) async fn refusal(&self, base: &Entry, problem: &str) -> String {
        let id = base.id();
        tracing::info!("{id} is damaged; looking for an older snapshot that is whole");
        let advice = self.advice(repository::older_whole(self.store, base).await, self.job.as_str());
        format!("{id} cannot be restored: {problem}\n{advice}")
    }

    fn advice(&self, older: millpond_snapshot::Result<OlderSnapshots>, name: &str) -> String {
        let run = format!("run --store {} --name {name}", quoted(self.store.address()));
        match older {
            Ok(OlderSnapshots { whole: Some(entry), .. }) => {
                let id = entry.id();
                format!(
                    "the newest older snapshot that is whole is {id}, of {}; start from it with: {run} -s {id}",
                    entry.time
                )
            }
            Ok(OlderSnapshots { whole: None, broken: 0 }) => {
                format!("there is no older snapshot in its lineage; begin anew with: {run} --fresh")
            }
            Ok(OlderSnapshots { whole: None, broken }) => format!(
                "no older snapshot in its lineage is whole ({broken} looked at); bring a whole one from another store with \
                 `millpond snapshots copy`, or begin anew with: {run} --fresh"
            ),
            Err(error) => format!(
                "which older snapshot is whole could not be found out: {error}\n`millpond snapshots verify` says it when the \
                 store can be read"
            ),
        }
    }
}

/// An exported directory that has been looked for.
pub(crate) fn exported(path: &str, found: millpond_snapshot::Result<Resolved>) -> Result<Resolved, Error> {
    found.map_err(Error::from).map_err(|error| match error.kind() {
        ErrorKind::Damaged => Error::damaged(format!("{path} cannot be restored: {error}; export it again")),
        _ => error,
    })
}
