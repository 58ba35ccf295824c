//! The verbs of a job's command line.

use std::ffi::OsString;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::flags::{CheckFlags, CheckOptions, RunFlags};
use super::plan::PlanFormat;
use crate::job::options::RunOptions;

/// What `--help` and `--version` say of the program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// How the program is called; also the name that its job has by default.
    pub(crate) name: String,
    /// What it does, in a line or a few.
    pub(crate) about: Option<String>,
    pub(crate) version: Option<String>,
}

/// What the command line asks for, with the job's own options.
#[derive(Debug)]
pub(crate) enum Command<O> {
    Run(Box<RunOptions>, O),
    Plan(PlanFormat, O),
    Check(CheckOptions, O),
}

#[derive(Parser)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct CommandLine<O: Args> {
    #[command(subcommand)]
    verb: Verb<O>,
}

#[derive(Subcommand)]
enum Verb<O: Args> {
    /// Run the job
    ///
    /// A run with the name and the store of an earlier one goes on from its newest complete checkpoint, if that
    /// run did not end by stop, cancel or end of input.
    Run {
        #[command(flatten, next_help_heading = "The job's own options")]
        job: O,
        #[command(flatten)]
        flags: Box<RunFlags>,
    },
    /// Show the job's operators, uids and states, without running it
    Plan {
        #[command(flatten, next_help_heading = "The job's own options")]
        job: O,
        #[command(flatten)]
        flags: PlanFlags,
    },
    /// Say whether a snapshot fits the job, state by state, without running it
    ///
    /// Exit code 0: it fits. 1: it fits with the flags that are named. 2: it does not.
    Check {
        #[command(flatten, next_help_heading = "The job's own options")]
        job: O,
        #[command(flatten)]
        flags: CheckFlags,
    },
}

#[derive(Args)]
#[command(next_help_heading = "Output")]
struct PlanFlags {
    /// How to show it; dot is for Graphviz
    #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
    format: PlanFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// Reads a command line; its first word is the program.
///
/// # Errors
/// What clap makes of a mistake, of `--help` and of `--version`: [`clap::Error::exit`] prints it to the right
/// stream and ends with the right code.
pub(crate) fn parse<O: Args>(
    program: &Program,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Command<O>, clap::Error> {
    let mut command = describe::<O>(program);
    let matches = command.try_get_matches_from_mut(arguments)?;
    let verb = CommandLine::<O>::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?.verb;
    let wrong = |message: String| command.error(clap::error::ErrorKind::ValueValidation, message);
    Ok(match verb {
        Verb::Run { job, flags } => Command::Run(Box::new(flags.into_options().map_err(wrong)?), job),
        Verb::Plan { job, flags } => Command::Plan(if flags.json { PlanFormat::Json } else { flags.format }, job),
        Verb::Check { job, flags } => Command::Check(flags.into_options(), job),
    })
}

fn describe<O: Args>(program: &Program) -> clap::Command {
    let name = &program.name;
    let mut command = CommandLine::<O>::command()
        .name(name.clone())
        .bin_name(name.clone())
        .mut_subcommand("run", |run| run.after_help(run_examples(name)))
        .mut_subcommand("check", |check| check.after_help(check_examples(name)))
        .after_help(format!(
            "Steer a running job with the `millpond` command:\n  \
             millpond list\n  millpond savepoint {name}\n  millpond stop {name}"
        ));
    if let Some(about) = &program.about {
        command = command.about(about.clone());
    }
    if let Some(version) = &program.version {
        command = command.version(version.clone());
    }
    command
}

fn run_examples(name: &str) -> String {
    format!(
        "Examples:
  {name} run                                      go on where the last run was cut off, or begin
  {name} run -p 4 --checkpoint-interval 1s        four workers, a checkpoint each second
  {name} run -s {name}@42                         from snapshot 42 of this job in the store
  {name} run -s '{name}#before-upgrade' --drop old-operator
                                                  from a tagged savepoint, leaving an operator's state behind
  {name} run -s {name}@42 --name {name}-b         a second job from the same snapshot, beside the first
  {name} run -s {name}@42 --source-position UID=beginning
                                                  with the state of then, and the input from its beginning
  {name} run --store s3://bucket/millpond --restart fixed:3,10s
  {name} run --hosts a:7000,b:7000 --process 0    the first of two processes of one job"
    )
}

fn check_examples(name: &str) -> String {
    format!(
        "Examples:
  {name} check -s {name}@latest                   does this program fit the newest snapshot?
  {name} check -s {name}@42 --map totals=carrier-totals --json"
    )
}
