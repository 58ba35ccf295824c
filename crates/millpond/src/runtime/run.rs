//! A run of a job: attempt after attempt, until it is over.

use std::sync::Arc;
use std::time::Instant;

use millpond_snapshot::log::{Entry, EntryBody, SnapshotId};
use millpond_snapshot::manifest::Manifest;
use tokio::sync::{Notify, mpsc, oneshot};

use super::attempt::start;
use super::cluster::Welcome;
use super::coordinator::assembly::Assembly;
use super::coordinator::drive::{AttemptEnd, Driver, Ears};
use super::coordinator::publish::Publisher;
use super::failure::{ENGINE, Prospect, Subject};
use super::fit::fit;
use super::lost;
use super::message::ToWorker;
use super::past::first_epoch;
use super::restart::{RestartDecision, RestartTracker};
use super::restore::Restored;
use super::session::{RunEnd, Session};
use super::whole::Scene;
use super::worker::{Rein, Team};
use crate::control::request::{Request, RequestKind};
use crate::control::view::JobStatus;
use crate::dataflow::flow::Flow;
use crate::error::Error;
use crate::job::restore_plan::RestoreFlags;

/// How long workers in other processes have to hear that an attempt is over.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

impl Session {
    /// Runs until the job is over. `restored` is what the first attempt starts with. The view outlives the run, so that
    /// whoever asked for something can still see what became of it.
    pub(crate) async fn run(
        mut self,
        restored: Restored,
        requests: mpsc::Receiver<Request>,
        interrupt: Arc<Notify>,
    ) -> (Result<(RunEnd, Option<SnapshotId>), Error>, Publisher) {
        let mut outcome = self.attempts(restored, requests, &interrupt).await;
        if let (Err(error), Some(end)) = (&outcome, self.ended()) {
            tracing::debug!(%error, "the log says that the run is over");
            outcome = Ok(end);
        }
        self.publisher.status(match &outcome {
            Ok(RunEnd::Finished | RunEnd::Stopped(_)) => JobStatus::Finished,
            Ok(RunEnd::Cancelled | RunEnd::Interrupted) => JobStatus::Cancelled,
            Err(_) => JobStatus::Failed,
        });
        let newest = self.base.as_ref().map(Entry::id);
        // All is written: the next run may have the job.
        drop(self.claim);
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
            if let (Prospect::Damaged, Some(base)) = (report.prospect, &self.base) {
                let scene = Scene { store: &self.store, job: &self.job };
                let refusal = scene.refusal(base, &report.reason).await;
                self.failed(&report.operator, refusal.clone(), false).await?;
                return Err(Error::damaged(refusal));
            }
            // What fails before anything has been read fails for a reason that somebody has to mend.
            started |= report.prospect == Prospect::StoreAway
                || report.subject != Subject::None
                || self.publisher.records_read() > 0
                || self.base.as_ref().map(Entry::id) != before;
            let decision = tracker.on_failure(Instant::now());
            let hopeless = if !started {
                "; it could not start"
            } else if report.prospect == Prospect::Hopeless {
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
            if let Some(found) = self.history.take_found() {
                tracing::info!("{} was published after all", found.id());
                self.base = Some(found);
            }
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
            if own {
                self.flags = RestoreFlags::default();
            }
            restored = fit(&self.plan, &self.job, &self.store, self.base.as_ref(), &self.flags)?.0;
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
            backend: self.backend.clone(),
            process: 0,
            processes,
            threads,
            flow: Arc::new(Flow::new(self.workers)),
            alignment: Arc::default(),
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
            id: self.id.clone(),
            past: self.past.to_vec(),
            first_epoch,
            restored: restored.snapshot.as_ref().map(|(_, manifest)| Manifest::clone(manifest)),
            operators: restored.operators.clone(),
            positions: restored.positions.clone(),
        };
        let met = tokio::task::spawn_blocking(move || {
            let sockets = meeting.lead(&welcome);
            (meeting, sockets)
        });
        let (meeting, sockets) = met.await.map_err(Error::failed)?;
        self.meeting = Some(meeting);
        sockets
    }

    /// How the run ended, if the log says so and it was not known.
    fn ended(&self) -> Option<RunEnd> {
        match self.history.end()? {
            EntryBody::Stop { snapshot, .. } => {
                Some(RunEnd::Stopped(SnapshotId { job: self.job.clone(), sequence: *snapshot }.to_string()))
            }
            EntryBody::Cancel { .. } => Some(RunEnd::Cancelled),
            EntryBody::Finish { .. } => Some(RunEnd::Finished),
            _ => None,
        }
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
        let operator = (operator != ENGINE).then(|| operator.to_owned());
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
