//! The job, and what must hold of it whatever happened.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millpond_snapshot::log::{Entry, EntryBody, JobLog, SnapshotId};
use millpond_snapshot::{JobName, Store, repository};
use object_store::memory::InMemory;

use super::faulty::Faulty;
use super::sink::Ledger;
use super::source::{Gate, Numbers, in_order};
use super::steps::Step;
use super::trouble::Trouble;
use super::waiting::wait;
use crate::error::Error;
use crate::job::job::{Job, RunningJob};
use crate::job::options::RunOptions;
use crate::runtime::restart::RestartStrategy;
use crate::runtime::session::RunEnd;

pub(super) const COUNT: u64 = 300;
const KEYS: u64 = 12;
/// The number on which the job may fail.
const FRAGILE: u64 = 150;
const JOB: &str = "counts";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A job on a store to which something happens.
pub(super) struct Scene {
    objects: Arc<InMemory>,
    faulty: Arc<Faulty>,
    trouble: Trouble,
    job: Job,
    gate: Gate,
    ledger: Ledger<(u64, u64)>,
    fragile: Arc<AtomicBool>,
    interval: Duration,
    /// Snapshots that somebody was told are kept.
    kept: RefCell<Vec<String>>,
}

impl Scene {
    pub(super) fn new(step: &Step, trouble: Trouble) -> Scene {
        let objects = Arc::new(InMemory::new());
        let (behind, happens) = (objects.clone(), trouble.clone());
        let faulty =
            Arc::new(Faulty::choosing(objects.clone(), move |operation| happens.meet(&behind, operation)));
        let (gate, ledger, fragile) = (Gate::default(), Ledger::new(), Arc::new(AtomicBool::new(false)));
        let job = job(gate.clone(), ledger.clone(), fragile.clone());
        let (interval, kept) = (Duration::from_millis(step.interval_ms), RefCell::default());
        Scene { objects, faulty, trouble, job, gate, ledger, fragile, interval, kept }
    }

    fn calm(&self) -> Store {
        calm(&self.objects)
    }

    fn entries(&self) -> Vec<Entry> {
        log_of(&self.objects)
    }

    pub(super) fn last_entry(&self) -> Entry {
        self.entries().pop().expect("the log is not empty")
    }

    fn options(&self) -> RunOptions {
        RunOptions {
            parallelism: Some(2),
            checkpoint_interval: self.interval,
            restart: RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_millis(1) },
            ..RunOptions::default()
        }
    }

    /// Starts a run on the store to which trouble comes.
    pub(super) fn start(&self) -> Result<RunningJob, Error> {
        let address = format!("faulty://{:p}", Arc::as_ptr(&self.objects));
        self.job.start_on(Store::over(self.faulty.clone(), address), self.options())
    }

    /// A run that has read a hundred numbers and taken a savepoint. From now on there is trouble.
    pub(super) fn running(&self) -> RunningJob {
        let running = self.start().unwrap();
        self.pass(&running, 100);
        self.keeps(&running.savepoint().unwrap());
        self.arm();
        running
    }

    pub(super) fn arm(&self) {
        self.trouble.arm();
    }

    pub(super) fn met_trouble(&self) -> bool {
        self.trouble.happened()
    }

    /// Lets the job fail on a number that is still to come.
    pub(super) fn break_once(&self) {
        self.fragile.store(true, Ordering::SeqCst);
    }

    /// Lets the numbers below `limit` pass, if the run lives that long.
    pub(super) fn pass(&self, running: &RunningJob, limit: u64) {
        self.gate.open(limit);
        wait("the numbers", || running.records_read() >= limit || running.has_ended());
    }

    /// Lets all numbers pass, and waits for the end.
    pub(super) fn to_the_end(&self, running: RunningJob) -> Result<(), Error> {
        self.gate.open(COUNT);
        running.wait().map(drop)
    }

    /// Somebody was told that there is this savepoint.
    pub(super) fn keeps(&self, id: &str) {
        self.kept.borrow_mut().push(id.to_owned());
    }

    /// Somebody was told what became of a savepoint.
    pub(super) fn told(&self, outcome: &Result<String, Error>) {
        match outcome {
            Ok(id) => self.keeps(id),
            Err(error) if error.to_string().contains("it may be there nevertheless") => {}
            Err(error) => {
                block_on(self.faulty.settle());
                let kept = self.kept.borrow().len();
                let savepoints = self.entries().into_iter().filter(|e| matches!(e.body, EntryBody::Savepoint(_)));
                assert_eq!(savepoints.count(), kept, "there is one, and somebody was told: {error}");
            }
        }
    }

    /// What must hold when a run is over, however it ended.
    pub(super) fn check(&self, what: &str) {
        block_on(self.faulty.settle());
        let entries = self.entries();
        for (earlier, later) in entries.iter().zip(entries.iter().skip(1)) {
            assert!(later.sequence > earlier.sequence, "{what}");
            assert!(later.run >= earlier.run, "{what}: run {} wrote behind run {}", later.run, earlier.run);
            let ended = earlier.ends_run() && earlier.run == later.run;
            assert!(!ended, "{what}: a {} behind the end of the run", later.body.kind());
        }
        let snapshots = entries.iter().filter(|entry| entry.snapshot().is_some());
        let resolve = |id: &str| block_on(repository::resolve(&self.calm(), id)).unwrap();
        let snapshots: Vec<_> = snapshots.map(|entry| resolve(&entry.id().to_string())).collect();
        let verified = block_on(repository::verify(&snapshots, |_, _| {})).unwrap();
        assert!(verified.problems.is_empty(), "{what}: {:?}", verified.problems);
        for kept in self.kept.borrow().iter() {
            let entry = resolve(kept).entry;
            assert!(matches!(entry.body, EntryBody::Savepoint(_)), "{what}: {kept} is a {}", entry.body.kind());
        }
        self.goes_on(what, &entries);
    }

    /// Whoever runs the job next brings it to its end, and the output is that of a loop over the numbers.
    fn goes_on(&self, what: &str, entries: &[Entry]) {
        let last = entries.last().map(|entry| &entry.body);
        let from = match last {
            // Nobody goes on from there.
            Some(EntryBody::Cancel { .. }) => return,
            Some(EntryBody::Stop { snapshot, .. }) => {
                let id = SnapshotId { job: JobName::new(JOB).unwrap(), sequence: *snapshot };
                Some(id.to_string())
            }
            _ => None,
        };
        if !matches!(last, Some(EntryBody::Finish { .. })) {
            self.fragile.store(false, Ordering::SeqCst);
            let running = self.job.start_on(self.calm(), RunOptions { from, ..self.options() }).unwrap();
            self.gate.open(COUNT);
            assert_eq!(running.wait().unwrap().end, RunEnd::Finished, "{what}");
        }
        let mut records = self.ledger.records();
        records.sort_unstable();
        assert_eq!(records, expected(), "{what}");
    }
}

/// The same objects, and nothing happens.
pub(super) fn calm(objects: &Arc<InMemory>) -> Store {
    Store::over(objects.clone(), format!("calm://{:p}", Arc::as_ptr(objects)))
}

/// The job's log.
pub(super) fn log_of(objects: &Arc<InMemory>) -> Vec<Entry> {
    block_on(JobLog::open(&calm(objects), &JobName::new(JOB).unwrap()).entries()).unwrap()
}

/// What a loop over the numbers makes of them.
pub(super) fn expected() -> Vec<(u64, u64)> {
    let mut expected: Vec<_> = (0..COUNT).map(|number| (number % KEYS, number / KEYS + 1)).collect();
    expected.sort_unstable();
    expected
}

/// Says for each number how many there have been of its remainder.
pub(super) fn job(gate: Gate, ledger: Ledger<(u64, u64)>, fragile: Arc<AtomicBool>) -> Job {
    Job::new(JOB, move |env| {
        let fragile = fragile.clone();
        env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order())
            .uid("numbers")
            .key_by(|number| number % KEYS)
            .process_fn(move |setup| {
                let count = setup.value::<u64>("count");
                move |number: &u64, context| {
                    if *number == FRAGILE && fragile.swap(false, Ordering::SeqCst) {
                        return Err("it broke".into());
                    }
                    let so_far = count.get().unwrap_or(0) + 1;
                    count.set(so_far);
                    context.emit((*context.key(), so_far));
                    Ok(())
                }
            })
            .uid("counts")
            .sink(ledger.sink())
            .uid("ledger");
        Ok(())
    })
}
