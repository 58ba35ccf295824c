//! What comes out of a job, counted: on each thread by itself, and brought together batch by batch.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::latency::{STEP_MICROS, now_micros, quantile};
use crate::machine;
use crate::outcome::Outcome;
use crate::stall::{Stall, Stalls};

/// What a tally looks at besides rows and their check.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Says when the first row has come.
    pub first: bool,
    /// Measures standstills once so many rows have come.
    pub stalls_after: Option<u64>,
}

/// Counts what comes out of a job, on any number of threads.
#[derive(Clone, Debug)]
pub struct Tally(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Instant,
    rows: AtomicU64,
    check: AtomicU64,
    seen_first: AtomicBool,
    rest: Mutex<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    latencies: BTreeMap<u64, u64>,
    stall: Stall,
}

impl Tally {
    /// Starts the clock.
    pub fn start() -> Self {
        Tally(Arc::new(Shared {
            started: Instant::now(),
            rows: AtomicU64::new(0),
            check: AtomicU64::new(0),
            seen_first: AtomicBool::new(false),
            rest: Mutex::default(),
        }))
    }

    /// For one thread.
    pub fn local(&self, wanted: Wanted) -> Local {
        Local {
            tally: self.clone(),
            wanted,
            rows: 0,
            check: 0,
            latest: HashMap::new(),
            latencies: Vec::new(),
            stalls: Stalls::default(),
        }
    }

    /// What has come of `records`, now that all are through.
    pub fn outcome(&self, records: u64) -> Outcome {
        let shared = &self.0;
        let rest = shared.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut figures = BTreeMap::new();
        if rest.stall != Stall::default() {
            figures.insert("longest_stall_ms".to_owned(), rest.stall.clock.as_secs_f64() * 1e3);
            figures.insert("longest_stall_cpu_ms".to_owned(), rest.stall.processor.as_secs_f64() * 1e3);
        }
        Outcome {
            records,
            seconds: shared.started.elapsed().as_secs_f64(),
            rows: shared.rows.load(Ordering::Relaxed),
            check: shared.check.load(Ordering::Relaxed),
            cpu_seconds: machine::own_cpu_seconds(),
            peak_bytes: machine::own_peak_bytes(),
            figures,
            latencies: rest.latencies.clone(),
        }
    }
}

/// What one thread has gathered.
#[derive(Debug)]
pub struct Local {
    tally: Tally,
    wanted: Wanted,
    rows: u64,
    check: u64,
    latest: HashMap<u64, u64>,
    latencies: Vec<u64>,
    stalls: Stalls,
}

impl Local {
    /// Takes a row's check in.
    #[inline]
    pub fn take(&mut self, check: u64) {
        self.take_for(1, check);
    }

    /// Takes in a row that stands for `records`.
    #[inline]
    pub fn take_for(&mut self, records: u64, check: u64) {
        self.rows += records;
        self.check = self.check.wrapping_add(check);
    }

    /// Takes in a row of which only the last with its key counts; all of a key come to one thread.
    pub fn take_latest(&mut self, key: u64, check: u64) {
        let before = self.latest.insert(key, check).unwrap_or(0);
        self.take(check.wrapping_sub(before));
    }

    /// Takes in a row and when its record was made.
    #[inline]
    pub fn take_stamped(&mut self, check: u64, made_micros: u64) {
        self.take(check);
        let step = (now_micros().saturating_sub(made_micros) / STEP_MICROS) as usize;
        if self.latencies.len() <= step {
            self.latencies.resize(step + 1, 0);
        }
        self.latencies[step] += 1;
    }

    /// A batch is through.
    pub fn flush(&mut self) {
        let before = self.bring_together();
        if self.wanted.stalls_after.is_some_and(|after| before >= after) {
            self.stalls.beat();
        }
    }

    /// Adds what has been gathered to what all have; says how many rows there were before.
    fn bring_together(&mut self) -> u64 {
        let shared = Arc::clone(&self.tally.0);
        let before = shared.rows.fetch_add(self.rows, Ordering::Relaxed);
        shared.check.fetch_add(self.check, Ordering::Relaxed);
        if self.wanted.first && self.rows > 0 && !shared.seen_first.swap(true, Ordering::Relaxed) {
            println!("FIRST");
        }
        (self.rows, self.check) = (0, 0);
        before
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // No batch: between the last one and the end of the job there is nothing for a worker to be late with.
        self.bring_together();
        let mut rest = self.tally.0.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.stall = rest.stall.or(self.stalls.longest());
        for (step, rows) in self.latencies.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            *rest.latencies.entry(step as u64).or_default() += rows;
        }
    }
}

/// The figures of a distribution of latencies.
pub fn latency_figures(latencies: &BTreeMap<u64, u64>) -> impl Iterator<Item = (&'static str, f64)> + '_ {
    [("p50_latency_ms", 0.5), ("p99_latency_ms", 0.99), ("p999_latency_ms", 0.999), ("max_latency_ms", 1.0)]
        .into_iter()
        .filter_map(|(name, share)| Some((name, quantile(latencies, share)?)))
}
