//! That a job has one live run.
//!
//! The log fences: of two runs under one name the older cannot go on. But then a second start, made by mistake, ends the
//! first. So before a run takes its place in the log it looks for a live one, in three ways, and is refused if it finds
//! one:
//!
//! ```text
//!  neighbours   a table of this process               every store
//!  lock         a file that the kernel holds locked   local directories, where the file system has locks
//!  ask          the control server of the run that    every store, if that run has a control server
//!               the log says has not ended
//! ```
//!
//! None of them outlives the run, however it dies, so that a job that crashed is started again without waiting. None of
//! them is needed for the state to be right: where all fail, the log decides as it always did.

mod ask;
mod holder;
mod lock;
mod neighbours;

use std::time::Duration;

use millpond_snapshot::log::Entry;
use millpond_snapshot::store::layout;
use millpond_snapshot::{JobName, Store};

pub(crate) use ask::{RUN_CONTROL, RUN_HOST, RUN_ID, RUN_PID, unended};
pub(crate) use holder::Holder;
use lock::{Lock, Locked};
use neighbours::Neighbour;

use crate::error::{Error, ErrorKind};

/// How long a run that is ending has to go, before the next one is refused.
const GRACE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(20);

/// Says that this run is the live one of its job, until it is dropped.
pub(crate) struct Claim {
    neighbour: Neighbour,
    lock: Option<Lock>,
    /// Waits for the lock of a run that was taken over from.
    waiting: Option<tokio::task::JoinHandle<()>>,
}

impl Claim {
    /// Claims the job for `me`. With `take_over`, whether another run is live or not.
    ///
    /// # Errors
    /// If another run is live: the message says which, where, and what to do.
    pub(crate) async fn take(
        store: &Store,
        job: &JobName,
        me: &Holder,
        entries: &[Entry],
        take_over: bool,
    ) -> Result<Claim, Error> {
        let deadline = tokio::time::Instant::now() + GRACE;
        loop {
            let other = match Claim::attempt(store, job, me, entries, take_over).await {
                Ok(claim) => return Ok(claim),
                Err(other) => other,
            };
            if tokio::time::Instant::now() >= deadline {
                let message = other.refusal(job.as_str(), store.address());
                return Err(Error::new(ErrorKind::AlreadyRunning, message));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn attempt(
        store: &Store,
        job: &JobName,
        me: &Holder,
        entries: &[Entry],
        take_over: bool,
    ) -> Result<Claim, Holder> {
        let place = (neighbours::place(store), job.to_string());
        let neighbour = Neighbour::take(place, me, take_over)?;
        let path = store.directory().map(|root| root.join(layout::run_lock(job).as_ref()));
        let locked = path.as_deref().map_or(Locked::Unknown, |path| Lock::take(path, me));
        let (lock, waiting) = match (locked, path) {
            (Locked::Mine(lock), _) => (Some(lock), None),
            (Locked::Held(_), Some(path)) if take_over => {
                let me = me.clone();
                (None, Some(tokio::spawn(async move { Lock::wait(&path, &me).await })))
            }
            (Locked::Held(other), _) => return Err(other),
            (Locked::Unknown, _) => (None, None),
        };
        if !take_over
            && let Some(other) = unended(entries)
            && other.id != me.id
            && ask::is_live(&other, job).await
        {
            return Err(other);
        }
        Ok(Claim { neighbour, lock, waiting })
    }

    /// Says which run it is, now that that is known.
    pub(crate) fn update(&self, me: &Holder) {
        self.neighbour.update(me);
        if let Some(lock) = &self.lock {
            lock.write(me);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting {
            waiting.abort();
        }
    }
}
