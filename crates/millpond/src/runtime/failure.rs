//! What an operator says when it cannot go on.

use std::any::Any;
use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

/// What user code may return: any error.
pub type UserError = Box<dyn std::error::Error + Send + Sync>;

/// The longest rendering of a record in a message.
const RECORD_CHARS: usize = 400;

/// An error that every further attempt would meet again, such as a malformed record: the run ends at once, whatever the
/// restart strategy says. Wrap the error of a source, a sink or a function in it.
///
/// ```
/// use millpond::{Permanent, UserError};
/// fn parse(line: &str) -> Result<u64, UserError> {
///     Ok(line.parse().map_err(|error| Permanent::new(format!("'{line}' is no number: {error}")))?)
/// }
/// assert!(parse("x").is_err());
/// ```
#[derive(Debug)]
pub struct Permanent(UserError);

impl Permanent {
    /// Marks an error.
    pub fn new(error: impl Into<UserError>) -> Self {
        Permanent(error.into())
    }
}

impl std::fmt::Display for Permanent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Permanent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// What another attempt would make of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Prospect {
    /// That is for the restart strategy to find out.
    Uncertain,
    /// It would meet it again.
    Hopeless,
    /// The store did not answer while state was restored: it may the next time, whatever came before.
    StoreAway,
    /// It would meet it again, since what the snapshot names is not as it was written. An older one may be.
    Damaged,
}

impl Prospect {
    fn of(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Self {
        if error.is::<Permanent>() { Prospect::Hopeless } else { Prospect::Uncertain }
    }
}

/// What a report names where no operator failed, but the engine or what it stands on.
pub(crate) const ENGINE: &str = "engine";

/// What an operator was at when it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// Nothing that came in.
    None,
    /// A record, or a timer, as it is shown.
    Record(String),
    /// A record of which only this is left.
    Consumed(String),
}

/// Why an operator stopped, and on what.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(super) subject: Subject,
    pub(super) reason: String,
    pub(super) prospect: Prospect,
}

impl Failure {
    /// A failure that no single record is to blame for.
    pub(crate) fn new(reason: impl ToString) -> Self {
        Failure { subject: Subject::None, reason: reason.to_string(), prospect: Prospect::Uncertain }
    }

    /// What a source or a sink could not do.
    pub(crate) fn of(error: UserError) -> Self {
        Failure { subject: Subject::None, reason: chain(error.as_ref()), prospect: Prospect::of(error.as_ref()) }
    }

    fn on(record: &dyn Debug, reason: String, prospect: Prospect) -> Self {
        let mut text = format!("{record:?}");
        if let Some((cut, _)) = text.char_indices().nth(RECORD_CHARS) {
            text.truncate(cut);
            text.push('…');
        }
        Failure { subject: Subject::Record(text), reason, prospect }
    }
}

/// A failure as the coordinator hears of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailureReport {
    pub(crate) operator: String,
    pub(crate) subtask: usize,
    pub(crate) subject: Subject,
    pub(crate) reason: String,
    pub(crate) prospect: Prospect,
}

impl FailureReport {
    /// A failure of the engine itself, or of what it stands on.
    pub(crate) fn engine(reason: impl ToString) -> Self {
        FailureReport {
            operator: ENGINE.to_owned(),
            subtask: 0,
            subject: Subject::None,
            reason: reason.to_string(),
            prospect: Prospect::Uncertain,
        }
    }

    /// Whether it happened on the same record, for the same reason: then it will again.
    pub(crate) fn is_repeated(&self, before: Option<&FailureReport>) -> bool {
        let same = |other: &FailureReport| {
            (&other.operator, &other.subject, &other.reason) == (&self.operator, &self.subject, &self.reason)
        };
        matches!(self.subject, Subject::Record(_)) && before.is_some_and(same)
    }
}

impl std::fmt::Display for FailureReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "operator '{}' (subtask {}) failed", self.operator, self.subtask)?;
        match &self.subject {
            Subject::None => {}
            Subject::Record(record) => write!(f, " on record {record}")?,
            Subject::Consumed(mark) => write!(f, " on a record of {mark}")?,
        }
        write!(f, ": {}", self.reason)
    }
}

/// Runs `logic` on each record. If it fails or panics, the failure names the record.
pub(crate) fn for_each_record<T: Debug>(
    batch: &[T],
    mut logic: impl FnMut(&T) -> Result<(), UserError>,
) -> Result<(), Failure> {
    for_each_place(batch, |_, record| logic(record))
}

/// The same, for logic that also wants the record's place in the batch.
#[inline]
pub(crate) fn for_each_place<T: Debug>(
    batch: &[T],
    mut logic: impl FnMut(usize, &T) -> Result<(), UserError>,
) -> Result<(), Failure> {
    let at = Cell::new(0);
    let each = || {
        for (index, record) in batch.iter().enumerate() {
            at.set(index);
            logic(index, record)?;
        }
        Ok(())
    };
    name_failing(each, || &batch[at.get()])
}

/// Gives each record to `logic` to keep. If that fails or panics, the failure says what `mark` was: there is nothing else left
/// of the record, so that nobody can tell whether the next attempt fails on the same one.
#[inline]
pub(crate) fn for_each_taken<T, M: Copy + Debug>(
    batch: &mut Vec<T>,
    mark: impl Fn(&T) -> M,
    mut logic: impl FnMut(T) -> Result<(), UserError>,
) -> Result<(), Failure> {
    let at = Cell::new(None);
    let each = || {
        for record in batch.drain(..) {
            at.set(Some(mark(&record)));
            logic(record)?;
        }
        Ok(())
    };
    caught(each).map_err(|(reason, prospect)| {
        let subject = at.get().map_or(Subject::None, |mark| Subject::Consumed(format!("{mark:?}")));
        Failure { subject, reason, prospect }
    })
}

/// Runs `logic`. If it fails or panics, the failure names what it was `at`.
#[inline]
pub(crate) fn name_failing<D: Debug>(
    logic: impl FnOnce() -> Result<(), UserError>,
    at: impl FnOnce() -> D,
) -> Result<(), Failure> {
    caught(logic).map_err(|(reason, prospect)| Failure::on(&at(), reason, prospect))
}

/// Runs `logic`; says why it failed or panicked.
#[inline]
fn caught(logic: impl FnOnce() -> Result<(), UserError>) -> Result<(), (String, Prospect)> {
    match catch_unwind(AssertUnwindSafe(logic)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err((chain(error.as_ref()), Prospect::of(error.as_ref()))),
        Err(panic) => Err((panicked(panic.as_ref()), Prospect::Uncertain)),
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

/// What a panic said.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    format!("panicked: {text}")
}
