//! How a failure of an operator comes to the coordinator.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::failure::{Failure, FailureReport, panicked};
use super::mailbox::Outbox;
use super::message::ToCoordinator;

/// One subtask's line to the coordinator for failures.
#[derive(Debug)]
pub(crate) struct Reporter {
    operator: String,
    subtask: usize,
    outbox: Outbox,
    failed: Cell<bool>,
}

impl Reporter {
    pub(crate) fn new(operator: String, subtask: usize, outbox: Outbox) -> Self {
        Reporter { operator, subtask, outbox, failed: Cell::new(false) }
    }

    /// Runs `work`; if it fails or panics, tells the coordinator and returns `None`. An operator that has failed
    /// does nothing any more, and keeps the capabilities that it has, so that nothing passes it.
    pub(crate) fn guard<R>(&self, work: impl FnOnce() -> Result<R, Failure>) -> Option<R> {
        if self.failed.get() {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(result)) => Some(result),
            Ok(Err(failure)) => {
                self.report(failure);
                None
            }
            Err(panic) => {
                self.report(Failure::new(panicked(panic.as_ref())));
                None
            }
        }
    }

    /// Whether the operator has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    fn report(&self, failure: Failure) {
        self.failed.set(true);
        self.outbox.send(ToCoordinator::Failed(FailureReport {
            operator: self.operator.clone(),
            subtask: self.subtask,
            subject: failure.subject,
            reason: failure.reason,
            prospect: failure.prospect,
        }));
    }
}
