//! The `millpond` command. Each part is a folder: `jobs` speaks to a running job.

mod failure;
mod jobs;
mod output;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Steer running jobs: take savepoints, stop, cancel
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

Exit code 0: done. 1: not done, and why. 2: the command line is wrong.";

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Jobs(jobs::Command),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Jobs(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("millpond: {failure}");
            ExitCode::FAILURE
        }
    }
}
