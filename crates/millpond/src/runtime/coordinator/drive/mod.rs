//! One attempt to run the job, event by event.

mod requests;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use millpond_snapshot::log::{Entry, EntryBody, SnapshotId, SnapshotRecord};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::assembly::{Assembly, new_bytes};
use super::compact::{self, Fold, Folded};
use super::idle::IdleSources;
use super::pending::{Asked, PendingSnapshot, Purpose};
use crate::control::request::Request;
use crate::control::view::{JobStatus, Outcome};
use crate::error::{Error, ErrorKind};
use crate::runtime::failure::FailureReport;
use crate::runtime::ids::new_id;
use crate::runtime::mailbox::Outbox;
use crate::runtime::message::{Acknowledgement, Notice, ToCoordinator, ToWorker};
use crate::runtime::session::{RunEnd, Session};
use crate::runtime::worker::WorkerEnd;

use requests::Answer;

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum AttemptEnd {
    /// The job is over, and its log says so.
    Over(RunEnd),
    /// It failed; perhaps there is another attempt.
    Failed(FailureReport),
    /// It was cancelled.
    Cancelled,
    /// Ctrl-C.
    Interrupted,
}

/// What is left to do at the end: sinks commit the last epoch, then the log gets its last entry.
struct Ending {
    epoch: u64,
    body: EntryBody,
    end: RunEnd,
    committed: usize,
}

/// What an attempt hears.
pub(crate) struct Ears<'a> {
    pub(crate) from_workers: mpsc::UnboundedReceiver<ToCoordinator>,
    pub(crate) requests: &'a mut mpsc::Receiver<Request>,
    pub(crate) interrupt: &'a tokio::sync::Notify,
    /// Notified when the connection to another process is lost.
    pub(crate) lost: &'a tokio::sync::Notify,
    /// Resolves when the workers of this process have ended.
    pub(crate) ended: oneshot::Receiver<Result<WorkerEnd, Error>>,
}

/// One attempt.
pub(crate) struct Driver<'a> {
    session: &'a mut Session,
    commander: Option<Outbox>,
    workers: usize,
    ready: usize,
    /// The epoch that sources are in.
    epoch: u64,
    pending: Option<PendingSnapshot>,
    waiting: VecDeque<Purpose>,
    /// Requests that came before all workers were ready.
    early: Vec<Request>,
    assembly: Assembly,
    drained: usize,
    /// The stop that waits for the job to be drained.
    draining: Option<Asked>,
    /// A snapshot that ends the run has been begun or is waiting: no other one is.
    closing: bool,
    ending: Option<Ending>,
    over: Option<RunEnd>,
    next_checkpoint: Option<Instant>,
    next_savepoint: Option<Instant>,
    failed_in_a_row: u32,
    idle: IdleSources,
    counted: HashMap<usize, u64>,
    compaction: Option<JoinHandle<Fold>>,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(session: &'a mut Session, workers: usize, epoch: u64, assembly: Assembly) -> Self {
        Driver {
            session,
            commander: None,
            workers,
            ready: 0,
            epoch,
            pending: None,
            waiting: VecDeque::new(),
            early: Vec::new(),
            assembly,
            drained: 0,
            draining: None,
            closing: false,
            ending: None,
            over: None,
            next_checkpoint: None,
            next_savepoint: None,
            failed_in_a_row: 0,
            idle: IdleSources::default(),
            counted: HashMap::new(),
            compaction: None,
        }
    }

    /// Runs until the attempt ends. `commander` gives the way to the workers once they are ready.
    ///
    /// # Errors
    /// If the run must not or cannot go on: it is fenced, or its log cannot be written.
    pub(crate) async fn drive(
        mut self,
        mut ears: Ears<'_>,
        commander: impl Fn() -> Option<Outbox>,
    ) -> Result<(AttemptEnd, u64), Error> {
        let end = loop {
            let deadline = tokio::time::Instant::from_std(self.deadline());
            let outcome = tokio::select! {
                Some(message) = ears.from_workers.recv() => {
                    if self.commander.is_none() {
                        self.commander = commander();
                    }
                    self.on_message(message).await
                }
                Some(request) = ears.requests.recv() => self.on_request(request).await,
                () = tokio::time::sleep_until(deadline) => self.on_time().await,
                () = ears.lost.notified() => {
                    let reason = "the connection to another process was lost";
                    break Ok(AttemptEnd::Failed(FailureReport::engine(reason)));
                }
                () = ears.interrupt.notified() => break Ok(AttemptEnd::Interrupted),
                fold = finished(&mut self.compaction) => {
                    self.compaction = None;
                    self.on_fold(fold);
                    Ok(None)
                }
                ended = &mut ears.ended => {
                    // Why they ended may have been said a moment before.
                    let said = std::iter::from_fn(|| ears.from_workers.try_recv().ok());
                    let report = said.filter_map(ToCoordinator::into_failure).next();
                    Ok(Some(report.map_or_else(|| self.on_ended(ended), AttemptEnd::Failed)))
                }
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(end)) => break Ok(end),
                Err(error) => break Err(error),
            }
        };
        let unanswered =
            self.pending.take().map(|pending| pending.purpose).into_iter().chain(self.waiting.drain(..));
        let asked: Vec<Asked> =
            unanswered.filter_map(|purpose| purpose.asked().cloned()).chain(self.draining.take()).collect();
        for asked in asked {
            // That the run must end, the end says already.
            let _ = self.deny(&asked, "the run failed or ended before it was taken".to_owned()).await;
        }
        let end = match self.over.take() {
            // The log has its last entry: nothing that happens while the workers end can undo that.
            Some(over) => AttemptEnd::Over(over),
            None => end?,
        };
        Ok((end, self.epoch))
    }

    fn command(&self, worker: Option<usize>, message: ToWorker) {
        if let Some(commander) = &self.commander {
            commander.command(worker, message);
        }
    }

    fn notify(&self, notice: Notice) {
        self.command(None, ToWorker::Notice(notice));
    }

    fn subtasks(&self) -> usize {
        self.session.plan.aligned_count() * self.workers
    }

    fn deadline(&self) -> Instant {
        let timeout = self.pending.as_ref().map(|pending| pending.begun + self.session.options.checkpoint_timeout);
        let timed = self.next_checkpoint.filter(|_| self.pending.is_none() && !self.closing);
        let savepoint = self.next_savepoint.filter(|_| !self.closing);
        let far = Instant::now() + Duration::from_secs(3600);
        [timeout, timed, savepoint].into_iter().flatten().fold(far, Instant::min)
    }

    async fn on_message(&mut self, message: ToCoordinator) -> Result<Option<AttemptEnd>, Error> {
        match message {
            ToCoordinator::Ready { .. } => return self.on_ready().await,
            ToCoordinator::Acknowledged(part) => return self.on_acknowledged(part).await,
            ToCoordinator::Declined { epoch, operator, reason } => {
                if self.pending.as_ref().is_some_and(|pending| pending.epoch == epoch) {
                    return self.snapshot_failed(format!("operator '{operator}': {reason}")).await;
                }
            }
            ToCoordinator::Drained => return self.on_drained(),
            ToCoordinator::Committed { epoch, .. } => return self.on_committed(epoch).await,
            ToCoordinator::Event(status) => {
                if let Some(watermark) = self.idle.observe(status) {
                    self.notify(Notice::AdvanceIdle(watermark));
                }
            }
            ToCoordinator::Failed(report) => return Ok(Some(AttemptEnd::Failed(report))),
            ToCoordinator::Counted { worker, read } => {
                self.counted.insert(worker, read);
                let read = self.counted.values().sum();
                self.session.publisher.change(|view| view.records_read = read);
            }
        }
        Ok(None)
    }

    async fn on_ready(&mut self) -> Result<Option<AttemptEnd>, Error> {
        self.ready += 1;
        if self.ready < self.workers {
            return Ok(None);
        }
        self.session.publisher.status(JobStatus::Running);
        let interval = self.session.options.checkpoint_interval;
        // Where a source was told to begin is lost with the run until a snapshot holds it.
        let first = if self.session.flags.positions.is_empty() { interval } else { Duration::ZERO };
        self.next_checkpoint = (!interval.is_zero()).then(|| Instant::now() + first);
        self.next_savepoint = self.session.options.savepoint_every.map(|every| Instant::now() + every);
        if let Some(asked) = self.session.stopping.take() {
            // The stop was promised, and the attempt failed before it was carried out.
            self.closing = true;
            self.stop(asked, false);
        }
        for request in std::mem::take(&mut self.early) {
            if let Some(end) = self.on_request(request).await? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn on_ended(&self, ended: Result<Result<WorkerEnd, Error>, oneshot::error::RecvError>) -> AttemptEnd {
        let reason = match ended {
            Ok(Err(error)) => error.to_string(),
            _ => "the workers ended before the job did".to_owned(),
        };
        AttemptEnd::Failed(FailureReport::engine(reason))
    }

    async fn on_time(&mut self) -> Result<Option<AttemptEnd>, Error> {
        let now = Instant::now();
        let timeout = self.session.options.checkpoint_timeout;
        if self.pending.as_ref().is_some_and(|pending| now >= pending.begun + timeout) {
            let (got, of) = self.pending.as_ref().map_or((0, 0), PendingSnapshot::progress);
            let reason = format!("it was not complete after {timeout:?}: {got} of {of} subtasks had acknowledged");
            return self.snapshot_failed(reason).await;
        }
        if self.next_savepoint.is_some_and(|at| now >= at) && !self.closing {
            self.next_savepoint = self.session.options.savepoint_every.map(|every| now + every);
            let asked = Asked { request_id: new_id()?, requested_by: None, tag: None, reason: "schedule" };
            self.ask(Purpose::Savepoint(asked));
        }
        if self.next_checkpoint.is_some_and(|at| now >= at) && self.pending.is_none() && !self.closing {
            self.begin(Purpose::Checkpoint);
        }
        Ok(None)
    }

    fn ask(&mut self, purpose: Purpose) {
        if let Some(asked) = purpose.asked() {
            self.session.publisher.request(&asked.request_id, Outcome::InProgress);
        }
        if self.pending.is_none() {
            self.begin(purpose);
        } else {
            self.waiting.push_back(purpose);
        }
    }

    fn begin(&mut self, purpose: Purpose) {
        let pending = PendingSnapshot::begin(self.epoch, purpose, self.subtasks());
        self.session.publisher.snapshot(&pending, Outcome::InProgress, (0, 0));
        self.epoch += 1;
        self.command(Some(0), ToWorker::BeginEpoch(self.epoch));
        self.pending = Some(pending);
    }

    async fn on_acknowledged(&mut self, part: Acknowledgement) -> Result<Option<AttemptEnd>, Error> {
        let (epoch, operator, subtask) = (part.epoch, part.operator, part.subtask);
        self.assembly.absorb(&self.session.plan, part)?;
        let pending = self.pending.as_mut().filter(|pending| pending.epoch == epoch);
        let complete = pending.is_some_and(|pending| pending.acknowledge(operator, subtask));
        if complete { self.publish().await } else { Ok(None) }
    }

    /// All have acknowledged: the snapshot becomes an entry of the log.
    async fn publish(&mut self) -> Result<Option<AttemptEnd>, Error> {
        let Some(pending) = self.pending.take() else { return Ok(None) };
        let (body, bytes) = self.body(&pending)?;
        let id = match self.session.history.write(body).await {
            Ok(id) => id,
            Err(error) if error.kind() == ErrorKind::Fenced => {
                // Whoever asked for it is told at the end.
                self.pending = Some(pending);
                return Err(error);
            }
            Err(error) => {
                let reason = error.to_string();
                let answer = match pending.purpose.asked().cloned() {
                    Some(asked) => self.deny(&asked, reason).await?,
                    None => Answer::Failed(reason),
                };
                match answer {
                    Answer::There(id) => id,
                    Answer::Failed(reason) => return self.give_up(pending, reason),
                }
            }
        };
        self.failed_in_a_row = 0;
        self.session.base = self.session.history.snapshot(&id).cloned();
        self.notify(Notice::Completed(pending.epoch));
        self.session.publisher.snapshot(&pending, Outcome::Completed(id.clone()), bytes);
        if let Some(asked) = pending.purpose.asked() {
            self.grant(asked, &id).await;
        }
        if let Err(error) = self.session.history.retain(self.session.options.retain).await {
            tracing::warn!(%error, "old checkpoints could not be removed; the next one tries again");
        }
        self.schedule(&pending);
        let end = self.close(&pending, id).await?;
        self.next_in_line();
        if self.compaction.is_none() && !self.closing {
            let Session { plan, store, job, options, .. } = &*self.session;
            self.compaction = compact::start(&self.assembly, plan, store, job, &options.clock);
        }
        Ok(end)
    }

    fn body(&mut self, pending: &PendingSnapshot) -> Result<(EntryBody, (u64, u64)), Error> {
        let manifest = self.assembly.manifest(&self.session.plan, &self.session.job, pending.epoch)?;
        let parent = self.session.base.as_ref();
        let known = parent.and_then(Entry::snapshot).map(|record| &record.manifest);
        let bytes = (new_bytes(&manifest, known), manifest.bytes());
        let asked = pending.purpose.asked();
        let record = SnapshotRecord {
            request_id: asked.map(|asked| asked.request_id.clone()),
            requested_by: asked.and_then(|asked| asked.requested_by.clone()),
            reason: pending.purpose.reason().to_owned(),
            duration_ms: u64::try_from(pending.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            parent: parent.map(Entry::id),
            copied_from: None,
            edited: None,
            bytes_new: bytes.0,
            bytes_total: bytes.1,
            manifest,
        };
        let body = if asked.is_some() { EntryBody::Savepoint(record) } else { EntryBody::Checkpoint(record) };
        Ok((body, bytes))
    }

    fn schedule(&mut self, last: &PendingSnapshot) {
        let options = &self.session.options;
        if !options.checkpoint_interval.is_zero() {
            let by_interval = last.begun + options.checkpoint_interval;
            self.next_checkpoint = Some(by_interval.max(Instant::now() + options.min_pause));
        }
    }

    fn next_in_line(&mut self) {
        if self.pending.is_none()
            && let Some(purpose) = self.waiting.pop_front()
        {
            self.begin(purpose);
        }
    }

    /// After the last snapshot: waits for the sinks to commit.
    async fn close(&mut self, pending: &PendingSnapshot, id: SnapshotId) -> Result<Option<AttemptEnd>, Error> {
        let (body, end) = match &pending.purpose {
            Purpose::Checkpoint | Purpose::Savepoint(_) => return Ok(None),
            Purpose::Finish => (EntryBody::Finish { snapshot: Some(id.sequence) }, RunEnd::Finished),
            Purpose::Stop { asked, drained } => {
                self.session.stopping = Some(asked.clone());
                (EntryBody::Stop { snapshot: id.sequence, drained: *drained }, RunEnd::Stopped(id.to_string()))
            }
            Purpose::Cancel(_) => return Ok(Some(AttemptEnd::Cancelled)),
        };
        self.ending = Some(Ending { epoch: pending.epoch, body, end, committed: 0 });
        self.end_if_committed().await
    }

    async fn on_committed(&mut self, epoch: u64) -> Result<Option<AttemptEnd>, Error> {
        if let Some(ending) = &mut self.ending
            && epoch == ending.epoch
        {
            ending.committed += 1;
        }
        self.end_if_committed().await
    }

    async fn end_if_committed(&mut self) -> Result<Option<AttemptEnd>, Error> {
        let wanted = self.session.plan.sink_count() * self.workers;
        if let Some(Ending { body, end, .. }) = self.ending.take_if(|ending| ending.committed == wanted) {
            match self.session.history.write(body).await {
                Err(error) if error.kind() == ErrorKind::Fenced => return Err(error),
                // The restart strategy says what follows; the next attempt has nothing to do but to end again.
                Err(error) => {
                    let reason = format!("that the run has ended could not be written to its log: {error}");
                    return Ok(Some(AttemptEnd::Failed(FailureReport::engine(reason))));
                }
                Ok(_) => {}
            }
            self.session.stopping = None;
            self.over = Some(end);
            self.command(None, ToWorker::Finish);
        }
        Ok(None)
    }

    fn on_drained(&mut self) -> Result<Option<AttemptEnd>, Error> {
        self.drained += 1;
        if self.drained == self.subtasks() {
            let last = match self.draining.take() {
                Some(asked) => Purpose::Stop { asked, drained: true },
                None if self.closing => return Ok(None),
                None => Purpose::Finish,
            };
            self.closing = true;
            self.ask(last);
        }
        Ok(None)
    }

    /// The snapshot under way has failed. The run goes on, if that is tolerated.
    async fn snapshot_failed(&mut self, reason: String) -> Result<Option<AttemptEnd>, Error> {
        let Some(pending) = self.pending.take() else { return Ok(None) };
        if let Some(asked) = pending.purpose.asked() {
            self.deny(asked, reason.clone()).await?;
        }
        self.give_up(pending, reason)
    }

    /// The same, when those who asked for it have been told.
    fn give_up(&mut self, pending: PendingSnapshot, reason: String) -> Result<Option<AttemptEnd>, Error> {
        let what = if pending.purpose.asked().is_some() { "savepoint" } else { "checkpoint" };
        tracing::warn!("{what} of epoch {} failed: {reason}", pending.epoch);
        self.session.publisher.snapshot(&pending, Outcome::Failed(reason.clone()), (0, 0));
        self.schedule(&pending);
        let failed = |reason: String| Ok(Some(AttemptEnd::Failed(FailureReport::engine(reason))));
        match &pending.purpose {
            Purpose::Checkpoint => {
                self.failed_in_a_row += 1;
                if self.failed_in_a_row > self.session.options.tolerable_failures {
                    return failed(format!("a checkpoint failed: {reason}"));
                }
            }
            Purpose::Stop { drained: false, .. } | Purpose::Cancel(_) => {
                self.closing = false;
                self.session.publisher.status(JobStatus::Running);
                self.notify(Notice::Resume);
                if self.drained == self.subtasks() {
                    self.closing = true;
                    self.ask(Purpose::Finish);
                }
            }
            // Event time cannot be brought back: only a new attempt can go on.
            Purpose::Stop { drained: true, .. } | Purpose::Finish => {
                return failed(format!("the last snapshot failed: {reason}"));
            }
            Purpose::Savepoint(_) => {}
        }
        self.next_in_line();
        Ok(None)
    }

    fn on_fold(&mut self, fold: Result<Fold, Error>) {
        match fold.map_or_else(Folded::Failed, |fold| fold.apply(&mut self.assembly)) {
            Folded::InPlace => {}
            Folded::Overtaken => tracing::debug!(
                "deltas that were being folded together have been replaced by newer rows of the whole state"
            ),
            Folded::Failed(error) => {
                tracing::warn!(%error, "deltas could not be folded together; it will be tried again");
            }
        }
    }
}

/// Resolves when a fold that is under way is done.
async fn finished(fold: &mut Option<JoinHandle<Fold>>) -> Result<Fold, Error> {
    match fold {
        Some(handle) => handle.await.map_err(Error::failed),
        None => std::future::pending().await,
    }
}
