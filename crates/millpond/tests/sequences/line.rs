//! One job through its runs, and what must hold of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use millpond::{RestartStrategy, RunEnd, RunOptions, RunningJob};

use crate::input::COUNT;
use crate::look;
use crate::on_disk::on_disk;
use crate::oracle::{Cut, Expected, History, cut_at, expected};
use crate::program::{self, Line as OutputLine};
use crate::source::{Gate, SPLITS};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A snapshot, and how it came about.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) address: String,
    job: String,
    /// Up to the snapshot.
    history: History,
    /// The version that wrote it.
    pub(crate) version: usize,
    /// How far the records went that it was taken after.
    limit: u64,
    base: Base,
}

/// What another job had put out, when this one began from its snapshot.
#[derive(Clone, Debug, Default)]
struct Base {
    /// What was put out by then.
    lines: Vec<OutputLine>,
    /// The numbers that had been given out in bundles.
    released: Vec<u64>,
}

/// Where everything stands; all jobs share it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) store: String,
    pub(crate) output: PathBuf,
}

/// How a run is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) workers: usize,
    /// Whether checkpoints are taken by the clock, as fast as can be.
    pub(crate) clock: bool,
}

struct Running {
    job: RunningJob,
    gate: Gate,
    /// The number of the run.
    run: u64,
    /// Where the run began to read.
    from: Cut,
    /// What had been processed by then.
    history: History,
    version: usize,
}

/// One job.
pub(crate) struct Line {
    name: String,
    place: Place,
    running: Option<Running>,
    /// How far it may read.
    pub(crate) limit: u64,
    base: Base,
    /// All snapshots that it may start from whose history is known: those asked for, and what it began from.
    known: BTreeMap<String, Taken>,
    /// What its runs began with, by their number: the next one may go on from what they did.
    begun: BTreeMap<u64, (Option<String>, History, usize)>,
}

impl Line {
    pub(crate) fn new(name: &str, place: &Place) -> Self {
        Line {
            name: name.to_owned(),
            place: place.clone(),
            running: None,
            limit: 0,
            base: Base::default(),
            known: BTreeMap::new(),
            begun: BTreeMap::new(),
        }
    }

    /// Starts a version of the program: from a snapshot, or from where it is.
    pub(crate) fn start(&mut self, version: usize, start: Start, from: Option<&Taken>) {
        if let Some(taken) = from {
            self.limit = taken.limit;
            self.base = if taken.job == self.name { taken.base.clone() } else { self.of_another(taken) };
            self.known.insert(taken.address.clone(), Taken { base: self.base.clone(), ..taken.clone() });
        }
        let before = look::entries(&self.place.store, &self.name);
        let due = match from {
            Some(taken) => Some(taken.address.clone()),
            None => self.due(&before),
        };
        // What it goes on from may be removed as soon as the run has a checkpoint of its own.
        let history = due.as_deref().map_or_else(History::new, |address| self.history_of(address));
        let from_cut = history.last().map_or_else(|| cut_at(0), |(cut, _)| *cut);
        let gate = Gate::default();
        gate.open(self.limit);
        let options = RunOptions {
            parallelism: Some(start.workers),
            store: Some(self.place.store.clone()),
            name: Some(self.name.clone()),
            checkpoint_interval: if start.clock { Duration::from_millis(3) } else { Duration::ZERO },
            restart: RestartStrategy::None,
            from: from.map(|taken| taken.address.clone()),
            // An operator that is gone; whatever else were left behind would be missed below.
            allow_non_restored: version >= 2,
            ..RunOptions::default()
        };
        // So that state is carried from memory to disk and back.
        let options = on_disk(!start.workers.is_multiple_of(2), options);
        let job = program::job(version, &gate, &self.place.output).start(options).unwrap();
        let (run, restored) = look::newest_start(&look::entries(&self.place.store, &self.name)).unwrap();
        assert_eq!(restored, due, "{} starts from another snapshot than its newest", self.name);
        self.begun.insert(run, (due, history.clone(), version));
        self.running = Some(Running { job, gate, run, from: from_cut, history, version });
    }

    /// What it must go on from: the newest snapshot of its last run, or else what that run went on from.
    fn due(&self, entries: &[millpond_snapshot::log::Entry]) -> Option<String> {
        let (run, restored) = look::newest_start(entries)?;
        look::newest_snapshot(entries, run).or(restored)
    }

    /// What stands behind a snapshot: what its run began with, and what that run did up to it.
    fn history_of(&self, address: &str) -> History {
        if let Some(taken) = self.known.get(address) {
            return taken.history.clone();
        }
        let found = look::read(&self.place.store, address);
        let entries = look::entries(&self.place.store, &self.name);
        let entry =
            entries.iter().find(|entry| entry.id().to_string() == address).expect("a snapshot of this job");
        let (_, history, version) = &self.begun[&entry.run.0];
        extended(history, found.cut, *version)
    }

    /// A job that begins from the snapshot of another has none of the output before it.
    fn of_another(&self, taken: &Taken) -> Base {
        let found = look::read(&self.place.store, &taken.address);
        let all = expected(&taken.history, taken.version, false);
        Base { released: without(&all.numbers, &found.held), lines: all.lines }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    /// Lets it read `records` more, and does not wait for it.
    pub(crate) fn open(&mut self, records: u64) {
        self.limit = (self.limit + records).min(COUNT - SPLITS);
        self.running().gate.open(self.limit);
    }

    /// Waits until it has read as far as it may.
    pub(crate) fn settle(&self) {
        self.await_records(self.due_records());
    }

    fn due_records(&self) -> u64 {
        let (from, to) = (self.running().from, cut_at(self.limit));
        from.iter().zip(to).map(|(from, to)| to.saturating_sub(*from) / SPLITS).sum()
    }

    fn await_records(&self, due: u64) {
        let job = &self.running().job;
        let deadline = Instant::now() + PATIENCE;
        while job.records_read() < due {
            assert!(!job.has_ended(), "{} has ended", self.name);
            assert!(Instant::now() < deadline, "{} read {} of {due}", self.name, job.records_read());
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Takes a savepoint, which must hold what it should, and goes on.
    pub(crate) fn savepoint(&mut self) -> Result<Taken, String> {
        self.settle();
        let address = self.running().job.savepoint().unwrap();
        self.examine(address)
    }

    /// Stops it with a savepoint. State and output must be what they should be.
    pub(crate) fn stop(&mut self) -> Result<Taken, String> {
        self.settle();
        let running = self.running.take().expect("it runs");
        let Running { job, run, from, history, version, gate } = running;
        let RunEnd::Stopped(address) = job.stop(false).unwrap().end else { panic!("it did not stop") };
        // Only `examine` looks at it again.
        self.begun.insert(run, (None, history, version));
        let _ = (from, gate);
        let taken = self.examine_of(address, run)?;
        self.assert_output(&taken.address, &expected(&taken.history, version, false))?;
        Ok(taken)
    }

    /// Ends it in the middle of `records` more, as if the process had died.
    pub(crate) fn crash(&mut self, records: u64, read_of_them: u64) -> Result<(), String> {
        self.settle();
        let before = self.due_records();
        self.open(records);
        self.await_records((before + read_of_them).min(self.due_records()));
        let Running { job, version, history, .. } = self.running.take().expect("it runs");
        assert_eq!(job.interrupt().unwrap().end, RunEnd::Interrupted);
        // What is seen of it may be less than all, but nothing may be in it that is not there, or twice.
        let history = extended(&history, cut_at(self.limit), version);
        let all = expected(&history, version, true).lines;
        let seen = self.without_bundles();
        let too_much = without(&seen, &all);
        if !too_much.is_empty() {
            return Err(format!("{} has put out {too_much:?}, which it should not have, or not twice", self.name));
        }
        Ok(())
    }

    /// Lets it come to the end of its input. State and output must be what they should be.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        let Running { job, gate, history, version, .. } = self.running.take().expect("it runs");
        gate.open(COUNT);
        let report = job.wait().unwrap();
        assert_eq!(report.end, RunEnd::Finished);
        let address = report.snapshot.expect("a snapshot at the end");
        let all = expected(&extended(&history, cut_at(COUNT), version), version, true);
        let found = look::read(&self.place.store, &address);
        same_states(&address, &found.keyed, &all)?;
        self.assert_output(&address, &all)
    }

    fn examine(&mut self, address: String) -> Result<Taken, String> {
        let run = self.running().run;
        self.examine_of(address, run)
    }

    /// A snapshot that was taken when all had been read that may be.
    fn examine_of(&mut self, address: String, run: u64) -> Result<Taken, String> {
        let (_, history, version) = &self.begun[&run];
        let found = look::read(&self.place.store, &address);
        if found.cut != cut_at(self.limit) {
            return Err(format!("{address} stands at {:?}, not at {}", found.cut, self.limit));
        }
        let history = extended(history, found.cut, *version);
        same_states(&address, &found.keyed, &expected(&history, *version, false))?;
        let (job, base) = (self.name.clone(), self.base.clone());
        let taken = Taken { address, job, history, version: *version, limit: self.limit, base };
        self.known.insert(taken.address.clone(), taken.clone());
        Ok(taken)
    }

    fn without_bundles(&self) -> Vec<OutputLine> {
        let mut lines = look::committed(&self.place.output, &self.name);
        lines.retain(|(who, ..)| who != "bundle");
        lines
    }

    /// That readers see all that was put out up to a snapshot, and nothing else.
    fn assert_output(&self, address: &str, all: &Expected) -> Result<(), String> {
        let seen = look::committed(&self.place.output, &self.name);
        let (bundles, lines): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(who, ..)| who == "bundle");
        differ(&format!("the output up to {address}"), &lines, &without(&all.lines, &self.base.lines))?;
        let mut released: Vec<u64> = bundles.iter().map(|(_, _, what)| what[0] as u64).collect();
        released.extend(&self.base.released);
        released.extend(look::read(&self.place.store, address).held);
        released.sort_unstable();
        differ(&format!("what the bundles gave out and hold at {address}"), &released, &all.numbers)
    }
}

/// A history that goes on with `version` up to `cut`.
fn extended(history: &History, cut: Cut, version: usize) -> History {
    let mut history = history.clone();
    history.push((cut, version));
    history
}

fn same_states(
    address: &str,
    found: &BTreeMap<String, Vec<serde_json::Value>>,
    all: &Expected,
) -> Result<(), String> {
    let names = |states: &BTreeMap<String, Vec<serde_json::Value>>| states.keys().cloned().collect::<Vec<_>>();
    differ(&format!("the states with rows of {address}"), &names(found), &names(&all.states))?;
    found.iter().try_for_each(|(name, rows)| differ(&format!("{name} of {address}"), rows, &all.states[name]))
}

/// That both are the same. Says what only one of them has.
fn differ<T: PartialEq + Clone + std::fmt::Debug>(what: &str, found: &[T], expected: &[T]) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let (more, less) = (rest(found, expected), rest(expected, found));
    Err(format!("{what}: not expected, but there: {more:?}; expected, and not there: {less:?}"))
}

/// What is in the first, as often as it is there more often than in the second.
fn rest<T: PartialEq + Clone>(from: &[T], take: &[T]) -> Vec<T> {
    let mut left = from.to_vec();
    for item in take {
        if let Some(at) = left.iter().position(|other| other == item) {
            left.remove(at);
        }
    }
    left
}

/// The same for what is sorted.
fn without<T: Ord + Clone>(from: &[T], take: &[T]) -> Vec<T> {
    let mut counts = BTreeMap::<&T, usize>::new();
    take.iter().for_each(|item| *counts.entry(item).or_default() += 1);
    let mut rest = Vec::new();
    for item in from {
        match counts.get_mut(item) {
            Some(left) if *left > 0 => *left -= 1,
            _ => rest.push(item.clone()),
        }
    }
    rest
}
