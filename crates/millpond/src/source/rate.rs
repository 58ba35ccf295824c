//! A limit on records a second, shared by the workers of a process.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How much may be saved up while nothing is read.
const BURST: Duration = Duration::from_millis(50);

/// A bucket that fills at a steady rate.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl RateLimiter {
    /// At most `per_second` records a second; must be more than 0.
    pub(crate) fn new(per_second: f64) -> Self {
        RateLimiter { per_second, state: Mutex::new((0.0, Instant::now())) }
    }

    /// Takes up to `wanted` records' worth; if there is none, says how long to wait.
    pub(crate) fn take(&self, wanted: usize) -> Result<usize, Duration> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (level, since) = &mut *state;
        let now = Instant::now();
        let most = (self.per_second * BURST.as_secs_f64()).max(1.0);
        *level = (*level + self.per_second * now.duration_since(*since).as_secs_f64()).min(most);
        *since = now;
        if *level < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - *level) / self.per_second));
        }
        let taken = wanted.min(*level as usize);
        *level -= taken as f64;
        Ok(taken)
    }

    /// Gives back what was taken and not used.
    pub(crate) fn give_back(&self, records: usize) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0 += records as f64;
    }
}
