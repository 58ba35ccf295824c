use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millpond::*;
use serde::{Deserialize, Serialize};

#[derive(Clone)]
struct Numbers { n: u64, splits: u64, rate: Option<f64> }
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Split { index: u64, of: u64, next: u64 }
struct Reader { split: Split, n: u64 }
impl Source for Numbers {
    type Item = u64; type Split = Split; type Reader = Reader;
    fn describe(&self) -> String { "numbers".into() }
    fn split_id(&self, s: &Split) -> String { s.index.to_string() }
    fn discover(&mut self) -> Result<Vec<Split>, UserError> { Ok((0..self.splits).map(|index| Split { index, of: self.splits, next: index }).collect()) }
    fn is_bounded(&self) -> bool { true }
    fn open(&self, split: Split) -> Result<Reader, UserError> { Ok(Reader { split, n: self.n }) }
    fn rate(&self) -> Option<f64> { self.rate }
}
impl SplitReader for Reader {
    type Item = u64; type Split = Split;
    fn read(&mut self, max: usize, out: &mut Vec<(u64, Option<EventTime>)>) -> Result<ReadStatus, UserError> {
        for _ in 0..max {
            if self.split.next >= self.n { return Ok(ReadStatus::Finished); }
            out.push((self.split.next, Some(EventTime::from_millis(self.split.next as i64))));
            self.split.next += self.split.of;
        }
        Ok(ReadStatus::More)
    }
    fn split(&self) -> Split { self.split.clone() }
}
#[derive(Clone, Default)]
struct Out(Arc<Mutex<(Vec<(u64, u64)>, BTreeSet<(u64, u64, usize)>)>>);
struct OutSink { out: Out, buffer: Vec<(u64, u64)>, place: Option<sink::SinkContext> }
impl Sink<(u64, u64)> for OutSink {
    type Prepared = ((u64, u64, usize), Vec<(u64, u64)>);
    fn describe(&self) -> String { "out".into() }
    fn open(&mut self, c: sink::SinkContext, _: &[Self::Prepared]) -> Result<(), UserError> { self.place = Some(c); Ok(()) }
    fn write(&mut self, v: &(u64, u64), _: EventTime) -> Result<(), UserError> { self.buffer.push(*v); Ok(()) }
    fn prepare(&mut self, epoch: u64) -> Result<Option<Self::Prepared>, UserError> {
        let c = self.place.as_ref().unwrap();
        Ok((!self.buffer.is_empty()).then(|| ((c.run, epoch, c.subtask), std::mem::take(&mut self.buffer))))
    }
    fn commit(&mut self, p: &Self::Prepared) -> Result<(), UserError> {
        let mut out = self.out.0.lock().unwrap();
        if out.1.insert(p.0) { out.0.extend(p.1.iter().copied()); }
        Ok(())
    }
}
fn job(n: u64, rate: Option<f64>, out: &Out) -> Job {
    let out = out.clone();
    Job::new("numbers", move |env| {
        env.source(Numbers { n, splits: 3, rate }, WatermarkStrategy::ascending()).uid("numbers")
            .key_by(|x| x % 10).count().uid("count")
            .sink(OutSink { out: out.clone(), buffer: vec![], place: None }).uid("out");
        Ok(())
    })
}
fn check(n: u64, out: &Out) {
    let items = out.0.lock().unwrap().0.clone();
    assert_eq!(items.len() as u64, n);
    let mut want = BTreeMap::new();
    let mut all: Vec<(u64, u64)> = (0..n).map(|x| { let c = want.entry(x % 10).or_insert(0); *c += 1; (x % 10, *c) }).collect();
    let mut got = items; got.sort(); all.sort();
    assert_eq!(got, all);
}
#[test]
fn whole_run() {
    for p in 1..=4 {
        let out = Out::default();
        let report = job(10_000, None, &out).run(RunOptions { parallelism: Some(p), store: Some(format!("memory://whole{p}")), ..Default::default() }).unwrap();
        assert_eq!(report.end, RunEnd::Finished);
        check(10_000, &out);
    }
}
#[test]
fn stop_and_rescale() {
    let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).try_init();
    let out = Out::default();
    let store = Some("memory://rescale".to_string());
    let options = |p, from: Option<String>| RunOptions { parallelism: Some(p), store: store.clone(), from, checkpoint_interval: Duration::from_millis(50), ..Default::default() };
    let mut from = None;
    for p in [1, 3, 2, 4] {
        let running = job(10_000, Some(5_000.0), &out).start(options(p, from.clone())).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let report = running.stop(false).unwrap();
        let RunEnd::Stopped(at) = report.end else { panic!("{report:?}") };
        from = Some(at);
    }
    job(10_000, None, &out).run(options(2, from)).unwrap();
    check(10_000, &out);
}
#[test]
fn interrupt_and_continue() {
    let out = Out::default();
    let options = |p| RunOptions { parallelism: Some(p), store: Some("memory://interrupt".into()), checkpoint_interval: Duration::from_millis(30), ..Default::default() };
    for p in [2, 1, 3, 4] {
        let running = job(10_000, Some(5_000.0), &out).start(options(p)).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);
    }
    job(10_000, None, &out).run(options(3)).unwrap();
    check(10_000, &out);
}
