//! An operator that has much to do lets the others of its worker have their turn.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use millpond::{Generator, Job, RunOptions, WatermarkStrategy};

use crate::sink::Ledger;

/// As many as may be under way, and more.
const RECORDS: u64 = 120_000;
/// How long the slow one takes for a record.
const SLOWNESS: Duration = Duration::from_micros(20);
/// What it may do before another has its turn: by its time 100 records and a batch; far below what waits for it.
const IN_A_ROW: u64 = 8_000;

#[derive(Default)]
struct Watch {
    worker: OnceLock<ThreadId>,
    done: AtomicU64,
    seen: AtomicU64,
    longest: AtomicU64,
    turns: AtomicU64,
}

impl Watch {
    fn work(&self) {
        self.worker.get_or_init(|| std::thread::current().id());
        let until = Instant::now() + SLOWNESS;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Another operator has its turn; on the worker of the slow one it looks how far that has come.
    fn turn(&self) {
        if self.worker.get() == Some(&std::thread::current().id()) {
            let done = self.done.load(Ordering::Relaxed);
            let since = done - self.seen.swap(done, Ordering::Relaxed);
            self.longest.fetch_max(since, Ordering::Relaxed);
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn an_operator_with_much_to_do_gives_others_their_turn() {
    let watch = Arc::new(Watch::default());
    let (seen, out) = (Arc::clone(&watch), Ledger::new());
    let job = Job::new("turns", move |env| {
        let numbers =
            env.source(Generator::new(Some(RECORDS), 2, |n| n), WatermarkStrategy::none()).uid("numbers");
        let slow = Arc::clone(&seen);
        // One key, one worker: all that both sources read waits for it.
        let counted = numbers.clone().key_by(|_| 0_u64).fold(move |count: &mut u64, _| {
            slow.work();
            *count += 1;
        });
        counted.uid("slow").filter(|_| false).sink(out.sink()).uid("slow-out");
        let other = Arc::clone(&seen);
        let counted = numbers.key_by(|n| n % 64).fold(move |count: &mut u64, _| {
            other.turn();
            *count += 1;
        });
        counted.uid("others").filter(|_| false).sink(out.sink()).uid("others-out");
        Ok(())
    });
    let options = RunOptions {
        parallelism: Some(2),
        store: Some("memory://turns".to_owned()),
        checkpoint_interval: Duration::ZERO,
        ..RunOptions::default()
    };
    job.start(options).unwrap().wait().unwrap();
    assert_eq!(watch.done.load(Ordering::Relaxed), RECORDS);
    assert!(watch.turns.load(Ordering::Relaxed) > 0, "the other operator was on that worker too");
    let longest = watch.longest.load(Ordering::Relaxed);
    assert!(longest < IN_A_ROW, "{longest} records in a row");
}
