//! The `main` of a job.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use millpond_snapshot::JobName;
use tokio::net::TcpListener;

use super::cli::{self, CheckOptions, Command};
use super::job::{DEFAULT_STORE, Job, RunReport, RunningJob};
use super::options::RunOptions;
use super::restore_plan::{self, Fit};
use super::uids::derived_uids;
use super::{check, progress};
use crate::control::server;
use crate::error::Error;
use crate::runtime::session::RunEnd;
use crate::stream::env::Env;

/// What a shell sees of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

type Define<O> = dyn for<'s> Fn(&Env<'s>, &O) -> Result<(), Error> + Send + Sync;
type AtEnd<O> = Box<dyn Fn(&O, &RunReport)>;

/// A program that is a job: `run`, `plan` and `check` on its command line, and the options of its own.
///
/// ```no_run
/// use millpond::{Collect, IteratorSource, Program, WatermarkStrategy};
///
/// #[derive(clap::Args)]
/// struct Options {
///     /// Words to count
///     #[arg(long)]
///     word: Vec<String>,
/// }
///
/// fn main() -> std::process::ExitCode {
///     Program::new("words", |env, options: &Options| {
///         let words = options.word.clone();
///         env.source(IteratorSource::new(move || words.clone().into_iter()), WatermarkStrategy::none())
///             .uid("words")
///             .key_by(|word| word.clone())
///             .count()
///             .uid("count")
///             .sink(millpond::Stdout::new());
///         Ok(())
///     })
///     .about("Counts words")
///     .main()
/// }
/// ```
pub struct Program<O> {
    name: String,
    about: Option<String>,
    define: Arc<Define<O>>,
    at_end: Option<AtEnd<O>>,
}

impl<O: Args + Send + Sync + 'static> Program<O> {
    /// A program called `name`, which is also its job's name unless `--name` gives another. `define` gets the program's
    /// own options; for what it may do see [`Job::new`].
    pub fn new(
        name: impl Into<String>,
        define: impl for<'s> Fn(&Env<'s>, &O) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Program { name: name.into(), about: None, define: Arc::new(define), at_end: None }
    }

    /// What `--help` says of it.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    /// What to do when a run has come to a good end: the input ended, or it was stopped. In process 0 only.
    pub fn at_end(mut self, show: impl Fn(&O, &RunReport) + 'static) -> Self {
        self.at_end = Some(Box::new(show));
        self
    }

    /// Does what the command line of the process says.
    pub fn main(self) -> ExitCode {
        self.main_from(std::env::args_os())
    }

    /// Does what a command line says; its first word is the program.
    pub fn main_from(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        let described = cli::Program {
            name: self.name.clone(),
            about: self.about.clone(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        };
        let command = match cli::parse::<O>(&described, arguments) {
            Ok(command) => command,
            Err(error) => error.exit(),
        };
        log_to_stderr();
        let checks = matches!(command, Command::Check(..));
        let outcome = match command {
            Command::Run(options, own) => self.run(*options, own),
            Command::Plan(format, own) => self.job(Arc::new(own)).plan(1).map(|plan| {
                print(&cli::plan::render(&self.name, &plan, format));
                ExitCode::SUCCESS
            }),
            Command::Check(options, own) => self.check(options, own),
        };
        outcome.unwrap_or_else(|error| {
            say(&format!("{}: error: {error}", self.name));
            // What could not be checked does not fit; 1 would say that it does with flags.
            if checks { ExitCode::from(2) } else { ExitCode::FAILURE }
        })
    }

    fn job(&self, own: Arc<O>) -> Job {
        let define = Arc::clone(&self.define);
        Job::new(self.name.clone(), move |env| define(env, &own))
    }

    fn run(&self, options: RunOptions, own: O) -> Result<ExitCode, Error> {
        let own = Arc::new(own);
        let quiet = options.quiet;
        let listen = options.listen.clone();
        let (mut running, listener) = self.job(Arc::clone(&own)).start_with(options, &listen)?;
        let leads = running.view.is_some();
        attend(&mut running, &self.name, listener, quiet);
        let report = running.wait()?;
        let name = &self.name;
        let from = report.snapshot.as_deref();
        Ok(match &report.end {
            RunEnd::Interrupted => {
                say(&match from {
                    Some(at) => format!("{name}: interrupted; run the same command again to continue from {at}"),
                    None => format!(
                        "{name}: interrupted before its first snapshot; run the same command again to continue"
                    ),
                });
                ExitCode::from(INTERRUPTED)
            }
            RunEnd::Cancelled => {
                say(&format!("{name}: cancelled"));
                ExitCode::SUCCESS
            }
            RunEnd::Finished | RunEnd::Stopped(_) => {
                if let (RunEnd::Stopped(at), false) = (&report.end, quiet) {
                    say(&format!("{name}: stopped with savepoint {at}; start from it with: run -s {at}"));
                }
                if let (Some(show), true) = (&self.at_end, leads) {
                    show(&own, &report);
                }
                ExitCode::SUCCESS
            }
        })
    }

    fn check(&self, options: CheckOptions, own: O) -> Result<ExitCode, Error> {
        let plan = self.job(Arc::new(own)).plan(1)?;
        let derived = derived_uids(&plan);
        if options.strict_uids && !derived.is_empty() {
            return Err(Error::job(format!("--strict-uids:\n  {}", derived.join("\n  "))));
        }
        let store = options.store.as_deref().unwrap_or(DEFAULT_STORE);
        for warning in derived {
            tracing::warn!("{warning}");
        }
        let job = match &options.name {
            Some(job) => job.clone(),
            None => JobName::new(&self.name)
                .map_err(|error| Error::input(format!("job name '{}': {error}", self.name)))?,
        };
        let (address, restore_plan) = check::against(&plan, &job, store, &options)?;
        print(&restore_plan::render(&address, &restore_plan, options.json));
        Ok(match restore_plan.fit() {
            Fit::Fits => ExitCode::SUCCESS,
            Fit::WithFlags => ExitCode::from(1),
            Fit::Not => ExitCode::from(2),
        })
    }
}

/// What goes on beside a run: the control server, the progress line, and an ear for Ctrl-C.
fn attend(running: &mut RunningJob, name: &str, listener: Option<TcpListener>, quiet: bool) {
    let interrupt = running.interrupter();
    running.handle().spawn(async move {
        wait_for_signal().await;
        interrupt.notify_one();
        wait_for_signal().await;
        // The first asked politely.
        std::process::exit(i32::from(INTERRUPTED));
    });
    let Some(view) = running.view.clone() else { return };
    if !quiet {
        announce(name, running);
    }
    if let Some(listener) = listener {
        if let (Ok(address), false) = (listener.local_addr(), quiet) {
            say(&format!("{name}: control server at http://{address}"));
        }
        let (requests, view) = (running.requests(), view.clone());
        running.attend(|over| async move {
            let over = async move { over.notified().await };
            if let Err(error) = server::serve(listener, view, requests, over).await {
                tracing::warn!(%error, "the control server broke");
            }
        });
    }
    running.handle().spawn(progress::show(view, quiet));
}

fn announce(name: &str, running: &RunningJob) {
    let Some(view) = &running.view else { return };
    let view = view.borrow();
    let workers =
        if view.parallelism == 1 { "1 worker".to_owned() } else { format!("{} workers", view.parallelism) };
    let from = match &view.restored_from {
        Some(id) => format!("from snapshot {id}"),
        None => "from the beginning".to_owned(),
    };
    say(&format!("{name}: run {} with {workers}, {from}, store {}", view.run.0, view.store));
    if let Some(plan) = running.restore_plan.as_ref().filter(|plan| !plan.is_plain()) {
        say(&restore_plan::describe(plan));
    }
}

async fn wait_for_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Warnings and errors, or what `RUST_LOG` says, on standard error.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A program that has set up its own keeps it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

/// A line for a person. A closed standard error is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What was asked for.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}
