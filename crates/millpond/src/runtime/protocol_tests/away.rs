//! A store that cannot be read while state is restored: whether there is another attempt is for the restart strategy, and an
//! attempt that could not even begin does not count as hopeless.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millpond_snapshot::Store;
use millpond_snapshot::log::{Entry, EntryBody};
use object_store::memory::InMemory;

use super::faulty::{Fault, Faulty, Operation};
use super::scene::{COUNT, calm, expected, job, log_of};
use super::sink::Ledger;
use super::source::Gate;
use super::waiting::wait;
use crate::error::{Error, ErrorKind};
use crate::job::job::Job;
use crate::job::options::RunOptions;
use crate::runtime::restart::RestartStrategy;
use crate::runtime::session::RunEnd;

struct Away {
    objects: Arc<InMemory>,
    job: Job,
    gate: Gate,
    ledger: Ledger<(u64, u64)>,
}

impl Away {
    /// A run that was interrupted after a savepoint of a hundred numbers.
    fn new() -> Away {
        let (objects, gate, ledger) = (Arc::new(InMemory::new()), Gate::default(), Ledger::new());
        let away = Away { job: job(gate.clone(), ledger.clone(), Arc::default()), objects, gate, ledger };
        let running = away.job.start_on(calm(&away.objects), options(RestartStrategy::None)).unwrap();
        away.gate.open(100);
        wait("a hundred numbers", || running.records_read() >= 100);
        running.savepoint().unwrap();
        running.interrupt().unwrap();
        away
    }

    /// Runs the job to its end, on a store of which the next `failures` readings of chunks fail once the run has its place in
    /// the log.
    fn run(&self, failures: usize, restart: RestartStrategy) -> Result<RunEnd, Error> {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let next = move |operation: Operation<'_>| {
            let path = operation.path.map_or("", |path| path.as_ref());
            if operation.what == "put" && path.contains("/log/") && left.load(Ordering::SeqCst) == usize::MAX {
                left.store(failures, Ordering::SeqCst);
            }
            let reads = operation.what == "get" && path.starts_with("chunks/");
            let fails = |left: usize| (left != usize::MAX).then(|| left.checked_sub(1)).flatten();
            match reads && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
                true => Fault::Before,
                false => Fault::None,
            }
        };
        let faulty = Arc::new(Faulty::choosing(self.objects.clone(), next));
        let store = Store::over(faulty, format!("away://{:p}", Arc::as_ptr(&self.objects)));
        self.gate.open(COUNT);
        self.job.start_on(store, options(restart))?.wait().map(|report| report.end)
    }

    fn failures(&self) -> Vec<(String, bool)> {
        let entries: Vec<Entry> = log_of(&self.objects);
        let failure = |entry: Entry| match entry.body {
            EntryBody::Failure { reason, restart, .. } => Some((reason, restart)),
            _ => None,
        };
        entries.into_iter().filter_map(failure).collect()
    }

    fn check_output(&self) {
        let mut records = self.ledger.records();
        records.sort_unstable();
        assert_eq!(records, expected());
    }
}

fn options(restart: RestartStrategy) -> RunOptions {
    RunOptions { parallelism: Some(2), checkpoint_interval: Duration::ZERO, restart, ..RunOptions::default() }
}

fn is_plain(reason: &str) {
    for part in ["operator 'counts'", "state 'count'", "could not ", "chunks/", "connection reset"] {
        assert!(reason.contains(part), "no {part:?} in: {reason}");
    }
}

#[test]
fn the_run_goes_on_when_the_store_is_back() {
    let away = Away::new();
    let again = RestartStrategy::FixedDelay { attempts: 10, delay: Duration::from_millis(1) };
    assert_eq!(away.run(5, again).unwrap(), RunEnd::Finished);
    let failures = away.failures();
    // One in each attempt at least, and each worker may meet one.
    assert!((3..=5).contains(&failures.len()), "{failures:?}");
    for (reason, restart) in failures {
        assert!(restart, "{reason}");
        is_plain(&reason);
    }
    away.check_output();
}

#[test]
fn a_run_that_is_not_started_again_says_what_it_could_not_read_and_how_to_go_on() {
    let away = Away::new();
    for attempts in 0..2 {
        let (restart, failures) = match attempts {
            0 => (RestartStrategy::None, 1),
            attempts => {
                (RestartStrategy::FixedDelay { attempts, delay: Duration::from_millis(1) }, usize::MAX - 1)
            }
        };
        let error = away.run(failures, restart).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
        let text = error.to_string();
        is_plain(&text);
        assert!(text.contains("run it again to continue from counts@2"), "{text}");
        assert!(!text.contains("could not start"), "{text}");
        assert_eq!(away.failures().last().map(|(_, restart)| *restart), Some(false));
    }
    // It is as it was: the next run goes on.
    assert_eq!(away.run(0, RestartStrategy::None).unwrap(), RunEnd::Finished);
    away.check_output();
}
