//! Jobs over records that are written down, run whole, broken off, or carried to another parallelism.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use millpond::{Clock, Data, Env, EventTime, Job, RestartStrategy, RunOptions, Stream, WatermarkStrategy};
use millpond_snapshot::Store;
use millpond_snapshot::manifest::StateSnapshot;
use millpond_snapshot::store::OpenMode;
use proptest::prelude::*;

use crate::collect::Collected;
use crate::on_disk::on_disk;
use crate::script::until;
pub(crate) use crate::script::{Event, Script, Step, event};

/// How a job comes to its end. All but the first break off in the middle, when there is a snapshot with some state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Course {
    /// In one go, with this many workers.
    Whole(usize),
    /// The source fails once, and the run starts again by itself.
    Crash(usize),
    /// The process is gone, and another goes on with other workers.
    Killed(usize, usize),
    /// It is stopped with a savepoint, and goes on with other workers.
    Carried(usize, usize),
    /// The same, with state on disk.
    OnDisk(&'static Course),
}

/// The courses that each kind of operator is put through.
pub(crate) const COURSES: [Course; 18] = [
    Course::Whole(1),
    Course::Whole(2),
    Course::Whole(3),
    Course::Crash(1),
    Course::Crash(2),
    Course::Crash(3),
    Course::Killed(1, 2),
    Course::Killed(3, 1),
    Course::Killed(2, 2),
    Course::Carried(1, 3),
    Course::Carried(3, 1),
    Course::Carried(2, 3),
    Course::OnDisk(&Course::Whole(1)),
    Course::OnDisk(&Course::Whole(3)),
    Course::OnDisk(&Course::Crash(2)),
    Course::OnDisk(&Course::Killed(3, 1)),
    Course::OnDisk(&Course::Carried(1, 3)),
    Course::OnDisk(&Course::Carried(3, 1)),
];

/// Any course.
pub(crate) fn courses() -> impl Strategy<Value = Course> {
    prop::sample::select(COURSES.as_slice())
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

    /// The watermark is this far behind the latest record.
    pub(crate) fn behind(mut self, by: i64) -> Self {
        self.out_of_orderness = millis(by);
        self
    }

    pub(crate) fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Runs the job, and gives what it committed. `define` makes results of the records.
    pub(crate) fn results<O, D>(self, course: Course, define: D) -> Vec<O>
    where
        O: Data + Ord,
        D: for<'s> Fn(Stream<'s, Event>) -> Stream<'s, O> + Send + Sync + 'static,
    {
        let (disk, course) = match course {
            Course::OnDisk(course) => (true, *course),
            course => (false, course),
        };
        let whole = matches!(course, Course::Whole(_));
        let (job, script, collected) = self.job(whole, define);
        let store = store();
        let options = |workers| {
            let options = RunOptions {
                parallelism: Some(workers),
                store: Some(store.clone()),
                checkpoint_interval: Duration::from_millis(3),
                restart: RestartStrategy::FixedDelay { attempts: 3, delay: Duration::ZERO },
                clock: self.clock.clone(),
                ..RunOptions::default()
            };
            on_disk(disk, options)
        };
        let half_way = |workers| {
            let running = job.start(options(workers)).unwrap();
            script.await_half(&running);
            // One that is under way may be too early.
            let published = running.snapshots_published();
            until(&running, || running.snapshots_published() > published + 1);
            running
        };
        match course {
            Course::Whole(workers) => {
                job.run(options(workers)).unwrap();
            }
            Course::Crash(workers) => {
                let running = half_way(workers);
                script.crash.store(true, Ordering::SeqCst);
                script.open.store(true, Ordering::SeqCst);
                running.wait().unwrap();
                assert!(!script.crash.load(Ordering::SeqCst), "it was to crash");
            }
            Course::Killed(from, to) => {
                half_way(from).interrupt().unwrap();
                script.open.store(true, Ordering::SeqCst);
                job.run(options(to)).unwrap();
            }
            Course::Carried(from, to) => {
                let savepoint = half_way(from).stop(false).unwrap().snapshot;
                assert!(savepoint.is_some(), "a stop leaves a savepoint");
                script.open.store(true, Ordering::SeqCst);
                job.run(RunOptions { from: savepoint, ..options(to) }).unwrap();
            }
            Course::OnDisk(_) => unreachable!("on disk once is enough"),
        }
        assert!(script.given.load(Ordering::SeqCst) >= script.records());
        collected.sorted()
    }

    /// Runs the job up to its middle, and gives what its operator `uid` keeps: rows by state, of all keys.
    pub(crate) fn kept<O, D>(self, uid: &str, define: D) -> Vec<(String, u64)>
    where
        O: Data + Ord,
        D: for<'s> Fn(Stream<'s, Event>) -> Stream<'s, O> + Send + Sync + 'static,
    {
        let (job, script, _) = self.job(false, define);
        let store = store();
        let options = RunOptions {
            parallelism: Some(2),
            store: Some(store.clone()),
            // The savepoint is the first snapshot, so that it has what is there and no tombstones.
            checkpoint_interval: Duration::ZERO,
            clock: self.clock,
            ..RunOptions::default()
        };
        let running = job.start(options).unwrap();
        script.await_half(&running);
        let savepoint = running.stop(false).unwrap().snapshot.unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let resolved = runtime.block_on(async {
            let store = Store::open(&store, OpenMode::Existing).await.unwrap();
            millpond_snapshot::repository::resolve(&store, &savepoint).await.unwrap()
        });
        let operators = &resolved.record().unwrap().manifest.operators;
        let operator = operators.iter().find(|operator| operator.uid.as_str() == uid).unwrap();
        let keyed = operator.states.iter().filter(|state| state.rows_inline.is_none());
        let rows = |state: &StateSnapshot| state.chunks.iter().map(|chunk| chunk.rows).sum::<u64>();
        let mut kept: Vec<_> = keyed.map(|state| (state.name.to_string(), rows(state))).collect();
        kept.retain(|(_, rows)| *rows > 0);
        kept.sort();
        kept
    }

    /// The job, and a hand on both its ends. Unless it is open, the script stops in its middle.
    fn job<O, D>(&self, open: bool, define: D) -> (Job, Script, Collected<O>)
    where
        O: Data + Ord,
        D: for<'s> Fn(Stream<'s, Event>) -> Stream<'s, O> + Send + Sync + 'static,
    {
        let script = Script {
            splits: Arc::new(self.splits.clone()),
            slice: self.slice,
            open: Arc::new(AtomicBool::new(open)),
            ..Script::default()
        };
        let collected = Collected::new();
        let (source, sink, bound) = (script.clone(), collected.clone(), self.out_of_orderness);
        let job = Job::new("windows", move |env: &Env<'_>| {
            let strategy = WatermarkStrategy::bounded_out_of_orderness(bound)
                .timestamps(|event: &Event| EventTime::from_millis(event.at));
            let events = env.source(source.clone(), strategy).uid("script");
            let results = Arc::clone(&source.results);
            let count = move |_: &O| {
                results.fetch_add(1, Ordering::SeqCst);
            };
            define(events).inspect(count).sink(sink.sink()).uid("collector");
            Ok(())
        });
        (job, script, collected)
    }
}

/// A store that no other job has.
fn store() -> String {
    static STORES: AtomicU64 = AtomicU64::new(0);
    format!("memory://windows-{}", STORES.fetch_add(1, Ordering::SeqCst))
}

pub(crate) fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}
