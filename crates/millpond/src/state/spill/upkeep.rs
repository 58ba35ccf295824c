//! The threads of a process that keep tables on disk in order: they write full memtables out and merge what has been written.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::Error;

/// More threads than this would only wait for each other.
const MOST_THREADS: usize = 4;

/// What a thread is given to do.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// The threads, and what they have to do. Dropping it waits for what is under way.
#[derive(Debug)]
pub(crate) struct Upkeep {
    queue: Mutex<Option<Sender<Work>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Upkeep {
    /// Starts threads for a process with so many `workers`.
    pub(crate) fn start(workers: usize) -> Result<Arc<Self>, Error> {
        let (queue, work) = channel::<Work>();
        let work = Arc::new(Mutex::new(work));
        let threads = (0..workers.clamp(1, MOST_THREADS)).map(|number| {
            let work = Arc::clone(&work);
            std::thread::Builder::new().name(format!("state-{number}")).spawn(move || run(&work))
        });
        let threads = threads
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Error::failed(format!("no thread for state on disk could be started: {error}")))?;
        Ok(Arc::new(Upkeep { queue: Mutex::new(Some(queue)), threads }))
    }

    /// Has `work` done, some time soon.
    pub(crate) fn submit(&self, work: Work) {
        if let Some(queue) = &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            // The threads live as long as the queue.
            let _ = queue.send(work);
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn run(work: &Mutex<Receiver<Work>>) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        work();
    }
}
