//! How a job is run.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::runtime::restart::RestartStrategy;
use crate::source::SourcePosition;

/// How a job is run: what the flags of `JOB run` say. Each field says its default.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The total number of workers. Default: one, or one a process.
    pub parallelism: Option<usize>,
    /// The store of snapshots: a path or a URL. Default: `millpond-store` in the working directory.
    pub store: Option<String>,
    /// The job's name in the store. Default: the name that the program gives it.
    pub name: Option<String>,
    /// How often a checkpoint is begun; zero for never. Default: 10 s.
    pub checkpoint_interval: Duration,
    /// The least time between the end of a checkpoint and the beginning of the next. Default: none.
    pub min_pause: Duration,
    /// How long a snapshot may take before it counts as failed. Default: 10 min.
    pub checkpoint_timeout: Duration,
    /// How many checkpoints in a row may fail before the run does. Default: 0.
    pub tolerable_failures: u32,
    /// How many checkpoints are kept. Default: 1.
    pub retain: usize,
    /// Whether checkpoints outlive a cancel. Default: no.
    pub retain_on_cancel: bool,
    /// The snapshot to start from. Default: the newest of this name, if its last run did not end on purpose.
    pub from: Option<String>,
    /// Whether state that no operator takes is left behind. Default: that refuses the start.
    pub allow_non_restored: bool,
    /// Operators of the snapshot, by uid, whose state another operator takes.
    pub map: Vec<(String, String)>,
    /// Operators, or states of them, of the snapshot that are left behind.
    pub drop: Vec<(String, Option<String>)>,
    /// Whether the run begins anew, without a snapshot, although its name has run before. Default: no.
    pub fresh: bool,
    /// Sources, by uid, and where they begin, whatever a snapshot says. Default: where the snapshot stands, or at their
    /// beginning.
    pub source_positions: Vec<(String, SourcePosition)>,
    /// What becomes of output that was prepared when the snapshot was taken, and not committed. Default: it is
    /// committed, unless the snapshot is of a job with another name.
    pub pending_output: Option<PendingOutput>,
    /// Whether to start although a run of the same name is live; that one then ends. Default: no.
    pub take_over: bool,
    /// Whether an operator with state must have been given its uid. Default: it is a warning.
    pub strict_uids: bool,
    /// What happens after a failure. Default: it starts again, each time after a longer delay.
    pub restart: RestartStrategy,
    /// Where the control server listens. Default: nowhere.
    pub listen: Listen,
    /// The processes of the job. Default: this one.
    pub cluster: Option<Cluster>,
    /// How often a savepoint is taken. Default: never.
    pub savepoint_every: Option<Duration>,
    /// Where keyed state is kept. Default: in memory.
    pub state_backend: StateBackend,
    /// With state on disk: how many bytes of memory this process uses for it, over all workers and operators. An estimate,
    /// from a sample of keys; what a batch of records or the writing of a snapshot takes comes on top. Default: 256 MB.
    pub state_cache: u64,
    /// With state on disk: the directory for it, on a disk that is large enough. It is scratch, which no run needs after it
    /// has ended: a run makes a directory of its own there and removes it, and what runs left behind that were killed.
    /// Default: the system's directory for temporary files.
    pub state_dir: Option<PathBuf>,
    /// Whether nothing but errors and warnings is printed. Default: yes; a job's command line says no.
    pub quiet: bool,
    /// Where processing time comes from. Default: the system's clock.
    pub clock: Clock,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            parallelism: None,
            store: None,
            name: None,
            checkpoint_interval: Duration::from_secs(10),
            min_pause: Duration::ZERO,
            checkpoint_timeout: Duration::from_secs(600),
            tolerable_failures: 0,
            retain: 1,
            retain_on_cancel: false,
            from: None,
            allow_non_restored: false,
            map: Vec::new(),
            drop: Vec::new(),
            fresh: false,
            source_positions: Vec::new(),
            pending_output: None,
            take_over: false,
            strict_uids: false,
            restart: RestartStrategy::default(),
            listen: Listen::Off,
            cluster: None,
            savepoint_every: None,
            state_backend: StateBackend::default(),
            state_cache: DEFAULT_STATE_CACHE,
            state_dir: None,
            quiet: true,
            clock: Clock::default(),
        }
    }
}

/// How much memory state takes if it may go to disk and nothing is said.
const DEFAULT_STATE_CACHE: u64 = 256_000_000;

/// Where keyed state is kept while a job runs. Snapshots are the same either way: a run can go on with the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum StateBackend {
    /// All of it in memory.
    #[default]
    Memory,
    /// Keys that were used lately in memory, the others on a local disk.
    Disk,
}

/// What becomes of output that a snapshot has prepared, and that is not known to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PendingOutput {
    /// It is committed when the run starts. To commit what was committed before changes nothing.
    Commit,
    /// This job does not commit it. It stays where it is, for the job that prepared it.
    Drop,
}

/// Where the control server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// There is none.
    Off,
    /// Here, or else the run does not start. Port 0 is any that is free.
    At(String),
    /// Here if the port is free, or else at any that is.
    Prefer(String),
}

/// The processes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Where each process listens for the others, `HOST:PORT`; the same list for each.
    pub hosts: Vec<String>,
    /// Which of them this one is, from 0.
    pub process: usize,
}
