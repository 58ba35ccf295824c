//! What an operator that is being built knows of the run that it is part of.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use millpond_snapshot::hash::HashRange;
use millpond_snapshot::{JobName, Sequence};
use tokio::runtime::Handle;

use super::mailbox::Mailbox;
use super::message::ToCoordinator;
use super::reporter::Reporter;
use super::restore::Restored;
use super::writer::Writer;
use crate::clock::Clock;
use crate::dataflow::aligned::Setting;
use crate::dataflow::flow::Flow;
use crate::error::Error;
use crate::job::plan::Plan;
use crate::source::alignment::Alignment;
use crate::source::rate::RateLimiter;
use crate::state::spill::backend::Backend;

/// One worker's part of a run. Shared by the operators of the worker, and dropped with them.
pub(crate) struct WorkerContext {
    pub(crate) job: JobName,
    /// The sequence of the run's start entry: no two runs of a job have the same.
    pub(crate) run: Sequence,
    /// The earlier runs that this one stands on, each with the last epoch of it that counts.
    pub(crate) past: Arc<[(u64, u64)]>,
    pub(crate) worker: usize,
    pub(crate) workers: usize,
    pub(crate) first_epoch: u64,
    pub(crate) plan: Arc<Plan>,
    pub(crate) handle: Handle,
    pub(crate) flow: Arc<Flow>,
    pub(crate) alignment: Arc<Alignment>,
    pub(crate) mailbox: Rc<Mailbox>,
    pub(crate) writer: Rc<Writer>,
    pub(crate) restored: Arc<Restored>,
    pub(crate) clock: Clock,
    pub(crate) backend: Backend,
    /// The limits of the sources of this process, by operator.
    pub(crate) limiters: Arc<Mutex<HashMap<usize, Arc<RateLimiter>>>>,
    /// Workers of this process.
    pub(crate) threads: usize,
    /// Records that the sources of this worker have read.
    pub(crate) read: Rc<std::cell::Cell<u64>>,
    /// The first thing that went wrong while the dataflow was built.
    pub(crate) build_error: RefCell<Option<(usize, Error)>>,
}

impl WorkerContext {
    /// The hashes that this worker owns.
    pub(crate) fn range(&self) -> HashRange {
        HashRange::of_worker(self.worker, self.workers)
    }

    pub(crate) fn uid(&self, operator: usize) -> String {
        self.plan.operators[operator].uid.to_string()
    }

    pub(crate) fn reporter(&self, operator: usize) -> Rc<Reporter> {
        Rc::new(Reporter::new(self.plan.operators[operator].title(), self.worker, self.mailbox.outbox()))
    }

    /// What an aligned operator is built with.
    pub(crate) fn setting(&self, operator: usize) -> Setting {
        let outbox = self.mailbox.outbox();
        Setting {
            name: self.plan.operators[operator].name.clone(),
            first_epoch: self.first_epoch,
            flow: Arc::clone(&self.flow),
            reporter: self.reporter(operator),
            on_drained: Box::new(move || outbox.send(ToCoordinator::Drained)),
        }
    }

    /// The limit of the source `operator`, of which this process gets its share.
    pub(crate) fn limiter(&self, operator: usize, per_second: f64) -> Arc<RateLimiter> {
        let share = per_second * self.threads as f64 / self.workers as f64;
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(limiters.entry(operator).or_insert_with(|| Arc::new(RateLimiter::new(share))))
    }

    /// Notes that `operator` could not be built. The run fails once the dataflow stands.
    pub(crate) fn build_failed(&self, operator: usize, error: Error) {
        self.build_error.borrow_mut().get_or_insert((operator, error));
    }
}
