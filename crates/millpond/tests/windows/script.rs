//! A source that does what is written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use millpond::{Permanent, ReadBatch, ReadStatus, RunningJob, Source, SplitReader, UserError};
use serde::{Deserialize, Serialize};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) key: u8,
    pub(crate) at: i64,
    pub(crate) value: i64,
}

pub(crate) fn event(key: u8, at: i64, value: i64) -> Event {
    Event { key, at, value }
}

/// What the source does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Give(Event),
    /// Waits until this many results have come out.
    Await(usize),
}

/// Splits of records, and what happens on the way.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) splits: Arc<Vec<Vec<Step>>>,
    /// Records that a split gives before it is somebody else's turn.
    pub(crate) slice: usize,
    pub(crate) results: Arc<AtomicUsize>,
    pub(crate) given: Arc<AtomicU64>,
    /// The next record is a failure instead.
    pub(crate) crash: Arc<AtomicBool>,
    /// Each split stops in its middle until this is set.
    pub(crate) open: Arc<AtomicBool>,
}

impl Script {
    /// These records in one split, given at once.
    pub(crate) fn of(events: &[Event]) -> Self {
        let steps = events.iter().cloned().map(Step::Give).collect();
        Script {
            splits: Arc::new(vec![steps]),
            slice: 7,
            open: Arc::new(AtomicBool::new(true)),
            ..Script::default()
        }
    }
}

impl Script {
    /// How many records there are in all.
    pub(crate) fn records(&self) -> u64 {
        let is_record = |step: &&Step| matches!(step, Step::Give(_));
        self.splits.iter().flatten().filter(is_record).count() as u64
    }

    /// Waits until the first half has been given.
    pub(crate) fn await_half(&self, running: &RunningJob) {
        let half = |split: &Vec<Step>| split[..split.len() / 2].to_vec();
        let half = Script { splits: Arc::new(self.splits.iter().map(half).collect()), ..self.clone() };
        let awaited = half.splits.iter().flatten().filter_map(|step| match step {
            Step::Await(results) => Some(*results),
            Step::Give(_) => None,
        });
        let awaited = awaited.max().unwrap_or(0);
        until(running, || {
            let results = self.results.load(Ordering::SeqCst);
            self.given.load(Ordering::SeqCst) >= half.records() && results >= awaited
        });
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Position {
    split: usize,
    next: usize,
}

pub(crate) struct Reader {
    script: Script,
    position: Position,
    opened: Instant,
}

/// How long a result is awaited.
const PATIENCE: Duration = Duration::from_secs(60);

impl Source for Script {
    type Item = Event;
    type Split = Position;
    type Reader = Reader;

    fn describe(&self) -> String {
        "script".to_owned()
    }
    fn split_id(&self, split: &Position) -> String {
        split.split.to_string()
    }
    fn discover(&mut self) -> Result<Vec<Position>, UserError> {
        Ok((0..self.splits.len()).map(|split| Position { split, next: 0 }).collect())
    }
    fn is_bounded(&self) -> bool {
        true
    }
    fn open(&self, position: Position) -> Result<Reader, UserError> {
        Ok(Reader { script: self.clone(), position, opened: Instant::now() })
    }
}

impl SplitReader for Reader {
    type Item = Event;
    type Split = Position;

    fn read(&mut self, max: usize, out: &mut ReadBatch<Event>) -> Result<ReadStatus, UserError> {
        let steps = &self.script.splits[self.position.split];
        for _ in 0..max.min(self.script.slice) {
            if self.position.next >= steps.len() / 2 && !self.script.open.load(Ordering::SeqCst) {
                return Ok(ReadStatus::Waiting);
            }
            match steps.get(self.position.next) {
                None => return Ok(ReadStatus::Finished),
                Some(Step::Await(results)) if self.script.results.load(Ordering::SeqCst) < *results => {
                    if self.opened.elapsed() > PATIENCE {
                        let there = self.script.results.load(Ordering::SeqCst);
                        return Err(
                            Permanent::new(format!("{results} results are awaited, and {there} came")).into()
                        );
                    }
                    return Ok(ReadStatus::Waiting);
                }
                Some(Step::Await(_)) => {}
                Some(Step::Give(event)) => {
                    // Both splits are read on when it fails, the last record of either last.
                    let last = self.position.next + 1 == steps.len();
                    if last && self.script.crash.swap(false, Ordering::SeqCst) {
                        return Err("the source was told to fail here".into());
                    }
                    self.script.given.fetch_add(1, Ordering::SeqCst);
                    out.push(event.clone());
                }
            }
            self.position.next += 1;
        }
        Ok(ReadStatus::More)
    }

    fn split(&self) -> Position {
        self.position.clone()
    }
}

/// Waits while the job runs.
pub(crate) fn until(running: &RunningJob, condition: impl Fn() -> bool) {
    while !condition() {
        assert!(!running.has_ended(), "the job has ended too early");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
