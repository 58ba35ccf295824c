//! A run of a job: attempt after attempt, until it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use millpond_snapshot::log::{Entry, EntryBody, JobLog, SnapshotId};
use millpond_snapshot::manifest::Manifest;
use millpond_snapshot::repository::SnapshotAddress;
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{JobName, Sequence, Store, repository};
use tokio::sync::{Notify, mpsc, oneshot};

use super::attempt::Attempt;
use super::cluster::{Hello, Meeting, Welcome};
use super::coordinator::assembly::Assembly;
use super::coordinator::drive::{AttemptEnd, Driver, Ears, RunEnd, new_id};
use super::coordinator::history::History;
use super::coordinator::pending::Asked;
use super::coordinator::publish::Publisher;
use super::lost;
use super::message::ToWorker;
use super::restart::{RestartDecision, RestartTracker};
use super::restore::Restored;
use super::worker::{Rein, Team, WorkerEnd};
use crate::control::request::{Request, RequestKind};
use crate::control::view::{JobStatus, JobView, SnapshotCounts};
use crate::dataflow::flow::Flow;
use crate::error::Error;
use crate::job::definition::Definition;
use crate::job::options::RunOptions;
use crate::job::plan::Plan;
use crate::job::restore_plan::{RestoreFlags, RestorePlan};

/// How long workers in other processes have to hear that an attempt is over.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

/// What a run needs, however many attempts it takes.
pub(crate) struct Session {
    pub(crate) options: RunOptions,
    pub(crate) definition: Definition,
    pub(crate) plan: Arc<Plan>,
    pub(crate) job: JobName,
    pub(crate) store: Store,
    pub(crate) history: History,
    /// The snapshot that the next attempt starts from.
    pub(crate) base: Option<Entry>,
    past: Arc<[(u64, u64)]>,
    pub(crate) publisher: Publisher,
    /// A stop whose savepoint was published and whose last entry was not written yet.
    pub(crate) stopping: Option<Asked>,
    workers: usize,
    meeting: Option<Meeting>,
}

/// A job whose run is about to begin.
pub(crate) struct Launch {
    pub(crate) definition: Definition,
    pub(crate) plan: Plan,
    pub(crate) job: JobName,
    pub(crate) workers: usize,
    pub(crate) options: RunOptions,
}

/// A run that has its place in the log.
pub(crate) struct Begun {
    pub(crate) session: Session,
    pub(crate) restored: Restored,
    pub(crate) restore_plan: Option<RestorePlan>,
    pub(crate) view: tokio::sync::watch::Receiver<Arc<JobView>>,
}

impl Launch {
    fn threads(&self) -> usize {
        let processes = self.options.cluster.as_ref().map_or(1, |cluster| cluster.hosts.len());
        self.workers / processes
    }

    fn meeting(&self) -> Result<Option<Meeting>, Error> {
        let cluster = self.options.cluster.as_ref();
        cluster.map(|c| Meeting::open(c, Hello::new(c, &self.plan, self.workers))).transpose()
    }

    /// Opens the store, decides what to start from, checks that it fits, and takes the run's place in the log.
    pub(crate) async fn begin(self, address: &str) -> Result<Begun, Error> {
        let meeting = self.meeting()?;
        let Launch { definition, plan, job, workers, options } = self;
        // A snapshot of the store that is asked for must be there, and so must the store.
        let wanted = options.from.as_deref().map(str::parse::<SnapshotAddress>).transpose()?;
        let mode = match wanted {
            None | Some(SnapshotAddress::Directory(_)) => OpenMode::CreateIfMissing,
            Some(_) => OpenMode::Existing,
        };
        let store = Store::open(address, mode).await?;
        let log = JobLog::open(&store, &job);
        let (history, base, past, restored, restore_plan) = loop {
            let base = match starting_point(&log, &options).await? {
                Some(address) => Some(repository::begin_from(&store, &address, &job).await?.entry),
                None => None,
            };
            let (restored, restore_plan) = fit(&plan, &store, base.as_ref(), &flags(&options))?;
            let entries = log.entries().await?;
            let past = base.as_ref().map_or_else(Vec::new, |base| past(&entries, base, &job)).into();
            let next = entries.last().map_or(Sequence::FIRST, |entry| entry.sequence.next());
            let start = EntryBody::Start {
                parallelism: u32::try_from(workers).unwrap_or(u32::MAX),
                restored_from: base.as_ref().map(|entry| SnapshotAddress::Entry(entry.id())),
                options: BTreeMap::from([(FIRST_EPOCH.to_owned(), first_epoch(base.as_ref()).to_string())]),
            };
            // If another run took the number, what it did may change what to start from.
            if let Some(history) = History::start(&store, &job, next, start, entries).await? {
                break (history, base, past, restored, restore_plan);
            }
        };
        let plan = Arc::new(plan);
        let view = JobView {
            id: new_id()?,
            name: job.to_string(),
            run: history.run(),
            status: JobStatus::Initializing,
            started: Timestamp::now(),
            ended: None,
            parallelism: workers,
            store: store.address().to_owned(),
            plan: Arc::clone(&plan),
            restarts: 0,
            failure: None,
            records_read: 0,
            restored_from: base.as_ref().map(Entry::id),
            counts: SnapshotCounts { restored: u64::from(base.is_some()), ..SnapshotCounts::default() },
            snapshots: Vec::new(),
            requests: BTreeMap::new(),
        };
        let (publisher, view) = Publisher::new(view);
        let session = Session {
            options,
            definition,
            plan,
            job,
            store,
            history,
            base,
            past,
            publisher,
            stopping: None,
            workers,
            meeting,
        };
        Ok(Begun { session, restored, restore_plan, view })
    }

    /// The life of a process other than 0: it does what process 0 says.
    pub(crate) async fn follow(self, address: &str, interrupt: &Notify) -> Result<RunEnd, Error> {
        let Some(meeting) = self.meeting()? else {
            return Err(Error::job("only a process of a cluster can follow"));
        };
        let meeting = Arc::new(meeting);
        let threads = self.threads();
        let plan = Arc::new(self.plan);
        let store = Store::open(address, OpenMode::CreateIfMissing).await?;
        loop {
            let meet = Arc::clone(&meeting);
            let met = tokio::task::spawn_blocking(move || meet.follow());
            let (welcome, sockets) = tokio::select! {
                met = met => met.map_err(Error::failed)??,
                () = interrupt.notified() => return Ok(RunEnd::Interrupted),
            };
            let (to_coordinator, _nobody) = mpsc::unbounded_channel();
            let rein = Arc::new(Rein::new(threads, &sockets));
            let lost = lost::watch();
            let team = Team {
                definition: Arc::clone(&self.definition),
                plan: Arc::clone(&plan),
                job: welcome.job,
                run: welcome.run,
                past: welcome.past.into(),
                first_epoch: welcome.first_epoch,
                restored: Arc::new(Restored {
                    snapshot: welcome.restored.map(|manifest| (store.clone(), manifest)),
                    operators: welcome.operators,
                }),
                store: store.clone(),
                handle: tokio::runtime::Handle::current(),
                clock: self.options.clock.clone(),
                process: self.options.cluster.as_ref().map_or(0, |cluster| cluster.process),
                processes: sockets.len(),
                threads,
                flow: Arc::new(Flow::new(self.workers)),
                limiters: Arc::default(),
                to_coordinator,
                rein: Arc::clone(&rein),
            };
            let mut ended = start(team, sockets)?;
            let end = tokio::select! {
                end = &mut ended => end,
                () = lost.notified() => {
                    rein.abort();
                    ended.await
                }
                () = interrupt.notified() => {
                    rein.abort();
                    return Ok(RunEnd::Interrupted);
                }
            };
            match end.map_err(Error::failed)?? {
                WorkerEnd::Finished => return Ok(RunEnd::Finished),
                WorkerEnd::Aborted { again: false } => return Ok(RunEnd::Cancelled),
                WorkerEnd::Aborted { again: true } => {
                    tracing::warn!("the attempt failed; the processes meet again")
                }
            }
        }
    }
}

/// Under which a start entry says the first epoch of its run.
const FIRST_EPOCH: &str = "first-epoch";

/// The epoch after that of a snapshot.
fn first_epoch(base: Option<&Entry>) -> u64 {
    base.and_then(Entry::snapshot).map_or(1, |record| record.manifest.epoch.0 + 1)
}

/// The runs of `job` that lead to the snapshot `base`, newest first, each with the last epoch of it that counts.
fn past(entries: &[Entry], base: &Entry, job: &JobName) -> Vec<(u64, u64)> {
    let mut past = Vec::new();
    let mut step = (base.job == *job).then(|| (base.run, first_epoch(Some(base)) - 1));
    while let Some((run, last_epoch)) = step {
        past.push((run.0, last_epoch));
        let start = entries.iter().find(|entry| entry.sequence == run).map(|entry| &entry.body);
        step = match start {
            Some(EntryBody::Start { restored_from: Some(SnapshotAddress::Entry(id)), options, .. })
                if id.job == *job && id.sequence < run =>
            {
                // The snapshot may be gone; the run that took it is the last that had started by then.
                let starts = entries.iter().filter(|entry| matches!(entry.body, EntryBody::Start { .. }));
                let before = starts.map(|entry| entry.sequence).filter(|start| *start < id.sequence).max();
                let first = options.get(FIRST_EPOCH).and_then(|epoch| epoch.parse::<u64>().ok());
                before.zip(first.and_then(|first| first.checked_sub(1)))
            }
            _ => None,
        };
    }
    past
}

/// The address to start from: what was asked for, or where the last run of the name left off.
async fn starting_point(log: &JobLog, options: &RunOptions) -> Result<Option<String>, Error> {
    if let Some(address) = &options.from {
        return Ok(Some(address.clone()));
    }
    Ok(match log.plan_start().await?.0 {
        millpond_snapshot::log::ContinueDecision::Fresh => None,
        millpond_snapshot::log::ContinueDecision::From(address) => Some(address.to_string()),
    })
}

pub(crate) fn flags(options: &RunOptions) -> RestoreFlags {
    RestoreFlags {
        allow_non_restored: options.allow_non_restored,
        map: options.map.clone(),
        drop: options.drop.clone(),
    }
}

/// Checks that a snapshot fits a plan.
fn fit(
    plan: &Plan,
    store: &Store,
    base: Option<&Entry>,
    flags: &RestoreFlags,
) -> Result<(Restored, Option<RestorePlan>), Error> {
    let Some(manifest) = base.and_then(Entry::snapshot).map(|record| &record.manifest) else {
        return Ok((Restored::default(), None));
    };
    let restore_plan = RestorePlan::new(plan, manifest, flags)?;
    if let Some(refusal) = restore_plan.refusal() {
        return Err(Error::snapshot(refusal));
    }
    let manifest = restore_plan.without_dropped(manifest);
    let restored =
        Restored { snapshot: Some((store.clone(), manifest)), operators: restore_plan.operators.clone() };
    Ok((restored, Some(restore_plan)))
}

/// Starts the workers of this process. The result resolves when they have ended.
fn start(
    team: Team,
    sockets: Vec<Option<std::net::TcpStream>>,
) -> Result<oneshot::Receiver<Result<WorkerEnd, Error>>, Error> {
    let attempt = Attempt::start(Arc::new(team), sockets)?;
    let (tell, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("join-workers".to_owned())
        .spawn(move || {
            let _ = tell.send(attempt.join());
        })
        .map_err(|error| Error::failed(format!("no thread could be started: {error}")))?;
    Ok(ended)
}

impl Session {
    /// Runs until the job is over. `restored` is what the first attempt starts with. The view outlives the run, so that
    /// whoever asked for something can still see what became of it.
    pub(crate) async fn run(
        mut self,
        restored: Restored,
        requests: mpsc::Receiver<Request>,
        interrupt: Arc<Notify>,
    ) -> (Result<(RunEnd, Option<SnapshotId>), Error>, Publisher) {
        let outcome = self.attempts(restored, requests, &interrupt).await;
        self.publisher.status(match &outcome {
            Ok(RunEnd::Finished | RunEnd::Stopped(_)) => JobStatus::Finished,
            Ok(RunEnd::Cancelled | RunEnd::Interrupted) => JobStatus::Cancelled,
            Err(_) => JobStatus::Failed,
        });
        let newest = self.base.as_ref().map(Entry::id);
        (outcome.map(|end| (end, newest)), self.publisher)
    }

    async fn attempts(
        &mut self,
        mut restored: Restored,
        mut requests: mpsc::Receiver<Request>,
        interrupt: &Notify,
    ) -> Result<RunEnd, Error> {
        let mut tracker = RestartTracker::new(self.options.restart);
        let mut last = None;
        let mut started = false;
        let mut epoch = first_epoch(self.base.as_ref());
        loop {
            let before = self.base.as_ref().map(Entry::id);
            let (end, next_epoch) = self.attempt(Arc::new(restored), epoch, &mut requests, interrupt).await?;
            epoch = next_epoch + 1;
            let report = match end {
                AttemptEnd::Over(end) => return Ok(end),
                AttemptEnd::Interrupted => return Ok(RunEnd::Interrupted),
                AttemptEnd::Cancelled => return self.cancelled().await,
                AttemptEnd::Failed(report) => report,
            };
            // What fails before anything has been read fails for a reason that somebody has to mend.
            started |= report.record.is_some()
                || self.publisher.records_read() > 0
                || self.base.as_ref().map(Entry::id) != before;
            let decision = tracker.on_failure(Instant::now());
            let hopeless = if !started {
                "; it could not start"
            } else if report.permanent {
                "; another attempt would meet it again"
            } else if report.is_repeated(last.as_ref()) {
                "; it did so twice in a row on the same record"
            } else {
                ""
            };
            let delay = match decision {
                RestartDecision::After(delay) if hopeless.is_empty() => delay,
                _ => {
                    self.failed(&report.operator, report.to_string(), false).await?;
                    return Err(Error::failed(format!("{report}{hopeless}\n{}", self.how_to_continue())));
                }
            };
            self.failed(&report.operator, report.to_string(), true).await?;
            tracing::warn!("{report}; starting again in {delay:?}");
            last = Some(report);
            let interrupted = async {
                tokio::select! {
                    () = tokio::time::sleep(delay) => None,
                    () = interrupt.notified() => Some(RunEnd::Interrupted),
                    () = wait_for_cancel(&mut requests) => Some(RunEnd::Cancelled),
                }
            };
            match interrupted.await {
                Some(RunEnd::Cancelled) => return self.cancelled().await,
                Some(end) => return Ok(end),
                None => {}
            }
            // What this run has published fits the program, without flags.
            let own =
                self.base.as_ref().is_some_and(|entry| entry.run == self.history.run() && entry.job == self.job);
            let flags = if own { RestoreFlags::default() } else { flags(&self.options) };
            restored = fit(&self.plan, &self.store, self.base.as_ref(), &flags)?.0;
        }
    }

    async fn attempt(
        &mut self,
        restored: Arc<Restored>,
        first_epoch: u64,
        requests: &mut mpsc::Receiver<Request>,
        interrupt: &Notify,
    ) -> Result<(AttemptEnd, u64), Error> {
        let processes = self.options.cluster.as_ref().map_or(1, |cluster| cluster.hosts.len());
        let threads = self.workers / processes;
        let sockets = self.meet(&restored, first_epoch).await?;
        let rein = Arc::new(Rein::new(threads, &sockets));
        let lost = lost::watch();
        let (to_coordinator, from_workers) = mpsc::unbounded_channel();
        let team = Team {
            definition: Arc::clone(&self.definition),
            plan: Arc::clone(&self.plan),
            job: self.job.clone(),
            run: self.history.run(),
            past: Arc::clone(&self.past),
            first_epoch,
            restored: Arc::clone(&restored),
            store: self.store.clone(),
            handle: tokio::runtime::Handle::current(),
            clock: self.options.clock.clone(),
            process: 0,
            processes,
            threads,
            flow: Arc::new(Flow::new(self.workers)),
            limiters: Arc::default(),
            to_coordinator,
            rein: Arc::clone(&rein),
        };
        let ended = start(team, sockets)?;
        let (done, when_done) = oneshot::channel();
        let (relay, relayed) = oneshot::channel();
        // The driver wants to know of an end that it did not ask for, and this function of every end.
        tokio::spawn(async move {
            let end = ended.await.unwrap_or_else(|error| Err(Error::failed(error)));
            let _ = relay.send(end);
            let _ = done.send(());
        });
        let assembly = Assembly::new(&self.plan, &restored);
        let workers = self.workers;
        let ears = Ears { from_workers, requests, interrupt, lost: &lost, ended: relayed };
        let commander = Arc::clone(&rein);
        let outcome =
            Driver::new(self, workers, first_epoch, assembly).drive(ears, || commander.commander()).await;
        if processes > 1
            && let Some(commander) = rein.commander()
        {
            let again = matches!(outcome, Ok((AttemptEnd::Failed(_), _)));
            commander.command(None, ToWorker::Abort { again });
            let mut when_done = when_done;
            if tokio::time::timeout(FAREWELL, &mut when_done).await.is_err() {
                rein.abort();
                let _ = when_done.await;
            }
        } else {
            rein.abort();
            let _ = when_done.await;
        }
        outcome
    }

    /// Meets the other processes, if there are any.
    async fn meet(
        &mut self,
        restored: &Restored,
        first_epoch: u64,
    ) -> Result<Vec<Option<std::net::TcpStream>>, Error> {
        let Some(meeting) = self.meeting.take() else { return Ok(vec![None]) };
        let welcome = Welcome {
            job: self.job.clone(),
            run: self.history.run(),
            past: self.past.to_vec(),
            first_epoch,
            restored: restored.snapshot.as_ref().map(|(_, manifest)| Manifest::clone(manifest)),
            operators: restored.operators.clone(),
        };
        let met = tokio::task::spawn_blocking(move || {
            let sockets = meeting.lead(&welcome);
            (meeting, sockets)
        });
        let (meeting, sockets) = met.await.map_err(Error::failed)?;
        self.meeting = Some(meeting);
        sockets
    }

    async fn cancelled(&mut self) -> Result<RunEnd, Error> {
        let retained = self.options.retain_on_cancel;
        self.history.write(EntryBody::Cancel { retained }).await?;
        if !retained {
            self.history.retain(0).await?;
        }
        Ok(RunEnd::Cancelled)
    }

    async fn failed(&mut self, operator: &str, reason: String, restart: bool) -> Result<(), Error> {
        self.publisher.change(|view| {
            view.failure = Some(reason.clone());
            view.restarts += u32::from(restart);
            view.status = if restart { JobStatus::Restarting } else { JobStatus::Failed };
        });
        let operator = (operator != "engine").then(|| operator.to_owned());
        match self.history.write(EntryBody::Failure { operator, reason, restart }).await {
            Err(error) if error.kind() == crate::ErrorKind::Fenced => Err(error),
            Err(error) => {
                tracing::warn!(%error, "that the run failed could not be written to the job's log");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    fn how_to_continue(&self) -> String {
        match &self.base {
            Some(entry) => format!("run it again to continue from {}", entry.id()),
            None => "it had no snapshot yet; run it again to start anew".to_owned(),
        }
    }
}

async fn wait_for_cancel(requests: &mut mpsc::Receiver<Request>) {
    while let Some(request) = requests.recv().await {
        let cancel = request.kind == RequestKind::Cancel;
        let refusal =
            crate::control::request::Refusal("the job is waiting to start again after a failure".to_owned());
        let _ = request.reply.send(if cancel { Ok(String::new()) } else { Err(refusal) });
        if cancel {
            return;
        }
    }
    std::future::pending().await
}
