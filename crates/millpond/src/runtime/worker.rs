//! The life of a worker thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use millpond_snapshot::{JobName, Sequence, Store};
use timely::worker::Worker;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::context::WorkerContext;
use super::control::{self, Place, Verdict};
use super::failure::{ENGINE, FailureReport, Prospect, Subject};
use super::mailbox::Outbox;
use super::message::ToCoordinator;
use super::restore::Restored;
use super::writer::Writer;
use crate::clock::Clock;
use crate::dataflow::flow::Flow;
use crate::dataflow::time::Time;
use crate::error::{Error, ErrorKind};
use crate::job::definition::Definition;
use crate::job::plan::Plan;
use crate::source::alignment::Alignment;
use crate::source::rate::RateLimiter;
use crate::state::spill::backend::Backend;
use crate::stream::env::Env;

/// The longest a worker sleeps without looking around.
const PARK: Duration = Duration::from_secs(1);
/// How often a worker says how much it has read.
const COUNT_INTERVAL: Duration = Duration::from_millis(200);

/// What the workers of a process have in common during one attempt to run the job.
pub(crate) struct Team {
    pub(crate) definition: Definition,
    pub(crate) plan: Arc<Plan>,
    pub(crate) job: JobName,
    pub(crate) run: Sequence,
    pub(crate) past: Arc<[(u64, u64)]>,
    pub(crate) first_epoch: u64,
    pub(crate) restored: Arc<Restored>,
    pub(crate) store: Store,
    pub(crate) handle: Handle,
    pub(crate) clock: Clock,
    pub(crate) backend: Backend,
    pub(crate) process: usize,
    pub(crate) processes: usize,
    /// Workers of this process.
    pub(crate) threads: usize,
    pub(crate) flow: Arc<Flow>,
    pub(crate) alignment: Arc<Alignment>,
    pub(crate) limiters: Arc<Mutex<HashMap<usize, Arc<RateLimiter>>>>,
    pub(crate) to_coordinator: mpsc::UnboundedSender<ToCoordinator>,
    pub(crate) rein: Arc<Rein>,
}

/// By which the workers of a process are stopped from outside.
pub(crate) struct Rein {
    abort: AtomicBool,
    threads: Mutex<Vec<Thread>>,
    commander: Mutex<Option<Outbox>>,
    /// The connections to other processes. Closing them is how the others learn that this one has given up.
    connections: Vec<TcpStream>,
    together: Barrier,
    ends: Mutex<Vec<WorkerEnd>>,
}

impl Rein {
    pub(crate) fn new(threads: usize, sockets: &[Option<TcpStream>]) -> Self {
        let connections = sockets.iter().flatten().filter_map(|socket| socket.try_clone().ok()).collect();
        Rein {
            connections,
            abort: AtomicBool::new(false),
            threads: Mutex::default(),
            commander: Mutex::default(),
            together: Barrier::new(threads),
            ends: Mutex::default(),
        }
    }

    /// Ends the attempt in this process: every worker leaves what it does and drops its dataflows.
    pub(crate) fn abort(&self) {
        self.abort.store(true, Ordering::SeqCst);
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Thread::unpark);
        for connection in &self.connections {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    fn is_aborted(&self) -> bool {
        self.abort.load(Ordering::SeqCst)
    }

    /// How the workers ended: all finished, or how one of them was aborted.
    pub(crate) fn end(&self) -> WorkerEnd {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let told = WorkerEnd::Aborted { again: false };
        let aborted = || ends.iter().copied().find(|end| *end != WorkerEnd::Finished);
        if ends.contains(&told) { told } else { aborted().unwrap_or(WorkerEnd::Finished) }
    }

    /// The way from the coordinator to the workers, once worker 0 has started.
    pub(crate) fn commander(&self) -> Option<Outbox> {
        self.commander.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerEnd {
    /// The job is over.
    Finished,
    /// The attempt was aborted; whether another one follows.
    Aborted { again: bool },
}

/// Runs one worker until the job or the attempt is over.
pub(crate) fn run(worker: &mut Worker, team: &Team) -> WorkerEnd {
    let rein = &team.rein;
    rein.threads.lock().unwrap_or_else(PoisonError::into_inner).push(std::thread::current());
    let outcome = catch_unwind(AssertUnwindSafe(|| live(worker, team)));
    let end = match outcome {
        Ok(Ok(end)) => end,
        Ok(Err((operator, error))) => {
            let prospect = match error.kind() {
                _ if operator == ENGINE => Prospect::Uncertain,
                ErrorKind::Store => Prospect::StoreAway,
                ErrorKind::Damaged => Prospect::Damaged,
                // What could not be built now could not be built in another attempt either.
                _ => Prospect::Hopeless,
            };
            fail(worker, team, operator, error.to_string(), prospect)
        }
        Err(_) => {
            let reason = "a worker panicked; this is a bug".to_owned();
            fail(worker, team, ENGINE.to_owned(), reason, Prospect::Uncertain)
        }
    };
    if end != WorkerEnd::Finished {
        rein.abort();
    }
    rein.ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    // Nobody may drop a channel while another worker still sends on it.
    rein.together.wait();
    for dataflow in worker.installed_dataflows() {
        worker.drop_dataflow(dataflow);
    }
    end
}

/// Tells the coordinator directly: this worker's dataflows can no longer be trusted to.
fn fail(worker: &Worker, team: &Team, operator: String, reason: String, prospect: Prospect) -> WorkerEnd {
    let report = FailureReport { operator, subtask: worker.index(), subject: Subject::None, reason, prospect };
    let _ = team.to_coordinator.send(ToCoordinator::Failed(report));
    WorkerEnd::Aborted { again: true }
}

fn live(worker: &mut Worker, team: &Team) -> Result<WorkerEnd, (String, Error)> {
    let to_coordinator = team.to_coordinator.clone();
    let place = Place {
        process: team.process,
        processes: team.processes,
        first_epoch: team.first_epoch,
        flow: Arc::clone(&team.flow),
        alignment: Arc::clone(&team.alignment),
    };
    let control = control::build(worker, place, move |message| {
        // The coordinator outlives the workers.
        let _ = to_coordinator.send(message);
    });
    let outbox = control.mailbox.outbox();
    if worker.index() == 0 {
        *team.rein.commander.lock().unwrap_or_else(PoisonError::into_inner) = Some(outbox.clone());
    }
    let read = build(worker, team, &control.mailbox, outbox.clone())?;
    outbox.send(ToCoordinator::Ready { worker: worker.index() });

    let mut counted = (0, Instant::now());
    loop {
        worker.step_or_park(Some(PARK));
        if let Verdict::Abort { again } = control.verdict.get() {
            return Ok(WorkerEnd::Aborted { again });
        }
        if team.rein.is_aborted() {
            return Ok(WorkerEnd::Aborted { again: true });
        }
        if !worker.has_dataflows() {
            return Ok(WorkerEnd::Finished);
        }
        if read.get() != counted.0 && counted.1.elapsed() >= COUNT_INTERVAL {
            counted = (read.get(), Instant::now());
            outbox.send(ToCoordinator::Counted { worker: worker.index(), read: counted.0 });
        }
    }
}

/// Builds the job's dataflow. The result counts the records that this worker's sources read.
fn build(
    worker: &mut Worker,
    team: &Team,
    mailbox: &Rc<super::mailbox::Mailbox>,
    outbox: Outbox,
) -> Result<Rc<Cell<u64>>, (String, Error)> {
    let engine = |error| (ENGINE.to_owned(), error);
    let writer = Writer::start(worker.index(), team.store.clone(), team.handle.clone(), outbox).map_err(engine)?;
    let context = Rc::new(WorkerContext {
        job: team.job.clone(),
        run: team.run,
        past: Arc::clone(&team.past),
        worker: worker.index(),
        workers: worker.peers(),
        threads: team.threads,
        first_epoch: team.first_epoch,
        plan: Arc::clone(&team.plan),
        handle: team.handle.clone(),
        flow: Arc::clone(&team.flow),
        alignment: Arc::clone(&team.alignment),
        mailbox: Rc::clone(mailbox),
        writer: Rc::new(writer),
        restored: Arc::clone(&team.restored),
        clock: team.clock.clone(),
        backend: team.backend.clone(),
        limiters: Arc::clone(&team.limiters),
        read: Rc::default(),
        build_error: RefCell::default(),
    });
    let read = Rc::clone(&context.read);
    let defined = worker.dataflow::<Time, _, _>(|scope| {
        let env = Env::building(scope, Rc::clone(&context));
        (team.definition)(&env)?;
        env.0.error.take().map_or(Ok(()), Err)
    });
    defined.map_err(|error| ("definition".to_owned(), error))?;
    match context.build_error.take() {
        Some((operator, error)) => Err((team.plan.operators[operator].title(), error)),
        None => Ok(read),
    }
}
