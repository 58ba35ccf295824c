//! What may be given to `JOB run` and `JOB check`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use millpond_snapshot::JobName;
use millpond_snapshot::repository::SnapshotAddress;

use super::restart;
use super::values::{self, host, source_position, uid_and_state, uid_pair};
use crate::clock::Clock;
use crate::job::options::{Cluster, Listen, PendingOutput, RunOptions, StateBackend};
use crate::runtime::restart::RestartStrategy;
use crate::source::SourcePosition;

/// The flags of `JOB run`, by subject.
#[derive(Args)]
pub(super) struct RunFlags {
    #[command(flatten)]
    job: JobFlags,
    /// The snapshot to start from: JOB@42, JOB@latest, JOB#tag, or the path or URL of an exported directory
    /// [default: this job's newest checkpoint, if its last run did not end on purpose]
    #[arg(short = 's', long = "from-savepoint", value_name = "SNAPSHOT", alias = "fromSavepoint")]
    #[arg(help_heading = "Start from a snapshot")]
    from: Option<SnapshotAddress>,
    /// Begin anew, without a snapshot, although this name has run before; its savepoints stay, its checkpoints go when
    /// newer ones come
    #[arg(long, conflicts_with = "from", help_heading = "Start from a snapshot")]
    fresh: bool,
    #[command(flatten)]
    restore: RestoreFlags,
    #[command(flatten)]
    snapshots: SnapshotFlags,
    #[command(flatten)]
    state: StateFlags,
    #[command(flatten)]
    operation: OperationFlags,
}

#[derive(Args)]
#[command(next_help_heading = "Job")]
struct JobFlags {
    /// The total number of workers [default: 1, or one a process]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    parallelism: Option<u16>,
    /// The store of snapshots: a path or a URL (s3://, gs://, az://, memory://) [default: ./millpond-store]
    #[arg(long, value_name = "PATH|URL", env = "MILLPOND_STORE")]
    store: Option<String>,
    /// The job's name in the store [default: the program's own]
    #[arg(long)]
    name: Option<JobName>,
}

/// The flags that say what becomes of state that does not match by itself.
#[derive(Args)]
#[command(next_help_heading = "Start from a snapshot")]
struct RestoreFlags {
    /// Leave state behind that no operator of the job takes
    #[arg(short = 'n', long, alias = "allowNonRestoredState")]
    allow_non_restored_state: bool,
    /// The operator NEW takes the state that the snapshot has under the uid OLD (may be repeated)
    #[arg(long, value_name = "OLD=NEW", value_parser = uid_pair)]
    map: Vec<(String, String)>,
    /// Leave an operator's state, or one state of it, behind (may be repeated; after a uid that has a '/' in it,
    /// write one more)
    #[arg(long, value_name = "UID[/STATE]", value_parser = uid_and_state)]
    drop: Vec<(String, Option<String>)>,
    /// Where a source begins, whatever the snapshot says: earliest (or beginning), latest (or end), a time such as
    /// 2026-11-24T10:00:00Z, or a position that the source understands (may be repeated)
    #[arg(long = "source-position", value_name = "UID=POSITION", value_parser = source_position)]
    source_position: Vec<(String, SourcePosition)>,
    /// What becomes of output that was prepared when the snapshot was taken, and not yet committed [default: commit, or
    /// drop if the snapshot is of a job with another name, which commits it itself]
    #[arg(long, value_name = "commit|drop", value_enum, hide_possible_values = true)]
    pending_output: Option<PendingOutput>,
    /// Refuse operators that have state and a derived uid, rather than warn
    #[arg(long)]
    strict_uids: bool,
}

#[derive(Args)]
#[command(next_help_heading = "Checkpoints and savepoints")]
struct SnapshotFlags {
    /// How often a checkpoint is begun; 0s for never
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    checkpoint_interval: Duration,
    /// The least time between the end of a checkpoint and the beginning of the next
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = values::duration)]
    min_pause: Duration,
    /// How long a snapshot may take before it counts as failed
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::positive_duration)]
    checkpoint_timeout: Duration,
    /// How many checkpoints in a row may fail before the run does
    #[arg(long, value_name = "N", default_value_t = 0)]
    tolerable_failed_checkpoints: u32,
    /// How many checkpoints are kept; older ones go by themselves
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    retain: u16,
    /// Keep the checkpoints when the job is cancelled
    #[arg(long)]
    retain_on_cancel: bool,
    /// Take a savepoint this often, which is kept until somebody deletes it [default: only when asked]
    #[arg(long, value_name = "DURATION", value_parser = values::positive_duration)]
    savepoint_every: Option<Duration>,
}

#[derive(Args)]
#[command(next_help_heading = "State")]
struct StateFlags {
    /// Where keyed state is kept: all in memory, or on a local disk but for what was used lately. Snapshots are the same, so
    /// that a job can go on with the other
    #[arg(long, value_name = "memory|disk", value_enum, default_value_t, hide_possible_values = true)]
    state_backend: StateBackend,
    /// With state on disk: how much memory this process uses for it, such as 512MB or 4GiB
    #[arg(long, value_name = "SIZE", default_value = "256MB", value_parser = values::size)]
    state_cache: u64,
    /// With state on disk: the directory for it; scratch, removed at the end of the run [default: the system's directory for
    /// temporary files, which may be small or in memory]
    #[arg(long, value_name = "PATH")]
    state_dir: Option<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Operation")]
struct OperationFlags {
    /// What happens after a failure: none | fixed:ATTEMPTS,DELAY | exponential[:INITIAL,MAX,FACTOR[,RESET[,ATTEMPTS]]]
    /// | rate:FAILURES,INTERVAL,DELAY
    #[arg(long, value_name = "STRATEGY", default_value = "exponential:1s,1m,1.5,1h", value_parser = restart::parse)]
    restart: RestartStrategy,
    /// Where the control server listens, or off; it knows no passwords, and whoever reaches it may stop the job [default:
    /// 127.0.0.1:8081, or another port if that one is taken]
    #[arg(long, value_name = "ADDR:PORT|off", env = "MILLPOND_LISTEN", value_parser = values::listen)]
    listen: Option<Listen>,
    /// Where each process of the job listens for the others; the same list for each
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', value_parser = host, requires = "process")]
    hosts: Option<Vec<String>>,
    /// Which of --hosts this process is, from 0
    #[arg(long, value_name = "I", requires = "hosts")]
    process: Option<usize>,
    /// Start although another run of this name is live, and end that one: it commits nothing more and ends with an error
    #[arg(long)]
    take_over: bool,
    /// Print nothing but warnings and errors
    #[arg(short, long)]
    quiet: bool,
}

impl RunFlags {
    /// The options that they amount to, or why they do not go together.
    pub(super) fn into_options(self) -> Result<RunOptions, String> {
        let RunFlags { job, restore, from, fresh, snapshots, state, operation } = self;
        let parallelism = job.parallelism.map(usize::from);
        Ok(RunOptions {
            cluster: cluster(operation.hosts, operation.process, parallelism)?,
            parallelism,
            store: job.store,
            name: job.name.map(String::from),
            checkpoint_interval: snapshots.checkpoint_interval,
            min_pause: snapshots.min_pause,
            checkpoint_timeout: snapshots.checkpoint_timeout,
            tolerable_failures: snapshots.tolerable_failed_checkpoints,
            retain: snapshots.retain.into(),
            retain_on_cancel: snapshots.retain_on_cancel,
            from: from.map(String::from),
            allow_non_restored: restore.allow_non_restored_state,
            map: restore.map,
            drop: restore.drop,
            fresh,
            source_positions: restore.source_position,
            pending_output: restore.pending_output,
            take_over: operation.take_over,
            strict_uids: restore.strict_uids,
            restart: operation.restart,
            listen: operation.listen.unwrap_or_else(|| Listen::Prefer(values::LISTEN.to_owned())),
            savepoint_every: snapshots.savepoint_every,
            state_backend: state.state_backend,
            state_cache: state.state_cache,
            state_dir: state.state_dir,
            quiet: operation.quiet,
            clock: Clock::default(),
        })
    }
}

fn cluster(
    hosts: Option<Vec<String>>,
    process: Option<usize>,
    parallelism: Option<usize>,
) -> Result<Option<Cluster>, String> {
    let (Some(hosts), Some(process)) = (hosts, process) else {
        return Ok(None);
    };
    let count = hosts.len();
    if process >= count {
        return Err(format!("--process {process}: --hosts names {count}, so it must be 0 to {}", count - 1));
    }
    if let Some(twice) = hosts.iter().enumerate().find(|(i, host)| hosts[..*i].contains(host)) {
        return Err(format!("--hosts names '{}' twice: each process needs an address of its own", twice.1));
    }
    if let Some(workers) = parallelism.filter(|workers| workers % count != 0) {
        return Err(format!(
            "-p {workers} with {count} --hosts: every process has the same number of workers, so the total must be a \
             multiple of {count}"
        ));
    }
    Ok(Some(Cluster { hosts, process }))
}

/// The flags of `JOB check`.
#[derive(Args)]
pub(super) struct CheckFlags {
    /// The snapshot: JOB@42, JOB@latest, JOB#tag, or the path or URL of an exported directory
    #[arg(short = 's', long = "from-savepoint", value_name = "SNAPSHOT", alias = "fromSavepoint")]
    #[arg(help_heading = "Start from a snapshot")]
    from: SnapshotAddress,
    #[command(flatten)]
    restore: RestoreFlags,
    /// The job's name in the store: one that the snapshot is not of makes a fork [default: the program's own]
    #[arg(long, help_heading = "Start from a snapshot")]
    name: Option<JobName>,
    /// The store that the snapshot is in: a path or a URL [default: ./millpond-store]
    #[arg(long, value_name = "PATH|URL", env = "MILLPOND_STORE", help_heading = "Start from a snapshot")]
    store: Option<String>,
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// What `JOB check` is asked.
#[derive(Clone, Debug)]
pub(crate) struct CheckOptions {
    /// The snapshot's address.
    pub(crate) from: String,
    /// The store that it is in; `None`: the default.
    pub(crate) store: Option<String>,
    /// The job's name; `None`: the program's own.
    pub(crate) name: Option<JobName>,
    pub(crate) flags: crate::job::restore_plan::RestoreFlags,
    pub(crate) strict_uids: bool,
    pub(crate) json: bool,
}

impl CheckFlags {
    pub(super) fn into_options(self) -> CheckOptions {
        CheckOptions {
            from: self.from.into(),
            store: self.store,
            name: self.name,
            strict_uids: self.restore.strict_uids,
            flags: crate::job::restore_plan::RestoreFlags {
                allow_non_restored: self.restore.allow_non_restored_state,
                map: self.restore.map,
                drop: self.restore.drop,
                positions: self.restore.source_position,
                pending_output: self.restore.pending_output,
            },
            json: self.json,
        }
    }
}
