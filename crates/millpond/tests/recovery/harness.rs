//! Runs a job in every way in which it may be run, and compares.

use std::cell::Cell;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millpond::{Clock, Data, Env, Job, RestartStrategy, RunEnd, RunOptions, RunningJob};

use crate::on_disk::on_disk;
use crate::sink::Ledger;
use crate::source::{Gate, Numbers};
pub(crate) use crate::waiting::wait;

/// How many numbers the jobs read.
pub(crate) const COUNT: u64 = 600;
/// Into how many runs they are cut.
const CUTS: u64 = 4;
/// The parallelism of each run.
const PARALLELISM: [usize; CUTS as usize + 1] = [2, 1, 3, 4, 2];

/// A job over [`Numbers`], for tests.
pub(crate) trait Definition<T>: Fn(&Env<'_>, Numbers, Ledger<T>) + Clone + Send + Sync + 'static {}
impl<T, F: Fn(&Env<'_>, Numbers, Ledger<T>) + Clone + Send + Sync + 'static> Definition<T> for F {}

/// Where a run keeps its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Where {
    Memory,
    Disk,
}

/// The runs of a job in memory, on disk, and one after the other in each.
pub(crate) const STATES: [[Where; 2]; 3] =
    [[Where::Memory, Where::Memory], [Where::Disk, Where::Disk], [Where::Disk, Where::Memory]];

/// A job, the way into it and the way out.
pub(crate) struct Trial<T> {
    job: Job,
    pub(crate) gate: Gate,
    pub(crate) ledger: Ledger<T>,
    pub(crate) clock: Clock,
    store: String,
    /// Where its runs keep their state, in turn.
    state: [Where; 2],
    runs: Cell<usize>,
    /// How many sources read the numbers.
    sources: u64,
    /// Into how many runs it is cut.
    cuts: u64,
}

impl<T: Data + Ord + Sync> Trial<T> {
    pub(crate) fn new(sources: u64, cuts: u64, state: [Where; 2], define: &impl Definition<T>) -> Self {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let store = format!("memory://recovery-{}", STORES.fetch_add(1, Ordering::Relaxed));
        let (gate, ledger) = (Gate::default(), Ledger::new());
        let job = Self::job(define, &gate, &ledger);
        let (clock, runs) = (Clock::default(), Cell::new(0));
        Trial { job, gate, ledger, clock, store, state, runs, sources, cuts }
    }

    fn job(define: &impl Definition<T>, gate: &Gate, ledger: &Ledger<T>) -> Job {
        let (define, numbers, out) =
            (define.clone(), Numbers { count: COUNT, gate: gate.clone() }, ledger.clone());
        Job::new("trial", move |env| {
            define(env, numbers.clone(), out.clone());
            Ok(())
        })
    }

    /// The job is another from now on.
    pub(crate) fn change(&mut self, define: &impl Definition<T>) {
        self.job = Self::job(define, &self.gate, &self.ledger);
    }

    pub(crate) fn start(&self, parallelism: usize, from: Option<String>) -> RunningJob {
        let options = RunOptions {
            parallelism: Some(parallelism),
            store: Some(self.store.clone()),
            checkpoint_interval: Duration::from_millis(20),
            restart: RestartStrategy::None,
            from,
            clock: self.clock.clone(),
            ..RunOptions::default()
        };
        let run = self.runs.replace(self.runs.get() + 1);
        self.job.start(on_disk(self.state[run % 2] == Where::Disk, options)).unwrap()
    }

    /// Lets the source come to the end of part `cut`, and waits until all of that is in a snapshot.
    pub(crate) fn pass(&self, running: &RunningJob, cut: u64, read_before: u64) -> u64 {
        let limit = COUNT * (cut + 1) / (self.cuts + 1);
        self.gate.open(limit);
        let due = (limit - read_before) * self.sources;
        wait("the sources to come to the gate", || running.records_read() >= due);
        let published = running.snapshots_published();
        // The one under way may have begun before; the next one has not.
        wait("two snapshots", || running.snapshots_published() >= published + 2);
        limit
    }

    fn finish(&self, parallelism: usize, from: Option<String>) {
        self.gate.open(COUNT);
        let report = self.start(parallelism, from).wait().unwrap();
        assert_eq!(report.end, RunEnd::Finished);
    }

    pub(crate) fn sorted(&self) -> Vec<T> {
        let mut records = self.ledger.records();
        records.sort();
        records
    }
}

/// Runs the job that `define` makes, which reads the numbers with so many `sources`: whole, crashed, and stopped. Each time
/// it must have committed `expected`, in any order.
pub(crate) fn recovers<T: Data + Ord + Sync + Debug>(
    sources: u64,
    define: impl Definition<T>,
    mut expected: Vec<T>,
) {
    assert!(!expected.is_empty(), "nothing is expected");
    expected.sort();

    for parallelism in 1..=4 {
        for state in [STATES[0], STATES[1]] {
            let trial = Trial::new(sources, CUTS, state, &define);
            trial.finish(parallelism, None);
            assert_eq!(trial.sorted(), expected, "run whole, parallelism {parallelism}, state in {state:?}");
        }
    }
    for state in STATES {
        crashed(sources, state, &define, &expected);
        stopped(sources, state, &define, &expected);
    }
}

fn crashed<T: Data + Ord + Sync + Debug>(
    sources: u64,
    state: [Where; 2],
    define: &impl Definition<T>,
    expected: &[T],
) {
    let trial = Trial::new(sources, CUTS, state, define);
    let mut read = 0;
    for cut in 0..CUTS {
        let running = trial.start(PARALLELISM[cut as usize], None);
        read = trial.pass(&running, cut, read);
        // Some of what follows is read, and lost again.
        trial.gate.open(read + 30);
        assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);
        trial.gate.open(read);
    }
    trial.finish(PARALLELISM[CUTS as usize], None);
    assert_eq!(trial.sorted(), expected, "crashed {CUTS} times, state in {state:?}");
}

fn stopped<T: Data + Ord + Sync + Debug>(
    sources: u64,
    state: [Where; 2],
    define: &impl Definition<T>,
    expected: &[T],
) {
    let trial = Trial::new(sources, CUTS, state, define);
    let (mut read, mut from) = (0, None);
    for cut in 0..CUTS {
        let running = trial.start(PARALLELISM[cut as usize], from);
        read = trial.pass(&running, cut, read);
        let RunEnd::Stopped(savepoint) = running.stop(false).unwrap().end else { panic!("it did not stop") };
        from = Some(savepoint);
    }
    trial.finish(PARALLELISM[CUTS as usize], from);
    assert_eq!(trial.sorted(), expected, "stopped {CUTS} times, state in {state:?}");
}

/// Runs the job that `define` makes, which reads the numbers with so many `sources`, at one parallelism after the other:
/// stopped with a savepoint before each change, or `crashed`. It must have committed `expected`, in any order.
pub(crate) fn recovers_through<T: Data + Ord + Sync + Debug>(
    sources: u64,
    parallelisms: &[usize],
    crashed: bool,
    define: impl Definition<T>,
    mut expected: Vec<T>,
) {
    assert!(!expected.is_empty(), "nothing is expected");
    expected.sort();
    for state in STATES {
        recovers_in(sources, state, parallelisms, crashed, &define, &expected);
    }
}

fn recovers_in<T: Data + Ord + Sync + Debug>(
    sources: u64,
    state: [Where; 2],
    parallelisms: &[usize],
    crashed: bool,
    define: &impl Definition<T>,
    expected: &[T],
) {
    let (last, before) = parallelisms.split_last().expect("one run at least");
    let trial = Trial::new(sources, before.len() as u64, state, define);
    let (mut read, mut from) = (0, None);
    for (cut, parallelism) in before.iter().enumerate() {
        let running = trial.start(*parallelism, from.take());
        read = trial.pass(&running, cut as u64, read);
        if crashed {
            assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);
        } else {
            let RunEnd::Stopped(savepoint) = running.stop(false).unwrap().end else { panic!("it did not stop") };
            from = Some(savepoint);
        }
    }
    trial.finish(*last, from);
    assert_eq!(trial.sorted(), expected, "parallelism {parallelisms:?}, crashed: {crashed}, state in {state:?}");
}
