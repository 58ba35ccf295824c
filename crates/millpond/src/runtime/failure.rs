//! What an operator says when it cannot go on.

use std::any::Any;
use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use super::mailbox::Outbox;
use super::message::ToCoordinator;

/// What user code may return: any error.
pub type UserError = Box<dyn std::error::Error + Send + Sync>;

/// The longest rendering of a record in a message.
const RECORD_CHARS: usize = 400;

/// Why an operator stopped, and on which record.
#[derive(Debug)]
pub(crate) struct Failure {
    record: Option<String>,
    reason: String,
}

impl Failure {
    /// A failure that no single record is to blame for.
    pub(crate) fn new(reason: impl ToString) -> Self {
        Failure { record: None, reason: reason.to_string() }
    }

    fn on(record: &dyn Debug, reason: String) -> Self {
        let mut text = format!("{record:?}");
        if let Some((cut, _)) = text.char_indices().nth(RECORD_CHARS) {
            text.truncate(cut);
            text.push('…');
        }
        Failure { record: Some(text), reason }
    }
}

impl From<millpond_snapshot::Error> for Failure {
    fn from(error: millpond_snapshot::Error) -> Self {
        Failure::new(error)
    }
}

/// A failure as the coordinator hears of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FailureReport {
    pub(crate) operator: String,
    pub(crate) subtask: usize,
    pub(crate) record: Option<String>,
    pub(crate) reason: String,
}

impl std::fmt::Display for FailureReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "operator '{}' (subtask {}) failed", self.operator, self.subtask)?;
        if let Some(record) = &self.record {
            write!(f, " on record {record}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Runs `logic` on each record. If it fails or panics, the failure names the record.
pub(crate) fn for_each_record<T: Debug>(
    batch: &[T],
    mut logic: impl FnMut(&T) -> Result<(), UserError>,
) -> Result<(), Failure> {
    let at = Cell::new(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for (index, record) in batch.iter().enumerate() {
            at.set(index);
            logic(record)?;
        }
        Ok::<_, UserError>(())
    }));
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::on(&batch[at.get()], chain(error.as_ref()))),
        Err(panic) => Err(Failure::on(&batch[at.get()], panicked(panic.as_ref()))),
    }
}

/// An error and its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    format!("panicked: {text}")
}

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
            record: failure.record,
            reason: failure.reason,
        }));
    }
}
