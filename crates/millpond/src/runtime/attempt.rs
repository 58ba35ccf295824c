//! One attempt to run a job in this process: worker threads from start to end.

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Hooks, WorkerGuards};
use timely::execute::execute_from;
use tokio::sync::oneshot;

use super::worker::{self, Rein, Team, WorkerEnd};
use crate::error::Error;

/// Running workers.
struct Attempt {
    guards: WorkerGuards<WorkerEnd>,
    rein: Arc<Rein>,
}

impl Attempt {
    /// Starts the workers of this process. `sockets` has one for each other process, and `None` for this one.
    fn start(team: Arc<Team>, sockets: Vec<Option<TcpStream>>) -> Result<Self, Error> {
        let started = |error: String| Error::failed(format!("workers could not be started: {error}"));
        let Hooks { refill, spill, .. } = Hooks::default();
        let process = ProcessBuilder::new_typed_vector(team.threads, refill, spill);
        let (builders, others): (Vec<_>, Box<dyn std::any::Any + Send>) = if team.processes == 1 {
            (process.into_iter().map(AllocatorBuilder::Process).collect(), Box::new(()))
        } else {
            let hooks = Hooks::default();
            let (builders, guard) =
                initialize_networking_from_sockets(process, sockets, team.process, team.threads, hooks)
                    .map_err(|error| started(error.to_string()))?;
            (builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard))
        };
        let rein = Arc::clone(&team.rein);
        let config = timely::WorkerConfig::default();
        let guards =
            execute_from(builders, others, config, move |worker| worker::run(worker, &team)).map_err(started)?;
        Ok(Attempt { guards, rein })
    }

    /// Waits for the workers; blocks. `Err` if a worker thread broke.
    fn join(self) -> Result<WorkerEnd, Error> {
        let Attempt { guards, rein } = self;
        // Threads that serve a connection panic when it breaks, and so does the guard that joins them. How the workers
        // ended, they have said themselves.
        match catch_unwind(AssertUnwindSafe(|| guards.join())) {
            Ok(ends) => match ends.into_iter().find_map(Result::err) {
                Some(error) => Err(Error::failed(format!("a worker thread ended: {error}"))),
                None => Ok(rein.end()),
            },
            Err(_) => Ok(rein.end()),
        }
    }
}

/// Starts the workers of this process. The result resolves when they have ended.
pub(crate) fn start(
    team: Team,
    sockets: Vec<Option<TcpStream>>,
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
