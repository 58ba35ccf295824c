//! What the handlers of requests share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::operations::Operations;
use super::reply::Refused;
use crate::control::request::Requests;
use crate::control::view::JobView;

/// How long an outcome is kept ready for whoever asked, after the job has ended.
const LINGER: Duration = Duration::from_secs(5);

/// What handlers share.
pub(super) struct Shared {
    pub(super) view: watch::Receiver<Arc<JobView>>,
    pub(super) requests: Requests,
    operations: Mutex<Operations>,
    /// An outcome was told.
    pub(super) told: Notify,
    /// Snapshots are asked for one after the other.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) fn new(view: watch::Receiver<Arc<JobView>>, requests: Requests) -> Self {
        let (operations, told, turn) = (Mutex::default(), Notify::new(), tokio::sync::Mutex::default());
        Shared { view, requests, operations, told, turn }
    }

    pub(super) fn view(&self) -> Arc<JobView> {
        Arc::clone(&self.view.borrow())
    }

    /// The job, by its id or its name.
    pub(super) fn job(&self, job: &str) -> Result<Arc<JobView>, Refused> {
        let view = self.view();
        if job == view.id || job == view.name {
            return Ok(view);
        }
        Err(Refused::not_found(format!("no job {job:?} here: this is '{}' ({})", view.name, view.id)))
    }

    pub(super) fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every outcome was told, or long enough.
    pub(super) async fn linger(&self) {
        let all_told = async {
            loop {
                let told = self.told.notified();
                tokio::pin!(told);
                // Enabled before the check, or what is told in between would be missed.
                told.as_mut().enable();
                if !self.operations().is_awaited() {
                    return;
                }
                told.await;
            }
        };
        let _ = tokio::time::timeout(LINGER, all_told).await;
    }
}
