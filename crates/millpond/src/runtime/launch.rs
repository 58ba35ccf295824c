//! How a run begins: in process 0 with a place in the job's log, in the others by doing what process 0 says.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use millpond_snapshot::log::{ContinueDecision, Entry, EntryBody, JobLog, continue_from, passed_over};
use millpond_snapshot::repository::{Resolved, SnapshotAddress, open_exported};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{JobName, Sequence, Store};
use tokio::sync::{Notify, mpsc};

use super::attempt::start;
use super::claim::{Claim, Holder, RUN_CONTROL, RUN_HOST, RUN_ID, RUN_PID};
use super::cluster::{Hello, Meeting, Welcome};
use super::coordinator::history::History;
use super::coordinator::publish::Publisher;
use super::directions::Directions;
use super::fit::fit;
use super::ids::new_id;
use super::lost;
use super::past::{FIRST_EPOCH, first_epoch, past};
use super::restore::Restored;
use super::session::{RunEnd, Session};
use super::whole::{self, Scene};
use super::worker::{Rein, Team, WorkerEnd};
use crate::control::view::{JobStatus, JobView, SnapshotCounts};
use crate::dataflow::flow::Flow;
use crate::error::Error;
use crate::job::definition::Definition;
use crate::job::options::RunOptions;
use crate::job::plan::Plan;
use crate::job::restore_plan::{RestoreFlags, RestorePlan};
use crate::state::spill::backend::Backend;

/// A job whose run is about to begin.
pub(crate) struct Launch {
    pub(crate) definition: Definition,
    pub(crate) plan: Plan,
    pub(crate) job: JobName,
    pub(crate) workers: usize,
    pub(crate) options: RunOptions,
    /// Where the control server listens.
    pub(crate) control: Option<String>,
    /// The store, if it is open already: tests give one that fails.
    pub(crate) store: Option<Store>,
    pub(crate) backend: Backend,
}

/// A run that has its place in the log.
pub(crate) struct Begun {
    pub(crate) session: Session,
    pub(crate) restored: Restored,
    pub(crate) restore_plan: RestorePlan,
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
        let Launch { definition, plan, job, workers, options, control, store, backend } = self;
        let store = match store {
            Some(store) => store,
            None => Store::open(address, mode(&plan, &job, &options).await?).await?,
        };
        let log = JobLog::open(&store, &job);
        let mut me = Holder::this(new_id()?, control);
        let mut claimed = None;
        let (claim, history, base, past, restored, restore_plan, directions) = loop {
            let scene = Scene { store: &store, job: &job };
            let mut entries = scene.entries(&log).await?;
            let (start, directions) = starting_point(&entries, &options);
            let base = match start {
                Some(address) => {
                    // What does not fit is refused before anything is marked or copied for it.
                    let found = scene.find(&address).await?;
                    fit(&plan, &job, &store, Some(&found), &directions.flags)?;
                    Some(scene.base(&address).await?)
                }
                None => None,
            };
            if let Some(base) = &base
                && base.job == job
                && entries.last().is_none_or(|last| last.sequence < base.sequence)
            {
                // It came from a directory and has been copied into this log.
                entries = log.entries().await?;
            }
            let (restored, restore_plan) = fit(&plan, &job, &store, base.as_ref(), &directions.flags)?;
            scene.check(base.as_ref(), &restored).await?;
            let claim = match claimed.take() {
                Some(claim) => claim,
                None => Claim::take(&store, &job, &me, &entries, options.take_over).await?,
            };
            let forgotten = if base.is_none() && !options.fresh { passed_over(&entries) } else { None };
            let past = base.as_ref().map_or_else(Vec::new, |base| past(&entries, base, &job)).into();
            let next = entries.last().map_or(Sequence::FIRST, |entry| entry.sequence.next());
            let start = EntryBody::Start {
                parallelism: u32::try_from(workers).unwrap_or(u32::MAX),
                restored_from: base.as_ref().map(|entry| SnapshotAddress::Entry(entry.id())),
                options: noted(&me, &directions, base.as_ref()),
            };
            // If another run took the number, what it did may change what to start from.
            if let Some(history) = History::start(&store, &job, next, start, entries).await? {
                if let Some(snapshot) = forgotten {
                    tracing::warn!(
                        "job '{job}' begins anew, although there is {snapshot}: to go on from there, cancel it and start it \
                         with -s {snapshot}; if it is meant, say --fresh"
                    );
                }
                break (claim, history, base, past, restored, restore_plan, directions);
            }
            claimed = Some(claim);
        };
        me.run = Some(history.run().0);
        claim.update(&me);
        let plan = Arc::new(plan);
        let id = me.id.clone();
        let view = JobView {
            id: me.id,
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
            id,
            options,
            definition,
            plan,
            job,
            store,
            history,
            base,
            flags: directions.flags,
            claim,
            past,
            publisher,
            stopping: None,
            workers,
            backend,
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
        loop {
            let meet = Arc::clone(&meeting);
            let met = tokio::task::spawn_blocking(move || meet.follow());
            let (welcome, sockets) = tokio::select! {
                met = met => met.map_err(Error::failed)??,
                () = interrupt.notified() => return Ok(RunEnd::Interrupted),
            };
            let store = common_store(address, &welcome).await?;
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
                    positions: welcome.positions,
                }),
                store: store.clone(),
                handle: tokio::runtime::Handle::current(),
                clock: self.options.clock.clone(),
                backend: self.backend.clone(),
                process: self.options.cluster.as_ref().map_or(0, |cluster| cluster.process),
                processes: sockets.len(),
                threads,
                flow: Arc::new(Flow::new(self.workers)),
                alignment: Arc::default(),
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

/// Opens the store that process 0 writes to as well. One that is only called the same would get chunks which nobody finds at a
/// restore.
async fn common_store(address: &str, welcome: &Welcome) -> Result<Store, Error> {
    let store = Store::open(address, OpenMode::Existing).await?;
    let entry = JobLog::open(&store, &welcome.job).read(welcome.run).await?;
    let is_begun = |entry: Entry| match entry.body {
        EntryBody::Start { options, .. } => options.get(RUN_ID) == Some(&welcome.id),
        _ => false,
    };
    if !entry.is_some_and(is_begun) {
        return Err(Error::input(format!(
            "the store {address} is not the one of process 0, as it has nothing of this run of job '{}'; give all processes a \
             --store that is one and the same place",
            welcome.job
        )));
    }
    Ok(store)
}

/// Whether the store may be made for the run: not if a snapshot of it is asked for, nor if one in a directory is that is not
/// there or does not fit.
async fn mode(plan: &Plan, job: &JobName, options: &RunOptions) -> Result<OpenMode, Error> {
    match options.from.as_deref().map(str::parse).transpose()? {
        None => {}
        Some(SnapshotAddress::Directory(path)) => {
            let Resolved { store, entry } = whole::exported(&path, open_exported(&path).await)?;
            fit(plan, job, &store, Some(&entry), &flags(options))?;
        }
        Some(_) => return Ok(OpenMode::Existing),
    }
    Ok(OpenMode::CreateIfMissing)
}

/// The address to start from, which is what was asked for or where the last run of the name left off, and what to do with
/// what is there.
fn starting_point(entries: &[Entry], options: &RunOptions) -> (Option<String>, Directions) {
    let given = flags(options);
    if options.from.is_some() || options.fresh {
        return (options.from.clone(), Directions { flags: given, ..Directions::default() });
    }
    let address = match continue_from(entries) {
        ContinueDecision::Fresh => None,
        ContinueDecision::From(address) => Some(address.to_string()),
    };
    (address, Directions::go_on(given, entries))
}

/// What a start entry notes of its run, besides where it began.
fn noted(me: &Holder, directions: &Directions, base: Option<&Entry>) -> BTreeMap<String, String> {
    let mut options = BTreeMap::from([
        (FIRST_EPOCH.to_owned(), first_epoch(base).to_string()),
        (RUN_ID.to_owned(), me.id.clone()),
    ]);
    let known = [
        (RUN_HOST, me.host.clone()),
        (RUN_PID, me.pid.map(|pid| pid.to_string())),
        (RUN_CONTROL, me.control.clone()),
    ];
    options.extend(known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    directions.write(&mut options);
    options
}

fn flags(options: &RunOptions) -> RestoreFlags {
    RestoreFlags {
        allow_non_restored: options.allow_non_restored,
        map: options.map.clone(),
        drop: options.drop.clone(),
        positions: options.source_positions.clone(),
        pending_output: options.pending_output,
    }
}
