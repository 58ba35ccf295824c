//! Jobs over records that are written down, run whole, broken off, or carried to another parallelism.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millpond::sink::SinkContext;
use millpond::{
    Clock, Data, Env, EventTime, Job, ReadStatus, RestartStrategy, RunOptions, Sink, Source, SplitReader, Stream,
    UserError, WatermarkStrategy,
};
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
    splits: Arc<Vec<Vec<Step>>>,
    /// Records that a split gives before it is somebody else's turn.
    slice: usize,
    results: Arc<AtomicUsize>,
    given: Arc<AtomicU64>,
    /// After this many records in all, the source fails, once.
    crash: Arc<Mutex<Option<u64>>>,
    /// Each split stops in its middle until this is set.
    open: Arc<AtomicBool>,
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

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Position {
    split: usize,
    next: usize,
}

pub(crate) struct Reader {
    script: Script,
    position: Position,
}

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
        Ok(Reader { script: self.clone(), position })
    }
}

impl SplitReader for Reader {
    type Item = Event;
    type Split = Position;

    fn read(&mut self, max: usize, out: &mut Vec<(Event, Option<EventTime>)>) -> Result<ReadStatus, UserError> {
        let steps = &self.script.splits[self.position.split];
        for _ in 0..max.min(self.script.slice) {
            if self.position.next >= steps.len() / 2 && !self.script.open.load(Ordering::SeqCst) {
                return Ok(ReadStatus::Waiting);
            }
            match steps.get(self.position.next) {
                None => return Ok(ReadStatus::Finished),
                Some(Step::Await(results)) if self.script.results.load(Ordering::SeqCst) < *results => {
                    return Ok(ReadStatus::Waiting);
                }
                Some(Step::Await(_)) => {}
                Some(Step::Give(event)) => {
                    let given = self.script.given.fetch_add(1, Ordering::SeqCst);
                    let mut crash = self.script.crash.lock().unwrap();
                    if crash.is_some_and(|at| given >= at) {
                        *crash = None;
                        return Err("the source was told to fail here".into());
                    }
                    out.push((event.clone(), None));
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

/// What has been committed.
pub(crate) struct Collected<O>(Arc<Mutex<Committed<O>>>);

struct Committed<O> {
    items: Vec<O>,
    ids: HashSet<(u64, u64, usize)>,
}

impl<O> Clone for Collected<O> {
    fn clone(&self) -> Self {
        Collected(Arc::clone(&self.0))
    }
}

impl<O: Clone + Ord> Collected<O> {
    pub(crate) fn new() -> Self {
        Collected(Arc::new(Mutex::new(Committed { items: Vec::new(), ids: HashSet::new() })))
    }
    /// Everything that was committed, in order.
    pub(crate) fn sorted(&self) -> Vec<O> {
        let mut items = self.0.lock().unwrap().items.clone();
        items.sort();
        items
    }
}

/// Commits to memory, each thing once.
pub(crate) struct Collector<O> {
    collected: Collected<O>,
    written: Vec<O>,
    context: Option<SinkContext>,
}

impl<O> Collected<O> {
    pub(crate) fn sink(&self) -> Collector<O> {
        Collector { collected: self.clone(), written: Vec::new(), context: None }
    }
}

impl<O: Data> Sink<O> for Collector<O> {
    type Prepared = (u64, u64, usize, Vec<O>);

    fn describe(&self) -> String {
        "collector".to_owned()
    }
    fn open(&mut self, context: SinkContext, _: &[Self::Prepared]) -> Result<(), UserError> {
        self.context = Some(context);
        Ok(())
    }
    fn write(&mut self, value: &O, _: EventTime) -> Result<(), UserError> {
        self.written.push(value.clone());
        Ok(())
    }
    fn prepare(&mut self, epoch: u64) -> Result<Option<Self::Prepared>, UserError> {
        let context = self.context.as_ref().ok_or("not open")?;
        let written = std::mem::take(&mut self.written);
        Ok((!written.is_empty()).then_some((context.run, epoch, context.subtask, written)))
    }
    fn commit(&mut self, (run, epoch, subtask, items): &Self::Prepared) -> Result<(), UserError> {
        let mut committed = self.collected.0.lock().unwrap();
        if committed.ids.insert((*run, *epoch, *subtask)) {
            committed.items.extend(items.iter().cloned());
        }
        Ok(())
    }
}

/// How a job comes to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Course {
    /// In one go, with this many workers.
    Whole(usize),
    /// The source fails once, after this share of the records in percent.
    Crash { workers: usize, percent: u64 },
    /// It is stopped with a savepoint in the middle and goes on with other workers.
    Carried { from: usize, to: usize },
}

/// The courses that each kind of operator is put through.
pub(crate) fn courses() -> Vec<Course> {
    let mut courses: Vec<_> = (1..=3).map(Course::Whole).collect();
    courses.extend([(1, 40), (2, 75), (3, 55)].map(|(workers, percent)| Course::Crash { workers, percent }));
    courses.extend([(1, 3), (3, 1), (2, 3)].map(|(from, to)| Course::Carried { from, to }));
    courses
}

/// A job over a script.
pub(crate) struct Run {
    splits: Vec<Vec<Step>>,
    out_of_orderness: Duration,
    clock: Clock,
    slice: usize,
}

impl Run {
    /// Records in this order, dealt out to two splits; the watermark is right for them.
    pub(crate) fn over(events: &[Event]) -> Self {
        let mut splits = vec![Vec::new(), Vec::new()];
        for (index, event) in events.iter().enumerate() {
            splits[index % 2].push(Step::Give(event.clone()));
        }
        let latest = |so_far: &mut i64, event: &Event| {
            *so_far = (*so_far).max(event.at);
            Some(*so_far - event.at)
        };
        let behind = events.iter().scan(i64::MIN, latest).max().unwrap_or(0);
        Run { splits, out_of_orderness: millis(behind), clock: Clock::default(), slice: 7 }
    }

    /// These steps, in order, and records in the order of their time unless the step is late.
    pub(crate) fn steps(steps: Vec<Step>) -> Self {
        Run { splits: vec![steps], out_of_orderness: Duration::ZERO, clock: Clock::default(), slice: 1 }
    }

    pub(crate) fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Runs the job, and gives what it committed. `define` makes results of the records; it is given what late records
    /// can be sent to.
    pub(crate) fn results<O, D>(self, course: Course, define: D) -> Vec<O>
    where
        O: Data + Ord,
        D: for<'s> Fn(Stream<'s, Event>) -> Stream<'s, O> + Send + Sync + 'static,
    {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let store = format!("memory://windows-{}", RUNS.fetch_add(1, Ordering::SeqCst));
        let records: usize = self.splits.iter().map(Vec::len).sum();
        let script = Script {
            splits: Arc::new(self.splits),
            slice: self.slice,
            open: Arc::new(AtomicBool::new(!matches!(course, Course::Carried { .. }))),
            ..Script::default()
        };
        if let Course::Crash { percent, .. } = course {
            *script.crash.lock().unwrap() = Some(records as u64 * percent / 100);
        }
        let collected = Collected::new();
        let job = {
            let (script, collected, bound) = (script.clone(), collected.clone(), self.out_of_orderness);
            Job::new("windows", move |env: &Env<'_>| {
                let strategy = WatermarkStrategy::bounded_out_of_orderness(bound)
                    .timestamps(|event: &Event| EventTime::from_millis(event.at));
                let events = env.source(script.clone(), strategy).uid("script");
                let results = Arc::clone(&script.results);
                let count = move |_: &O| {
                    results.fetch_add(1, Ordering::SeqCst);
                };
                define(events).inspect(count).sink(collected.sink()).uid("collector");
                Ok(())
            })
        };
        let options = |workers| RunOptions {
            parallelism: Some(workers),
            store: Some(store.clone()),
            checkpoint_interval: Duration::from_millis(3),
            restart: RestartStrategy::FixedDelay { attempts: 3, delay: Duration::ZERO },
            clock: self.clock.clone(),
            ..RunOptions::default()
        };
        match course {
            Course::Whole(workers) | Course::Crash { workers, .. } => {
                job.run(options(workers)).unwrap();
                assert!(script.crash.lock().unwrap().is_none(), "it was to crash");
            }
            Course::Carried { from, to } => {
                let running = job.start(options(from)).unwrap();
                let half: usize = script.splits.iter().map(|split| split.len() / 2).sum();
                while (script.given.load(Ordering::SeqCst) as usize) < half {
                    assert!(!running.has_ended(), "{:?}", running.wait());
                    std::thread::sleep(Duration::from_millis(1));
                }
                let savepoint = running.stop(false).unwrap().snapshot;
                script.open.store(true, Ordering::SeqCst);
                job.run(RunOptions { from: savepoint, ..options(to) }).unwrap();
            }
        }
        collected.sorted()
    }
}

pub(crate) fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}
