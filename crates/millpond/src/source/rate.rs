//! A limit on records a second, shared by the workers of a process.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How much may be saved up while nothing is read.
const BURST: Duration = Duration::from_millis(50);
/// How long records are waited for that are let through together. One by one, each would keep a worker awake and leave in a
/// batch of its own; the processor would have no time left for the snapshots.
const STEP: Duration = Duration::from_micros(500);

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

    /// Takes up to `wanted` records' worth; if there is too little, says how long to wait.
    pub(crate) fn take(&self, wanted: usize) -> Result<usize, Duration> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (level, since) = &mut *state;
        let now = Instant::now();
        let most = (self.per_second * BURST.as_secs_f64()).max(1.0);
        *level = (*level + self.per_second * now.duration_since(*since).as_secs_f64()).min(most);
        *since = now;
        let least = (self.per_second * STEP.as_secs_f64()).clamp(1.0, (wanted as f64).max(1.0));
        if *level < least {
            return Err(Duration::from_secs_f64((least - *level) / self.per_second));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_let_through_some_at_a_time_or_one_by_one_if_they_are_few() {
        for (per_second, least) in [(200_000.0, 100), (1000.0, 1), (50.0, 1)] {
            let limiter = RateLimiter::new(per_second);
            let wait = limiter.take(1024).unwrap_err();
            assert!(
                wait > Duration::ZERO && wait <= STEP.max(Duration::from_secs_f64(1.0 / per_second)),
                "{wait:?}"
            );
            std::thread::sleep(wait);
            let taken = limiter.take(1024).unwrap();
            assert!(taken >= least, "{taken} at {per_second} a second");
        }
    }

    #[test]
    fn who_wants_little_waits_for_no_more_than_that() {
        let limiter = RateLimiter::new(1_000_000.0);
        let wait = limiter.take(10).unwrap_err();
        assert!(wait <= Duration::from_micros(10), "{wait:?}");
        std::thread::sleep(wait);
        assert_eq!(limiter.take(10).unwrap(), 10);
    }
}
