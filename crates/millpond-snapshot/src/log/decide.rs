//! From where a run goes on that is started under a name that has run before.

use super::{Entry, EntryBody, SnapshotId};
use crate::repository::SnapshotAddress;

/// From where a run goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum ContinueDecision {
    /// From nothing: the name has not run, its last run was ended on purpose, or that run began from
    /// nothing and died before its first snapshot.
    Fresh,
    /// From this snapshot, because the last run died.
    From(SnapshotAddress),
}

/// Decides from the entries of a job, in order; those of the last run are enough.
///
/// Snapshots that were copied into the log do not count, since no run of this store took them: name them
/// to begin from them. The snapshots of earlier runs do not count either: if the last run died before its first snapshot, it is
/// continued from what it began from itself.
pub fn continue_from(entries: &[Entry]) -> ContinueDecision {
    let own = || entries.iter().rev().filter(|entry| entry.belongs_to_run());
    let Some(run) = own().map(|entry| entry.run).max() else {
        return ContinueDecision::Fresh;
    };
    let of_run = || own().filter(|entry| entry.run == run);
    if of_run().any(Entry::ends_run) {
        return ContinueDecision::Fresh;
    }
    if let Some(snapshot) = of_run().find(|entry| entry.snapshot().is_some()) {
        return ContinueDecision::From(SnapshotAddress::Entry(snapshot.id()));
    }
    let restored_from = of_run().find_map(|entry| match &entry.body {
        EntryBody::Start { restored_from, .. } => restored_from.clone(),
        _ => None,
    });
    restored_from.map_or(ContinueDecision::Fresh, ContinueDecision::From)
}

/// The snapshot that a run passes over which begins from nothing although it was not told to: the newest that there is. It is
/// what its user may have meant to go on from, and forgot to name.
///
/// `None` if there is none, or if the last run came to the end of its input: nothing was left to go on with.
pub fn passed_over(entries: &[Entry]) -> Option<SnapshotId> {
    let last = entries.iter().rev().find(|entry| entry.belongs_to_run());
    if last.is_some_and(|entry| matches!(entry.body, EntryBody::Finish { .. })) {
        return None;
    }
    entries.iter().rev().find(|entry| entry.snapshot().is_some()).map(Entry::id)
}
