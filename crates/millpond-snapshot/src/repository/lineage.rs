//! Which snapshot came from which.

use super::{JobSummary, SnapshotAddress};
use crate::log::{Entry, EntryBody, SnapshotId};

/// How one thing came from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Descent {
    /// A snapshot came after another, in one run or across a restart.
    Parent,
    /// A job began from a snapshot of another job, or from an exported directory.
    Fork,
    /// A snapshot was copied from elsewhere.
    Copy,
    /// A snapshot was made from another by an edit.
    Edit,
}

/// A step in the history of snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Where it came from; a copy's origin, and an exported directory, stand outside the store.
    pub from: String,
    /// The snapshot; or the first snapshot of the run that began there.
    pub to: SnapshotId,
    /// How.
    pub descent: Descent,
}

/// The steps between all snapshots of a store, job by job, in order.
///
/// ```no_run
/// use millpond_snapshot::repository::{jobs, lineage};
/// use millpond_snapshot::{Store, store::OpenMode};
/// # async fn example() -> millpond_snapshot::Result<()> {
/// let store = Store::open("/var/lib/millpond", OpenMode::Existing).await?;
/// for edge in lineage(&jobs(&store).await?) {
///     println!("{} → {}", edge.from, edge.to);
/// }
/// # Ok(())
/// # }
/// ```
pub fn lineage(jobs: &[JobSummary]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for job in jobs {
        for entry in &job.entries {
            edges.extend(origin(job, entry));
        }
    }
    edges
}

fn origin(job: &JobSummary, entry: &Entry) -> Option<Edge> {
    let to = entry.id();
    match &entry.body {
        EntryBody::Start { restored_from: Some(from), .. } => {
            let first = job.snapshots().find(|snapshot| snapshot.belongs_to_run() && snapshot.run == entry.run)?;
            let same_job = matches!(from, SnapshotAddress::Entry(id) if id.job == job.job);
            // The snapshot itself names a parent of the same job.
            let fork = Edge { from: from.to_string(), to: first.id(), descent: Descent::Fork };
            (!same_job).then_some(fork)
        }
        EntryBody::Checkpoint(record) | EntryBody::Savepoint(record) => match &record.copied_from {
            // What was made from nothing names itself.
            Some(origin) if record.edited.is_some() => {
                let from = match &record.parent {
                    Some(parent) => parent.to_string(),
                    None => format!("{} in {}", origin.id, origin.store),
                };
                (record.parent.is_some() || origin.id != to).then_some(Edge { from, to, descent: Descent::Edit })
            }
            Some(origin) => {
                Some(Edge { from: format!("{} in {}", origin.id, origin.store), to, descent: Descent::Copy })
            }
            None => {
                let parent = record.parent.as_ref().filter(|parent| parent.job == to.job)?;
                Some(Edge { from: parent.to_string(), to, descent: Descent::Parent })
            }
        },
        _ => None,
    }
}
