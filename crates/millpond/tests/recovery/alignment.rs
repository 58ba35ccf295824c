//! Sources that keep together: none reads far ahead of the slowest.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use millpond::{
    Cluster, Collect, EventTime, Job, ReadBatch, ReadStatus, RunEnd, RunOptions, RunningJob, Source, SplitReader,
    UserError, WatermarkStrategy,
};
use serde::{Deserialize, Serialize};

use crate::harness::wait;
use crate::source::{Gate, Numbers, in_order};

const COUNT: u64 = 200_000;
/// What the slow source yields at first: to one of its readers only, so that the others must hear of it.
const FEW: u64 = 1;
const DRIFT: Duration = Duration::from_millis(1000);
/// The drift, and what may be read of a split at once, which is 1024 of every third number.
const AHEAD: u64 = FEW + 1000 + 3 * 1024;

fn options(name: &str) -> RunOptions {
    RunOptions {
        parallelism: Some(2),
        store: Some(format!("memory://alignment-{name}")),
        checkpoint_interval: Duration::from_millis(20),
        ..RunOptions::default()
    }
}

fn some_snapshots(running: &RunningJob) {
    let published = running.snapshots_published();
    wait("some snapshots", || running.snapshots_published() >= published + 15);
}

/// Two sources, of which one yields little at first, and another that could go on. Gives how much was read while the first
/// one was waited for.
fn read_meanwhile(name: &str, processes: usize, strategy: fn() -> WatermarkStrategy<u64>) -> u64 {
    let (slow, fast) = (Gate::default(), Gate::default());
    let (first, second, out) = (slow.clone(), fast.clone(), Collect::<u64>::new());
    let sink = out.clone();
    let job = Job::new("alignment", move |env| {
        let one = env.source(Numbers { count: COUNT, gate: first.clone() }, strategy()).uid("one");
        let two = env.source(Numbers { count: COUNT, gate: second.clone() }, strategy()).uid("two");
        one.union([two]).filter(|number| *number == COUNT - 1).sink(sink.sink()).uid("out");
        Ok(())
    });
    let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let hosts: Vec<_> = listeners.iter().map(|at| at.local_addr().unwrap().to_string()).collect();
    drop(listeners);
    let mut jobs: Vec<_> = (0..processes)
        .rev()
        .map(|process| {
            let cluster = (processes > 1).then(|| Cluster { hosts: hosts.clone(), process });
            let store = if processes > 1 { "cluster" } else { name };
            job.start(RunOptions { cluster, ..options(store) }).unwrap()
        })
        .collect();
    let running = jobs.pop().unwrap();
    slow.open(FEW);
    wait("the little that there is", || running.records_read() == FEW);
    some_snapshots(&running);
    fast.open(COUNT);
    wait("what follows it", || running.records_read() > FEW + 1000);
    some_snapshots(&running);
    let read = running.records_read() - FEW;
    slow.open(COUNT);
    assert_eq!(running.wait().unwrap().end, RunEnd::Finished);
    for other in jobs {
        assert_eq!(other.wait().unwrap().end, RunEnd::Finished);
    }
    assert_eq!(out.items(), [COUNT - 1; 2], "in the end all is read");
    read
}

fn aligned() -> WatermarkStrategy<u64> {
    in_order().aligned_within(DRIFT)
}

#[test]
fn a_source_waits_for_one_that_is_behind() {
    let read = read_meanwhile("on", 1, aligned);
    assert!(read < AHEAD, "{read} are read, up to {AHEAD} were expected");
}

#[test]
fn it_waits_for_one_in_another_process() {
    let read = read_meanwhile("on", 2, aligned);
    assert!(read < AHEAD, "{read} are read, up to {AHEAD} were expected");
}

#[test]
fn without_alignment_it_reads_on() {
    assert_eq!(read_meanwhile("off", 1, in_order), COUNT);
}

#[test]
fn nobody_waits_for_an_idle_source() {
    let read = read_meanwhile("idle", 1, || aligned().idle_after(Duration::from_millis(50)));
    assert_eq!(read, COUNT);
}

/// So many days, more than a subtask has open at a time, each a split.
const DAYS: u64 = 150;
/// Records of a day, more than are read at once.
const RECORDS: u64 = 3000;
const READ_AT_ONCE: u64 = 1024;

/// A record: the day, and which one of it.
type Moment = (u64, u64);

/// The records of some days; of the first one only what may be read.
struct Days {
    gate: Gate,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Day {
    day: u64,
    next: u64,
}

struct DayReader {
    day: Day,
    gate: Gate,
}

impl Source for Days {
    type Item = Moment;
    type Split = Day;
    type Reader = DayReader;

    fn describe(&self) -> String {
        "days".to_owned()
    }
    fn split_id(&self, split: &Day) -> String {
        split.day.to_string()
    }
    fn discover(&mut self) -> Result<Vec<Day>, UserError> {
        Ok((0..DAYS).map(|day| Day { day, next: 0 }).collect())
    }
    fn is_bounded(&self) -> bool {
        true
    }
    fn open(&self, day: Day) -> Result<DayReader, UserError> {
        Ok(DayReader { day, gate: self.gate.clone() })
    }
}

impl SplitReader for DayReader {
    type Item = Moment;
    type Split = Day;

    fn read(&mut self, max: usize, out: &mut ReadBatch<Moment>) -> Result<ReadStatus, UserError> {
        let Day { day, next } = self.day;
        let end = if day == 0 { self.gate.limit().min(RECORDS) } else { RECORDS };
        let to = end.min(next + max as u64);
        out.extend((next..to).map(|number| (day, number)));
        self.day.next = to;
        Ok(match to {
            RECORDS => ReadStatus::Finished,
            _ if to == end => ReadStatus::Waiting,
            _ => ReadStatus::More,
        })
    }
    fn split(&self) -> Day {
        self.day.clone()
    }
}

#[test]
fn more_splits_than_are_open_at_a_time_are_read_in_order() {
    let (gate, out) = (Gate::default(), Collect::<Moment>::new());
    let (source, sink) = (gate.clone(), out.clone());
    gate.open(FEW);
    let job = Job::new("days", move |env| {
        let strategy = WatermarkStrategy::ascending()
            .timestamps(|(day, number): &Moment| EventTime::from_millis((day * RECORDS + number) as i64))
            .aligned_within(Duration::ZERO);
        env.source(Days { gate: source.clone() }, strategy).uid("days").sink(sink.sink()).uid("out");
        Ok(())
    });
    let running = job.start(RunOptions { parallelism: Some(1), ..options("days") }).unwrap();
    // Of what nothing is known, a little is read.
    let mut first = 0;
    wait("the first day to be waited for", || {
        some_snapshots(&running);
        let before = std::mem::replace(&mut first, running.records_read());
        first > 0 && first == before
    });
    gate.open(RECORDS);
    assert_eq!(running.wait().unwrap().end, RunEnd::Finished);
    let items = out.items();
    assert_eq!(items.len() as u64, DAYS * RECORDS);
    let (begun, rest) = items.split_at(first as usize);
    assert!(begun.iter().all(|(_, number)| *number < READ_AT_ONCE), "not much of any day");
    assert_eq!(begun.iter().map(|(day, _)| day).collect::<BTreeSet<_>>().len() as u64, DAYS);
    assert!(rest.is_sorted(), "after that, one day follows the other");
}
