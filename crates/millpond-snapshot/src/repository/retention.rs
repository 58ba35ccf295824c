//! Which checkpoints to forget. Savepoints are never among them.

use std::collections::BTreeSet;

use crate::ids::Sequence;
use crate::log::{Entry, EntryBody};

/// The checkpoints to remove so that the newest `keep_last` remain, oldest first. Savepoints,
/// what is `protected` and the head of the log are never removed, and do not count as kept
/// checkpoints unless they are among the newest.
pub fn select(
    entries: &[Entry],
    keep_last: usize,
    protected: &BTreeSet<Sequence>,
) -> Vec<Sequence> {
    let head = entries.iter().map(|entry| entry.sequence).max();
    let mut checkpoints: Vec<Sequence> = entries
        .iter()
        .filter(|entry| matches!(entry.body, EntryBody::Checkpoint(_)))
        .map(|entry| entry.sequence)
        .collect();
    checkpoints.sort_unstable();
    checkpoints.truncate(checkpoints.len().saturating_sub(keep_last));
    checkpoints.retain(|sequence| !protected.contains(sequence) && Some(*sequence) != head);
    checkpoints
}
