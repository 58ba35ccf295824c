//! Views of jobs that never ran, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use millpond_snapshot::Sequence;

use super::view::{JobStatus, JobView, Outcome, SnapshotCounts, SnapshotView};
use crate::job::plan::{Draft, Plan};

/// The id of every job here.
pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef";

/// A job with a source and an operator `totals`, which runs and has done nothing yet.
pub(crate) fn running(name: &str) -> JobView {
    let draft = Draft {
        uid: None,
        name: Some("flights.csv".into()),
        kind: "source",
        label: "source".into(),
        inputs: vec![],
        states: vec![],
        aligned: true,
        sink: false,
        positions: vec![],
    };
    let totals =
        Draft { uid: Some("totals".into()), name: None, kind: "process", inputs: vec![0], ..draft.clone() };
    JobView {
        id: ID.into(),
        name: name.into(),
        run: Sequence(1),
        status: JobStatus::Running,
        started: Timestamp::UNIX_EPOCH,
        ended: None,
        parallelism: 2,
        store: "/data/store".into(),
        plan: Arc::new(Plan::new(vec![draft, totals], vec![]).expect("the plan is valid")),
        restarts: 0,
        failure: None,
        records_read: 0,
        restored_from: None,
        counts: SnapshotCounts::default(),
        snapshots: vec![],
        requests: BTreeMap::new(),
    }
}

/// A checkpoint of `epoch`, published as an entry of the log of `flights`.
pub(crate) fn completed(epoch: u64, sequence: u64) -> SnapshotView {
    let id = format!("flights@{sequence}").parse().expect("the id is valid");
    SnapshotView {
        epoch,
        savepoint: false,
        outcome: Outcome::Completed(id),
        triggered: Timestamp::UNIX_EPOCH,
        duration_ms: 10,
        bytes_new: 1024,
        bytes_total: 2048,
        acknowledged: 4,
        subtasks: 4,
    }
}

/// A checkpoint that came to nothing.
pub(crate) fn failed(epoch: u64) -> SnapshotView {
    SnapshotView { outcome: Outcome::Failed("the disk is full".into()), acknowledged: 1, ..completed(epoch, 1) }
}
