//! Which snapshots to forget: checkpoints as they age, and savepoints only by a policy that a person gave.
//! Pure decisions; nothing here deletes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ids::Sequence;
use crate::log::{Entry, EntryBody};

/// The checkpoints to remove so that the newest `keep_last` remain, oldest first. Savepoints,
/// what is `protected` and the head of the log are never removed, and do not count as kept
/// checkpoints unless they are among the newest.
pub fn select(entries: &[Entry], keep_last: usize, protected: &BTreeSet<Sequence>) -> Vec<Sequence> {
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

/// Which savepoints a person wants kept: the newest few, and the newest of each of the last hours, days,
/// weeks and months that have any. Nothing thins savepoints unless a person asks for it with such a policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepPolicy {
    /// The newest.
    pub last: usize,
    /// The newest of each of this many hours.
    pub hourly: usize,
    /// The newest of each of this many days.
    pub daily: usize,
    /// The newest of each of this many weeks, which begin on Monday.
    pub weekly: usize,
    /// The newest of each of this many months.
    pub monthly: usize,
}

/// The savepoints that a policy does not keep, oldest first; in UTC. What is `protected`, and the head of the
/// log, is kept whatever the policy says. A policy that keeps nothing at all is taken for a mistake, and
/// keeps everything.
pub fn thin(entries: &[Entry], policy: KeepPolicy, protected: &BTreeSet<Sequence>) -> Vec<Sequence> {
    if policy == KeepPolicy::default() {
        return Vec::new();
    }
    let head = entries.iter().map(|entry| entry.sequence).max();
    let mut savepoints: Vec<(Sequence, Timestamp)> = entries
        .iter()
        .filter(|entry| matches!(entry.body, EntryBody::Savepoint(_)))
        .map(|entry| (entry.sequence, entry.time))
        .collect();
    savepoints.sort_unstable_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));

    let mut kept: BTreeSet<Sequence> = protected.iter().copied().chain(head).collect();
    kept.extend(savepoints.iter().take(policy.last).map(|(sequence, _)| *sequence));
    let rules: [(usize, Period); 4] = [
        (policy.hourly, |time| time.as_second().div_euclid(3600)),
        (policy.daily, day),
        // The first day of 1970 was a Thursday.
        (policy.weekly, |time| (day(time) + 3).div_euclid(7)),
        (policy.monthly, |time| {
            let date = time.to_zoned(TimeZone::UTC);
            i64::from(date.year()) * 12 + i64::from(date.month())
        }),
    ];
    for (count, period) in rules {
        let mut periods = BTreeSet::new();
        for (sequence, time) in &savepoints {
            if periods.len() < count && periods.insert(period(*time)) {
                kept.insert(*sequence);
            }
        }
    }
    savepoints.iter().rev().map(|(sequence, _)| *sequence).filter(|s| !kept.contains(s)).collect()
}

/// The number of the period that a time lies in.
type Period = fn(Timestamp) -> i64;

fn day(time: Timestamp) -> i64 {
    time.as_second().div_euclid(86_400)
}
