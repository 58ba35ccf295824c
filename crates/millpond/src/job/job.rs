//! A job that can be planned and run.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use millpond_snapshot::JobName;
use millpond_snapshot::log::SnapshotId;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};

use super::definition::{self, Definition};
use super::options::Listen;
use super::options::RunOptions;
use super::uids::derived_uids;
use crate::control::request::{Refusal, Request, RequestKind, Requests};
use crate::control::server;
use crate::control::view::{JobView, Outcome};
use crate::error::Error;
use crate::runtime::coordinator::publish::Publisher;
use crate::runtime::launch::{Begun, Launch};
use crate::runtime::session::RunEnd;
use crate::state::spill::backend::Backend;
use crate::stream::env::Env;

/// Where snapshots are kept if nothing else is said.
pub(crate) const DEFAULT_STORE: &str = "millpond-store";

/// A job: a name and a definition.
///
/// ```no_run
/// use millpond::{Job, RunOptions};
///
/// let job = Job::new("nothing", |_env| Ok(()));
/// let report = job.run(RunOptions { parallelism: Some(2), ..RunOptions::default() })?;
/// println!("{:?}", report.end);
/// # Ok::<(), millpond::Error>(())
/// ```
#[derive(Clone)]
pub struct Job {
    name: String,
    definition: Definition,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// How.
    pub end: RunEnd,
    /// The newest snapshot that there is of it, `JOB@SEQUENCE`.
    pub snapshot: Option<String>,
}

impl Job {
    /// A job that `define` defines. It runs once to plan, and once on each worker of each attempt; it must define the same
    /// each time.
    pub fn new(
        name: impl Into<String>,
        define: impl for<'s> Fn(&Env<'s>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Job { name: name.into(), definition: Arc::new(define) }
    }

    /// Its operators and their states.
    pub(crate) fn plan(&self, parallelism: usize) -> Result<super::plan::Plan, Error> {
        definition::plan(&self.definition, parallelism)
    }

    /// Runs the job until it ends. Blocks.
    ///
    /// # Errors
    /// If it cannot be started, or fails and is not restarted. [`Error::kind`] says what to do.
    pub fn run(&self, options: RunOptions) -> Result<RunReport, Error> {
        self.start(options)?.wait()
    }

    /// Starts the job, which then runs in the background.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&self, options: RunOptions) -> Result<RunningJob, Error> {
        Ok(self.start_with(options, &Listen::Off)?.0)
    }

    /// As [`Job::start`], and listens for a control server, whose address is known to the job's log from the start. In
    /// process 0.
    pub(crate) fn start_with(
        &self,
        options: RunOptions,
        listen: &Listen,
    ) -> Result<(RunningJob, Option<TcpListener>), Error> {
        Job::start_launch(self.launch(options)?, listen)
    }

    /// As [`Job::start`], on a store that is open already.
    #[cfg(test)]
    pub(crate) fn start_on(
        &self,
        store: millpond_snapshot::Store,
        options: RunOptions,
    ) -> Result<RunningJob, Error> {
        let launch = Launch { store: Some(store), ..self.launch(options)? };
        Ok(Job::start_launch(launch, &Listen::Off)?.0)
    }

    fn start_launch(mut launch: Launch, listen: &Listen) -> Result<(RunningJob, Option<TcpListener>), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("millpond")
            .enable_all()
            .build()
            .map_err(|error| Error::failed(format!("no threads could be started: {error}")))?;
        let address = launch.options.store.clone().unwrap_or_else(|| DEFAULT_STORE.to_owned());
        let interrupt = Arc::new(Notify::new());
        let (requests, asked) = mpsc::channel(16);
        let follows = launch.options.cluster.as_ref().is_some_and(|cluster| cluster.process != 0);
        if follows {
            let stop = Arc::clone(&interrupt);
            let run = runtime.spawn(async move {
                let end = launch.follow(&address, &stop).await;
                (end.map(|end| (end, None)), None)
            });
            return Ok((RunningJob::new(runtime, run, requests, interrupt), None));
        }
        let listener = runtime.block_on(server::bind(listen))?;
        launch.control = listener.as_ref().and_then(|at| at.local_addr().ok()).map(|address| address.to_string());
        let Begun { session, restored, restore_plan, view } = runtime.block_on(launch.begin(&address))?;
        let stop = Arc::clone(&interrupt);
        let run = runtime.spawn(async move {
            let (outcome, publisher) = session.run(restored, asked, stop).await;
            (outcome, Some(publisher))
        });
        let mut running = RunningJob::new(runtime, run, requests, interrupt);
        running.view = Some(view);
        running.restore_plan = Some(restore_plan);
        Ok((running, listener))
    }

    fn launch(&self, options: RunOptions) -> Result<Launch, Error> {
        let name = options.name.as_deref().unwrap_or(&self.name);
        let job = JobName::new(name).map_err(|error| Error::input(format!("job name '{name}': {error}")))?;
        let processes = options.cluster.as_ref().map_or(1, |cluster| cluster.hosts.len());
        let workers = options.parallelism.unwrap_or(processes);
        if workers == 0 || !workers.is_multiple_of(processes) {
            return Err(Error::input(format!(
                "-p {workers}: the number of workers must be at least 1, and a multiple of the number of processes ({processes})"
            )));
        }
        if let Some(cluster) = &options.cluster
            && cluster.process >= processes
        {
            return Err(Error::input(format!(
                "--process {}: --hosts names {processes} processes, which are numbered from 0",
                cluster.process
            )));
        }
        if options.fresh && options.from.is_some() {
            return Err(Error::input(
                "--fresh begins without a snapshot, and --from-savepoint names one: give one of them",
            ));
        }
        let plan = self.plan(workers)?;
        let derived = derived_uids(&plan);
        if options.strict_uids && !derived.is_empty() {
            return Err(Error::job(format!("--strict-uids:\n  {}", derived.join("\n  "))));
        }
        for warning in derived {
            tracing::warn!("{warning}");
        }
        let backend = Backend::open(&options, &plan, workers / processes)?;
        let definition = Arc::clone(&self.definition);
        let (control, store) = (None, None);
        Ok(Launch { definition, plan, job, workers, options, control, backend, store })
    }
}

/// How a run ended, and what keeps its view up.
type RunOutcome = (Result<(RunEnd, Option<SnapshotId>), Error>, Option<Publisher>);

/// How long what goes on beside a run may take to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// A job that runs in the background.
///
/// Dropping it ends the run as an interrupt does: it goes on from its newest snapshot when it is started again.
pub struct RunningJob {
    runtime: tokio::runtime::Runtime,
    run: tokio::task::JoinHandle<RunOutcome>,
    requests: Requests,
    interrupt: Arc<Notify>,
    /// In process 0.
    pub(crate) view: Option<watch::Receiver<Arc<JobView>>>,
    pub(crate) restore_plan: Option<super::restore_plan::RestorePlan>,
    /// What goes on beside the run and is waited for when it has ended.
    attendants: Vec<tokio::task::JoinHandle<()>>,
    over: Arc<Notify>,
}

impl RunningJob {
    fn new(
        runtime: tokio::runtime::Runtime,
        run: tokio::task::JoinHandle<RunOutcome>,
        requests: Requests,
        interrupt: Arc<Notify>,
    ) -> Self {
        let (attendants, over) = (Vec::new(), Arc::default());
        RunningJob { runtime, run, requests, interrupt, view: None, restore_plan: None, attendants, over }
    }

    /// Runs `beside` the job. It is told when the run is over, and then has a moment to end.
    pub(crate) fn attend<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        beside: impl FnOnce(Arc<Notify>) -> F,
    ) {
        let attendant = self.runtime.spawn(beside(Arc::clone(&self.over)));
        self.attendants.push(attendant);
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// As [`Job::run`].
    pub fn wait(mut self) -> Result<RunReport, Error> {
        let outcome = self.runtime.block_on(&mut self.run);
        let broke = |error| Error::failed(format!("the coordinator broke: {error}"));
        let (outcome, _view) = outcome.map_err(broke)?;
        for attendant in self.attendants.drain(..) {
            self.over.notify_one();
            let _ = self.runtime.block_on(async { tokio::time::timeout(FAREWELL, attendant).await });
        }
        let (end, snapshot) = outcome?;
        Ok(RunReport { end, snapshot: snapshot.map(|id| id.to_string()) })
    }

    /// Takes a savepoint, and waits until it is published. Gives its address, `JOB@SEQUENCE`.
    ///
    /// # Errors
    /// If it is refused or fails; the job goes on.
    pub fn savepoint(&self) -> Result<String, Error> {
        let kind = RequestKind::Savepoint { tag: None, latest: false, cancel: false };
        let id = self.ask(kind)?;
        self.outcome(&id)
    }

    /// Takes a savepoint and ends the run; with `drain`, event time is brought to its end first.
    ///
    /// # Errors
    /// If the savepoint is refused or fails; the job goes on, unless it was drained.
    pub fn stop(self, drain: bool) -> Result<RunReport, Error> {
        let id = self.begin_stop(drain)?;
        self.outcome(&id)?;
        self.wait()
    }

    /// Asks for the savepoint and the end; gives the request's id.
    pub(crate) fn begin_stop(&self, drain: bool) -> Result<String, Error> {
        self.ask(RequestKind::Stop { drain, tag: None })
    }

    /// Ends the run.
    ///
    /// # Errors
    /// If its log cannot be written.
    pub fn cancel(self) -> Result<RunReport, Error> {
        self.ask(RequestKind::Cancel)?;
        self.wait()
    }

    /// Ends the run as if the process had died: no entry in the log, nothing committed that was not.
    ///
    /// # Errors
    /// If a worker broke.
    pub fn interrupt(self) -> Result<RunReport, Error> {
        self.interrupt.notify_one();
        self.wait()
    }

    /// How many records the sources have read so far in this run.
    pub fn records_read(&self) -> u64 {
        self.view.as_ref().map_or(0, |view| view.borrow().records_read)
    }

    /// How many snapshots this run has published.
    pub fn snapshots_published(&self) -> u64 {
        self.view.as_ref().map_or(0, |view| view.borrow().counts.completed)
    }

    /// How many checkpoints and savepoints of this run have failed.
    pub fn snapshots_failed(&self) -> u64 {
        self.view.as_ref().map_or(0, |view| view.borrow().counts.failed)
    }

    /// Whether the run has ended.
    pub fn has_ended(&self) -> bool {
        self.run.is_finished()
    }

    pub(crate) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    pub(crate) fn interrupter(&self) -> Arc<Notify> {
        Arc::clone(&self.interrupt)
    }

    pub(crate) fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    fn ask(&self, kind: RequestKind) -> Result<String, Error> {
        let gone = || Error::failed("the job has ended");
        self.runtime.block_on(async {
            let (reply, answer) = tokio::sync::oneshot::channel();
            let request = Request { id: None, kind, requested_by: None, reply };
            self.requests.send(request).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?.map_err(|Refusal(reason)| Error::input(reason))
        })
    }

    /// Waits until it is known what became of a request for a savepoint.
    pub(crate) fn outcome(&self, request: &str) -> Result<String, Error> {
        let Some(mut view) = self.view.clone() else { return Err(Error::input("ask process 0")) };
        self.runtime.block_on(async {
            loop {
                let outcome =
                    view.borrow_and_update().requests.get(request).map(|request| request.outcome.clone());
                match outcome {
                    Some(Outcome::Completed(id)) => return Ok(id.to_string()),
                    Some(Outcome::Failed(reason)) => return Err(Error::failed(reason)),
                    Some(Outcome::InProgress) | None => {}
                }
                view.changed().await.map_err(|_| Error::failed("the job ended before the savepoint was taken"))?;
            }
        })
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        if !self.run.is_finished() {
            self.interrupt.notify_one();
            let _ = self.runtime.block_on(&mut self.run);
        }
    }
}
