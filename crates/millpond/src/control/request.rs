//! What may be asked of a running job.

use millpond_snapshot::Tag;
use tokio::sync::{mpsc, oneshot};

/// Something to do, and where to say whether it was taken on. What becomes of it is found under its id in the
/// [`JobView`](super::view::JobView), and in the job's log.
#[derive(Debug)]
pub(crate) struct Request {
    /// The id that whoever asks has chosen for it; one is made otherwise.
    pub(crate) id: Option<String>,
    pub(crate) kind: RequestKind,
    /// Who asks, for the log.
    pub(crate) requested_by: Option<String>,
    /// Gets the request's id, or why it is refused.
    pub(crate) reply: oneshot::Sender<Result<String, Refusal>>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// Take a savepoint.
    Savepoint {
        /// A name for it.
        tag: Option<Tag>,
        /// Promote the newest checkpoint instead, which costs no barrier.
        latest: bool,
        /// End the run once it is published: Flink's cancel with savepoint.
        cancel: bool,
    },
    /// Take a savepoint and end.
    Stop {
        /// Bring event time to its end first.
        drain: bool,
        /// A name for the savepoint.
        tag: Option<Tag>,
    },
    /// End.
    Cancel,
}

/// Why a request is not taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// The way to ask.
pub(crate) type Requests = mpsc::Sender<Request>;
