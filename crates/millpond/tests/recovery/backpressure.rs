//! A sink that is slower than the source: what is under way stays bounded, and snapshots complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millpond::sink::{Sink, SinkContext};
use millpond::{EventTime, Job, RunOptions, UserError};

use crate::source::{Gate, Numbers, in_order};

/// More than a slow sink can take in the time of this test, and than may be under way.
const COUNT: u64 = 100_000_000;
/// The workers.
const WORKERS: u64 = 2;
/// Records that may be under way: 32,768 a worker, what a batch or two may add, and what has been counted late.
const UNDER_WAY: u64 = WORKERS * 2 * 32_768;

/// Counts what it gets, and takes its time.
struct Slow {
    written: Arc<AtomicU64>,
}

impl Sink<(u64, u64)> for Slow {
    type Prepared = ();

    fn describe(&self) -> String {
        "slow".to_owned()
    }
    fn open(&mut self, _: SinkContext, _: &[()]) -> Result<(), UserError> {
        Ok(())
    }
    fn write(&mut self, _: &(u64, u64), _: EventTime) -> Result<(), UserError> {
        if self.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(256) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
    fn prepare(&mut self, _: u64) -> Result<Option<()>, UserError> {
        Ok(None)
    }
    fn commit(&mut self, (): &()) -> Result<(), UserError> {
        Ok(())
    }
}

#[test]
fn a_source_waits_for_a_slow_sink_and_a_savepoint_completes() {
    let written = Arc::new(AtomicU64::new(0));
    let (sink, gate) = (Arc::clone(&written), Gate::default());
    gate.open(COUNT);
    let job = Job::new("slow", move |env| {
        env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order())
            .uid("numbers")
            .key_by(|number| number % 1000)
            .count()
            .uid("counts")
            .rebalance()
            .sink(Slow { written: Arc::clone(&sink) })
            .uid("slow");
        Ok(())
    });
    let running = job
        .start(RunOptions {
            parallelism: Some(WORKERS as usize),
            store: Some("memory://slow".to_owned()),
            checkpoint_interval: Duration::from_millis(300),
            ..RunOptions::default()
        })
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let mut most = 0;
    while running.snapshots_published() < 5 {
        // In this order: what is read in between counts as under way, and not the other way round.
        let (done, read) = (written.load(Ordering::Relaxed), running.records_read());
        most = most.max(read.saturating_sub(done));
        assert!(Instant::now() < until, "no snapshot completes while the sink is slow");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(most > 0, "the sink was never behind");
    assert!(most <= UNDER_WAY, "{most} records were under way");
    running.savepoint().unwrap();
    running.cancel().unwrap();
}
