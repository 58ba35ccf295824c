//! The `millpond` command. Each part is a folder: `jobs` speaks to a running job, `snapshots` to a store.

mod failure;
mod jobs;
mod output;
mod snapshots;
mod sql;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Steer running jobs, and look after the snapshots that they leave
#[derive(Parser)]
#[command(name = "millpond", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  millpond list                               the job that listens at 127.0.0.1:8081
  millpond savepoint flights --tag monday     take a savepoint; prints its address, such as flights@42
  millpond savepoint flights --latest         keep the newest checkpoint, at no cost for the job
  millpond stop flights --drain               fire all windows and timers, take a savepoint, end
  millpond cancel flights --address http://127.0.0.1:40123
  millpond snapshots ls                       what there is in the store ./millpond-store
  millpond snapshots show flights@latest      what is in a snapshot

Exit code 0: done. 1: not done, and why. 2: the command line is wrong.";

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Jobs(jobs::Command),
    /// Look into a store of snapshots, keep, compare, check, copy and clean them
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = SNAPSHOT_EXAMPLES)]
    Snapshots {
        #[command(subcommand)]
        command: snapshots::Command,
    },
}

const SNAPSHOT_EXAMPLES: &str =
    "A snapshot is named JOB@42, JOB@latest, JOB#tag, or by the path of an exported directory, such as ./monday.
The store is --store URL, or MILLPOND_STORE, or else ./millpond-store.

Examples:
  millpond snapshots ls flights                      sizes, tags and reasons
  millpond snapshots diff flights@41 flights@42 --rows 10
  millpond snapshots tag flights@latest before-upgrade
  millpond snapshots verify                          exit code 1 if anything is broken
  millpond snapshots export flights#monday ./monday  start a job from it: JOB run -s ./monday
  millpond snapshots copy flights#monday s3://backup/millpond
  millpond snapshots edit flights#monday --rename-operator sum=per-airport
  millpond snapshots thin flights --keep-daily 7 --keep-monthly 12 --dry-run
  millpond snapshots gc --dry-run";

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Jobs(command) => command.run(),
        Command::Snapshots { command } => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("millpond: {}", output::plain(&failure.to_string()));
            ExitCode::FAILURE
        }
    }
}
