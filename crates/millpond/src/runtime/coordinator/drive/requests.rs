//! What a running job is asked for: savepoints, to stop, to be cancelled.

use millpond_snapshot::log::{EntryBody, SnapshotId};

use super::{AttemptEnd, Driver};
use crate::control::request::{Refusal, Request, RequestKind};
use crate::control::view::{JobStatus, Outcome};
use crate::error::{Error, ErrorKind};
use crate::runtime::coordinator::history::{IN_DOUBT, Written};
use crate::runtime::coordinator::pending::{Asked, Purpose};
use crate::runtime::ids::new_id;
use crate::runtime::message::Notice;

/// What became of a savepoint that was believed to have failed.
pub(super) enum Answer {
    There(SnapshotId),
    Failed(String),
}

impl Driver<'_> {
    pub(super) async fn on_request(&mut self, request: Request) -> Result<Option<AttemptEnd>, Error> {
        if self.ready < self.workers && request.kind != RequestKind::Cancel {
            self.early.push(request);
            return Ok(None);
        }
        let Request { id, kind, requested_by, reply } = request;
        let refuse = |reason: &str| Err(Refusal(reason.to_owned()));
        let mut end = None;
        let answer = if let Some(reason) = self.tag_is_taken(&kind).await {
            refuse(&reason)
        } else if self.closing && kind != RequestKind::Cancel {
            refuse("the job is already stopping, or its input has ended")
        } else {
            let request_id = id.map_or_else(new_id, Ok)?;
            let asked = |tag, reason| Asked { request_id: request_id.clone(), requested_by, tag, reason };
            match kind {
                RequestKind::Savepoint { tag, latest: true, .. } => self.promote(asked(tag, "promoted")).await?,
                RequestKind::Savepoint { tag, cancel: true, .. } => {
                    self.closing = true;
                    self.ask(Purpose::Cancel(asked(tag, "cancel with savepoint")));
                    Ok(request_id)
                }
                RequestKind::Savepoint { tag, .. } => {
                    self.ask(Purpose::Savepoint(asked(tag, "asked for")));
                    Ok(request_id)
                }
                RequestKind::Stop { drain, tag } => {
                    self.closing = true;
                    self.session.publisher.status(JobStatus::Suspending);
                    self.stop(asked(tag, if drain { "stop --drain" } else { "stop" }), drain);
                    Ok(request_id)
                }
                RequestKind::Cancel => {
                    end = Some(AttemptEnd::Cancelled);
                    Ok(request_id)
                }
            }
        };
        // Whoever asked may have gone; the log has the answer.
        let _ = reply.send(answer);
        Ok(end)
    }

    /// Why the name that a savepoint is to have cannot be given; better said before it is taken.
    async fn tag_is_taken(&self, kind: &RequestKind) -> Option<String> {
        let (RequestKind::Savepoint { tag: Some(tag), .. } | RequestKind::Stop { tag: Some(tag), .. }) = kind
        else {
            return None;
        };
        match self.session.history.tagged(tag).await {
            Ok(None) => None,
            Ok(Some(id)) => {
                Some(format!("the tag '{tag}' is that of {id}; choose another, or take it away first"))
            }
            Err(error) => Some(error.to_string()),
        }
    }

    pub(super) fn stop(&mut self, asked: Asked, drain: bool) {
        if drain {
            self.session.publisher.request(&asked.request_id, Outcome::InProgress);
            self.draining = Some(asked);
            self.notify(Notice::Drain);
        } else {
            // The epoch that the savepoint will end, whether it begins now or after the snapshot under way.
            self.notify(Notice::StopAfter(self.epoch + self.waiting.len() as u64));
            self.ask(Purpose::Stop { asked, drained: false });
        }
    }

    /// Makes a savepoint of the newest snapshot: one small write, no barrier.
    async fn promote(&mut self, asked: Asked) -> Result<Result<String, Refusal>, Error> {
        let newest = self.session.base.as_ref().filter(|entry| entry.job == self.session.job);
        let Some((id, record)) = newest.and_then(|entry| Some((entry.id(), entry.snapshot()?))) else {
            return Ok(Err(Refusal(
                "there is no checkpoint yet; ask for a savepoint without --latest".to_owned(),
            )));
        };
        let (request, by) = (Some(asked.request_id.clone()), asked.requested_by.clone());
        let record = record.promoted(id, request, by, asked.reason.to_owned());
        match self.session.history.write(EntryBody::Savepoint(record)).await {
            Ok(id) => {
                self.grant(&asked, &id).await;
                Ok(Ok(asked.request_id))
            }
            Err(error) if error.kind() == ErrorKind::Fenced => Err(error),
            Err(error) => match self.deny(&asked, error.to_string()).await? {
                Answer::There(id) => {
                    self.grant(&asked, &id).await;
                    Ok(Ok(asked.request_id))
                }
                Answer::Failed(reason) => Ok(Err(Refusal(reason))),
            },
        }
    }

    /// A savepoint is there: says so, and gives it its name.
    pub(super) async fn grant(&mut self, asked: &Asked, id: &SnapshotId) {
        if let Some(tag) = &asked.tag
            && let Err(error) = self.session.history.tag(id, tag, asked.requested_by.clone()).await
        {
            tracing::warn!(%error, "savepoint {id} was taken but could not be tagged '{tag}'");
        }
        self.session.publisher.request(&asked.request_id, Outcome::Completed(id.clone()));
    }

    /// A savepoint that was asked for could not be taken: says so, and why. If it is in the log after all, which the store did
    /// not tell when it was written, gives its place there.
    ///
    /// # Errors
    /// If the run has a successor, or the log says that it is over.
    pub(super) async fn deny(&mut self, asked: &Asked, reason: String) -> Result<Answer, Error> {
        let request_id = asked.request_id.clone();
        // Once this has the number, the savepoint can never get it.
        let certain = reason.strip_suffix(IN_DOUBT).unwrap_or(&reason).to_owned();
        let body = EntryBody::SavepointFailed { request_id: request_id.clone(), reason: certain.clone() };
        let written = loop {
            match self.session.history.write_or_find(body.clone()).await {
                Ok(Written::Found(entry)) => {
                    let record = entry.snapshot();
                    if record.is_some_and(|record| record.request_id.as_ref() == Some(&request_id)) {
                        return Ok(Answer::There(entry.id()));
                    }
                }
                Ok(Written::Here(_)) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let reason = if written.is_ok() { certain } else { reason };
        self.session.publisher.request(&request_id, Outcome::Failed(reason.clone()));
        match written {
            Err(error) if error.kind() == ErrorKind::Fenced => return Err(error),
            Err(error) => tracing::warn!(%error, "that a savepoint failed could not be written to the log"),
            Ok(()) => {}
        }
        Ok(Answer::Failed(reason))
    }
}
