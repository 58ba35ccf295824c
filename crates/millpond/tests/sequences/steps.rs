//! What may be done to a job, drawn at random, and done.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::sample::Index;

use crate::line::{Line, Place, Start, Taken};
use crate::program::VERSIONS;

/// One thing that is done.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// It reads so many records more.
    Run { records: u64 },
    /// It takes a savepoint and goes on.
    Savepoint,
    /// It is stopped, and goes on from there.
    Stop { start: Start },
    /// It dies when it has read some of so many records more, and is started by its name alone.
    Crash { records: u64, read: u64, start: Start },
    /// It is stopped or dies, and starts from one of all savepoints that there are.
    Back { to: Index, crash: bool, start: Start },
    /// Whatever starts from now on is the next version of the program.
    Evolve,
    /// Another job begins from one of all savepoints, while this one goes on; both read so many records. If it is `kept`,
    /// it is the one that the steps that follow are about.
    Fork { from: Index, records: u64, kept: bool, start: Start },
}

fn starts() -> impl Strategy<Value = Start> {
    (1..=5_usize, any::<bool>()).prop_map(|(workers, clock)| Start { workers, clock })
}

fn steps() -> impl Strategy<Value = Step> {
    let records = || 1..60_u64;
    prop_oneof![
        3 => records().prop_map(|records| Step::Run { records }),
        3 => Just(Step::Savepoint),
        2 => starts().prop_map(|start| Step::Stop { start }),
        3 => (records(), 0..60_u64, starts()).prop_map(|(records, read, start)| Step::Crash { records, read, start }),
        2 => (any::<Index>(), any::<bool>(), starts()).prop_map(|(to, crash, start)| Step::Back { to, crash, start }),
        2 => Just(Step::Evolve),
        1 => (any::<Index>(), records(), any::<bool>(), starts())
            .prop_map(|(from, records, kept, start)| Step::Fork { from, records, kept, start }),
    ]
}

/// How the first and the last run are started, and what is done in between.
pub(crate) fn sequences() -> impl Strategy<Value = (Start, Vec<Step>, Start)> {
    (starts(), prop::collection::vec(steps(), 2..9), starts())
}

/// All jobs, and all savepoints that were taken.
pub(crate) struct Scene {
    place: Place,
    line: Line,
    /// The version of the program.
    version: usize,
    savepoints: Vec<Taken>,
    forks: u64,
    _directory: tempfile::TempDir,
}

impl Scene {
    /// A store and an output that no other scene has.
    pub(crate) fn new() -> Self {
        static SCENES: AtomicU64 = AtomicU64::new(0);
        let directory = tempfile::tempdir().unwrap();
        let store = format!("memory://sequences-{}", SCENES.fetch_add(1, Ordering::Relaxed));
        let place = Place { store, output: directory.path().to_owned() };
        let line = Line::new("main", &place);
        Scene { place, line, version: 0, savepoints: Vec::new(), forks: 0, _directory: directory }
    }

    /// Does all of it, and comes to the end of the input. The error says what is not as it should be.
    pub(crate) fn play(&mut self, (first, steps, last): &(Start, Vec<Step>, Start)) -> Result<(), String> {
        self.line.start(self.version, *first, None);
        // Event time begins when each split has a record.
        self.line.open(12);
        for step in steps {
            self.step(step).map_err(|error| format!("{step:?}: {error}"))?;
        }
        let stopped = self.line.stop()?;
        self.line.start(self.version, *last, Some(&stopped));
        self.line.finish()
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Run { records } => {
                self.line.open(*records);
                self.line.settle();
            }
            Step::Savepoint => {
                let taken = self.line.savepoint()?;
                self.savepoints.push(taken);
            }
            Step::Stop { start } => {
                let taken = self.line.stop()?;
                self.line.start(self.version, *start, Some(&taken));
                self.savepoints.push(taken);
            }
            Step::Crash { records, read, start } => {
                self.line.crash(*records, *read)?;
                self.line.start(self.version, *start, None);
            }
            Step::Back { to, crash, start } => {
                match crash {
                    true => self.line.crash(20, 10)?,
                    false => {
                        let taken = self.line.stop()?;
                        self.savepoints.push(taken);
                    }
                }
                match self.savepoints.is_empty() {
                    true => self.line.start(self.version, *start, None),
                    false => self.line.start(self.version, *start, Some(to.get(&self.savepoints))),
                }
            }
            Step::Evolve => self.version = (self.version + 1).min(VERSIONS - 1),
            Step::Fork { from, records, kept, start } => self.fork(from, *records, *kept, *start)?,
        }
        Ok(())
    }

    fn fork(&mut self, from: &Index, records: u64, kept: bool, start: Start) -> Result<(), String> {
        if self.savepoints.is_empty() {
            let taken = self.line.savepoint()?;
            self.savepoints.push(taken);
        }
        self.forks += 1;
        let mut fork = Line::new(&format!("fork-{}", self.forks), &self.place);
        fork.start(self.version, start, Some(from.get(&self.savepoints)));
        fork.open(records);
        self.line.open(records);
        let taken = fork.stop()?;
        let of_first = self.line.savepoint()?;
        self.savepoints.push(of_first);
        if kept {
            self.line.stop()?;
            fork.start(self.version, start, Some(&taken));
            self.line = fork;
        }
        self.savepoints.push(taken);
        Ok(())
    }
}
