//! Which runs a run stands on: the history of its job, as far as it leads to the snapshot that it starts from.
//!
//! Pure: a function of the entries of the job's log.

use millpond_snapshot::JobName;
use millpond_snapshot::log::{Entry, EntryBody};
use millpond_snapshot::repository::SnapshotAddress;

/// Under which a start entry says the first epoch of its run.
pub(crate) const FIRST_EPOCH: &str = "first-epoch";

/// The epoch after that of a snapshot.
pub(crate) fn first_epoch(base: Option<&Entry>) -> u64 {
    base.and_then(Entry::snapshot).map_or(1, |record| record.manifest.epoch.0 + 1)
}

/// The runs of `job` that lead to the snapshot `base`, newest first, each with the last epoch of it that counts.
pub(crate) fn past(entries: &[Entry], base: &Entry, job: &JobName) -> Vec<(u64, u64)> {
    let mut past = Vec::new();
    let taken_by = base.stems_from().filter(|_| base.job == *job);
    let mut step = taken_by.map(|run| (run, first_epoch(Some(base)) - 1));
    while let Some((run, last_epoch)) = step {
        past.push((run.0, last_epoch));
        let start = entries.iter().find(|entry| entry.sequence == run).map(|entry| &entry.body);
        step = match start {
            Some(EntryBody::Start { restored_from: Some(SnapshotAddress::Entry(id)), options, .. })
                if id.job == *job && id.sequence < run =>
            {
                let before = match entries.iter().find(|entry| entry.sequence == id.sequence) {
                    Some(snapshot) => snapshot.stems_from(),
                    // It is gone; the run that took it is the last that had started by then.
                    None => {
                        let starts = entries.iter().filter(|entry| matches!(entry.body, EntryBody::Start { .. }));
                        starts.map(|entry| entry.sequence).filter(|start| *start < id.sequence).max()
                    }
                };
                let first = options.get(FIRST_EPOCH).and_then(|epoch| epoch.parse::<u64>().ok());
                before.zip(first.and_then(|first| first.checked_sub(1)))
            }
            _ => None,
        };
    }
    past
}

/// A snapshot of which only the manifest matters.
#[cfg(test)]
pub(super) fn test_record(
    manifest: millpond_snapshot::manifest::Manifest,
) -> millpond_snapshot::log::SnapshotRecord {
    millpond_snapshot::log::SnapshotRecord {
        request_id: None,
        requested_by: None,
        reason: "test".to_owned(),
        duration_ms: 0,
        parent: None,
        copied_from: None,
        edited: None,
        bytes_new: 0,
        bytes_total: 0,
        manifest,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use millpond_snapshot::log::{CopiedFrom, Edited, SnapshotId};
    use millpond_snapshot::manifest::Manifest;
    use millpond_snapshot::{Epoch, Sequence};

    use super::*;

    fn job() -> JobName {
        "j".parse().unwrap()
    }

    fn start(sequence: u64, from: Option<u64>, first_epoch: u64) -> Entry {
        let address = |from| SnapshotAddress::Entry(SnapshotId { job: job(), sequence: Sequence(from) });
        let options = BTreeMap::from([(FIRST_EPOCH.to_owned(), first_epoch.to_string())]);
        let body = EntryBody::Start { parallelism: 1, restored_from: from.map(address), options };
        Entry::new(job(), Sequence(sequence), Sequence(sequence), body).unwrap()
    }

    fn snapshot(sequence: u64, run: u64, epoch: u64) -> Entry {
        let record = test_record(Manifest::new(job(), Epoch(epoch)));
        Entry::new(job(), Sequence(sequence), Sequence(run), EntryBody::Savepoint(record)).unwrap()
    }

    /// A snapshot that somebody made from one of run `of`.
    fn edit(sequence: u64, of: u64, epoch: u64) -> Entry {
        let mut entry = snapshot(sequence, sequence, epoch);
        if let EntryBody::Savepoint(record) = &mut entry.body {
            let id = SnapshotId { job: job(), sequence: Sequence(of) };
            record.copied_from = Some(CopiedFrom { store: "here".to_owned(), id });
            record.edited = Some(Edited { changes: Vec::new(), run: Some(Sequence(of)) });
        }
        entry
    }

    #[test]
    fn an_edited_snapshot_stands_on_the_run_whose_snapshot_was_edited() {
        // 6 is what somebody made of 2, which run 1 took, after run 4; run 7 goes on from it and takes 8.
        let entries = [
            start(1, None, 1),
            snapshot(2, 1, 9),
            start(4, Some(2), 10),
            snapshot(5, 4, 12),
            edit(6, 1, 9),
            start(7, Some(6), 10),
            snapshot(8, 7, 14),
        ];
        assert_eq!(past(&entries, &entries[4], &job()), [(1, 9)]);
        assert_eq!(past(&entries, &entries[6], &job()), [(7, 14), (1, 9)]);
    }

    #[test]
    fn the_past_of_a_run_leads_through_the_snapshots_that_it_came_from() {
        // Run 1 takes 2 and 3; run 4 goes on from 2 and takes 5; run 6 begins anew and takes 7; run 8 goes on from 5.
        // The checkpoint 2 has been removed since.
        let entries = [
            start(1, None, 1),
            snapshot(3, 1, 9),
            start(4, Some(2), 6),
            snapshot(5, 4, 12),
            start(6, None, 1),
            snapshot(7, 6, 4),
        ];
        assert_eq!(past(&entries, &entries[3], &job()), [(4, 12), (1, 5)]);
        assert_eq!(past(&entries, &entries[1], &job()), [(1, 9)]);
        assert_eq!(past(&entries, &entries[5], &job()), [(6, 4)]);
        assert_eq!(
            past(&entries, &entries[5], &"fork".parse().unwrap()),
            [],
            "the output of another job is not its own"
        );
    }
}
