//! What snapshots are called, and what keeps them from being removed.

use std::collections::BTreeMap;

use millpond_snapshot::log::SnapshotId;
use millpond_snapshot::repository::{Protection, SnapshotAddress, protected};
use millpond_snapshot::{Error, JobName, Sequence, Store};
use serde_json::{Value, json};

/// The marks of the snapshots of one job.
pub(super) struct Marks {
    protections: BTreeMap<Sequence, Vec<Protection>>,
    /// The snapshot from which the job goes on, because its last run runs or died.
    in_use: Option<SnapshotAddress>,
}

impl Marks {
    pub(super) async fn of(store: &Store, job: &JobName, in_use: Option<SnapshotAddress>) -> Result<Self, Error> {
        Ok(Marks { protections: protected(store, job).await?, in_use })
    }

    /// Of a snapshot that stands in no store.
    pub(super) fn none() -> Self {
        Marks { protections: BTreeMap::new(), in_use: None }
    }

    fn all(&self, id: &SnapshotId) -> impl Iterator<Item = &Protection> {
        self.protections.get(&id.sequence).into_iter().flatten()
    }

    pub(super) fn tags<'a>(&'a self, id: &SnapshotId) -> Vec<&'a str> {
        let tag = |protection: &'a Protection| match protection {
            Protection::Tagged(tag) => Some(tag.as_str()),
            _ => None,
        };
        self.all(id).filter_map(tag).collect()
    }

    pub(super) fn is_pinned(&self, id: &SnapshotId) -> bool {
        self.all(id).any(|protection| matches!(protection, Protection::Pinned(_)))
    }

    fn is_in_use(&self, id: &SnapshotId) -> bool {
        matches!(&self.in_use, Some(SnapshotAddress::Entry(used)) if used == id)
    }

    fn begun<'a>(&'a self, id: &SnapshotId) -> Vec<&'a JobName> {
        let job = |protection: &'a Protection| match protection {
            Protection::Origin(job) => Some(job),
            _ => None,
        };
        self.all(id).filter_map(job).collect()
    }

    /// In a few words: `#v1, pinned, in use, origin of flights-b`.
    pub(super) fn words(&self, id: &SnapshotId) -> String {
        let mut words: Vec<String> = self.tags(id).into_iter().map(|tag| format!("#{tag}")).collect();
        words.extend(self.is_pinned(id).then(|| "pinned".to_owned()));
        words.extend(self.is_in_use(id).then(|| "in use".to_owned()));
        words.extend(self.begun(id).into_iter().map(|job| format!("origin of {job}")));
        words.join(", ")
    }

    pub(super) fn json(&self, id: &SnapshotId) -> Value {
        json!({
            "tags": self.tags(id),
            "pinned": self.is_pinned(id),
            "in-use": self.is_in_use(id),
            "origin-of": self.begun(id),
        })
    }
}
