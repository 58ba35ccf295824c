//! What the outside sees of a run: the view that the control server and the progress line read.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::pending::PendingSnapshot;
use crate::control::view::{JobStatus, JobView, Outcome, RequestView, SnapshotView};

/// How many snapshots and requests a view shows.
const SHOWN: usize = 32;

/// Publishes views.
pub(crate) struct Publisher(watch::Sender<Arc<JobView>>);

impl Publisher {
    pub(crate) fn new(view: JobView) -> (Self, watch::Receiver<Arc<JobView>>) {
        let (sender, receiver) = watch::channel(Arc::new(view));
        (Publisher(sender), receiver)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut JobView)) {
        self.0.send_modify(|view| change(Arc::make_mut(view)));
    }

    pub(crate) fn status(&self, status: JobStatus) {
        self.change(|view| {
            view.status = status;
            if matches!(status, JobStatus::Finished | JobStatus::Cancelled | JobStatus::Failed) {
                view.ended = Some(Timestamp::now());
            }
        });
    }

    pub(crate) fn records_read(&self) -> u64 {
        self.0.borrow().records_read
    }

    /// Shows where a snapshot stands.
    pub(crate) fn snapshot(&self, pending: &PendingSnapshot, outcome: Outcome, bytes: (u64, u64)) {
        let (acknowledged, subtasks) = pending.progress();
        let shown = SnapshotView {
            epoch: pending.epoch,
            savepoint: pending.purpose.asked().is_some(),
            triggered: pending.triggered,
            duration_ms: u64::try_from(pending.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes_new: bytes.0,
            bytes_total: bytes.1,
            acknowledged,
            subtasks,
            outcome,
        };
        self.change(|view| {
            let counts = &mut view.counts;
            counts.in_progress = u64::from(shown.outcome == Outcome::InProgress);
            match &shown.outcome {
                Outcome::InProgress => {}
                Outcome::Completed(_) => {
                    counts.completed += 1;
                    counts.savepoints += u64::from(shown.savepoint);
                }
                Outcome::Failed(_) => counts.failed += 1,
            }
            view.snapshots.retain(|snapshot| snapshot.epoch != shown.epoch);
            view.snapshots.insert(0, shown);
            view.snapshots.truncate(SHOWN);
        });
    }

    /// Shows what became of a request.
    pub(crate) fn request(&self, id: &str, outcome: Outcome) {
        self.change(|view| {
            view.requests.insert(id.to_owned(), RequestView { outcome });
        });
    }
}
