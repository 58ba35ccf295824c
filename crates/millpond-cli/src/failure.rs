//! Why a command did not do what it was asked.

/// Each says what was tried, what came of it, and what to do next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody answers there.
    #[error(
        "no job answers at {address} ({reason}). A job prints the address of its control server when it starts, and \
         --listen sets it; give it with --address or MILLPOND_ADDRESS"
    )]
    Unreachable { address: String, reason: String },

    /// Somebody answers, but not as a job does.
    #[error("{address} does not answer like a Millpond job: {reason}; check --address")]
    NotUnderstood { address: String, reason: String },

    /// The job says no.
    #[error("{0}")]
    Refused(String),

    /// The savepoint came to nothing.
    #[error("the savepoint of '{job}' failed: {reason}")]
    Savepoint { job: String, reason: String },

    /// The job was gone before it said what became of the savepoint.
    #[error(
        "'{job}' ended before it said what became of the savepoint (request {request}); the job's log in its store \
         has the answer"
    )]
    Unheard { job: String, request: String },

    /// What the store says.
    #[error(transparent)]
    Snapshots(#[from] millpond_snapshot::Error),

    /// A query that has no answer.
    #[error("{0}")]
    Query(String),

    /// Something in a store is not as it was written.
    #[error("{problems} broken; go back to a snapshot that is whole, or copy a whole one from another store")]
    Broken { problems: String },

    /// Standard output cannot be written to.
    #[error("the result cannot be printed: {0}")]
    Output(std::io::Error),

    /// A file cannot be written.
    #[error("{path} cannot be written: {reason}", path = path.display())]
    File { path: std::path::PathBuf, reason: std::io::Error },

    /// The operating system has no threads to give.
    #[error("no threads to work with: {0}")]
    Threads(std::io::Error),
}
