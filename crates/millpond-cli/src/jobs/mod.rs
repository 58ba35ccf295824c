//! Running jobs, over the control server of each.
//!
//! The verbs are Flink's. A verb that changes something waits until it is done, unless `--detached`.

mod cancel;
mod client;
mod list;
mod savepoint;

use clap::{Args, Subcommand};
use millpond_snapshot::JobName;

use crate::failure::Failure;

/// What can be done with running jobs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what runs at an address
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Take a savepoint: a snapshot that is kept until somebody deletes it
    Savepoint(savepoint::Savepoint),
    /// Take a savepoint and end the job
    Stop(savepoint::Stop),
    /// End the job without a savepoint
    Cancel(cancel::Cancel),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Command::List(list) => list.run(),
            Command::Savepoint(savepoint) => savepoint.run(),
            Command::Stop(stop) => stop.run(),
            Command::Cancel(cancel) => cancel.run(),
        }
    }
}

/// Where the job is, and how to print what comes of it.
#[derive(Args)]
struct Connection {
    /// The control server of the job, as it prints it when it starts
    #[arg(short = 'm', long, alias = "jobmanager", value_name = "URL", env = "MILLPOND_ADDRESS")]
    #[arg(default_value = "http://127.0.0.1:8081", value_parser = client::address)]
    address: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which job.
#[derive(Args)]
struct Job {
    /// The job's name, or its id
    #[arg(value_name = "JOB")]
    job: JobName,
}
