//! Whether a failed run starts again, and when.
//!
//! A [`RestartStrategy`] is what the user chose; a [`RestartTracker`] remembers the failures of one run and
//! decides. It reads no clock: whoever asks says what time it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What to do when a run fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RestartStrategy {
    /// Give up at the first failure.
    None,
    /// Start again a fixed number of times.
    FixedDelay {
        /// How many restarts there may be in the whole run.
        attempts: u32,
        /// The wait before each.
        delay: Duration,
    },
    /// Wait longer after each failure, and begin anew after a quiet time.
    ExponentialDelay {
        /// The first wait.
        initial: Duration,
        /// The longest wait.
        max: Duration,
        /// By how much the wait grows each time; anything that is not a number above 1 counts as 1.
        multiplier: f64,
        /// After so long without a failure, waits and attempts begin anew.
        reset_after: Duration,
        /// How many restarts there may be before such a quiet time; `None`: any number.
        attempts: Option<u32>,
    },
    /// Start again unless failures come too often.
    FailureRate {
        /// How many failures are borne within `interval`.
        failures: u32,
        /// The time over which they are counted.
        interval: Duration,
        /// The wait before each restart.
        delay: Duration,
    },
}

impl RestartStrategy {
    /// How long a run must be well for its failures to be forgotten, unless it is said otherwise.
    pub(crate) const RESET_AFTER: Duration = Duration::from_secs(3600);
}

impl Default for RestartStrategy {
    /// From 1 s up to 1 min, half as long again each time, anew after an hour, without end.
    fn default() -> Self {
        RestartStrategy::ExponentialDelay {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            multiplier: 1.5,
            reset_after: RestartStrategy::RESET_AFTER,
            attempts: None,
        }
    }
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartDecision {
    /// Start again after this long.
    After(Duration),
    /// The run has failed for good.
    GiveUp,
}

/// The failures of one run, as far as its strategy must remember them.
#[derive(Clone, Debug)]
pub(crate) struct RestartTracker {
    strategy: RestartStrategy,
    /// Restarts granted since the beginning, or since the last quiet time.
    granted: u32,
    /// The newest failure and the wait that followed it.
    last: Option<(Instant, Duration)>,
    /// When the newest failures were, oldest first: at most as many as a failure rate bears.
    recent: VecDeque<Instant>,
}

impl RestartTracker {
    /// A run that has not failed yet.
    pub(crate) fn new(strategy: RestartStrategy) -> Self {
        RestartTracker { strategy, granted: 0, last: None, recent: VecDeque::new() }
    }

    /// Decides on a failure at `now`, and remembers it.
    pub(crate) fn on_failure(&mut self, now: Instant) -> RestartDecision {
        match self.strategy {
            RestartStrategy::None => RestartDecision::GiveUp,
            RestartStrategy::FixedDelay { attempts, delay } => self.grant(Some(attempts), now, delay),
            RestartStrategy::ExponentialDelay { initial, max, multiplier, reset_after, attempts } => {
                // The wait itself is no quiet time: the run was not up.
                let wait = match self.last {
                    Some((at, wait)) if now.saturating_duration_since(at) < reset_after.saturating_add(wait) => {
                        grow(wait, multiplier, max)
                    }
                    _ => {
                        self.granted = 0;
                        initial.min(max)
                    }
                };
                self.grant(attempts, now, wait)
            }
            RestartStrategy::FailureRate { failures, interval, delay } => {
                self.recent.retain(|at| now.saturating_duration_since(*at) <= interval);
                if self.recent.len() >= failures as usize {
                    return RestartDecision::GiveUp;
                }
                self.recent.push_back(now);
                self.grant(None, now, delay)
            }
        }
    }

    fn grant(&mut self, attempts: Option<u32>, now: Instant, wait: Duration) -> RestartDecision {
        if attempts.is_some_and(|attempts| self.granted >= attempts) {
            return RestartDecision::GiveUp;
        }
        self.granted = self.granted.saturating_add(1);
        self.last = Some((now, wait));
        RestartDecision::After(wait)
    }
}

fn grow(wait: Duration, multiplier: f64, max: Duration) -> Duration {
    // `max` also turns NaN into 1.
    let factor = multiplier.max(1.0);
    Duration::try_from_secs_f64(wait.as_secs_f64() * factor).map_or(max, |longer| longer.min(max))
}

#[cfg(test)]
mod tests {
    use super::RestartDecision::{After, GiveUp};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What is decided on failures at these seconds.
    fn decisions(strategy: RestartStrategy, seconds: &[u64]) -> Vec<RestartDecision> {
        let start = Instant::now();
        let mut tracker = RestartTracker::new(strategy);
        seconds.iter().map(|s| tracker.on_failure(start + SECOND * (*s as u32))).collect()
    }

    fn exponential(multiplier: f64, attempts: Option<u32>) -> RestartStrategy {
        let (initial, max, reset_after) = (SECOND, SECOND * 5, SECOND * 100);
        RestartStrategy::ExponentialDelay { initial, max, multiplier, reset_after, attempts }
    }

    #[test]
    fn none_gives_up_at_once() {
        assert_eq!(decisions(RestartStrategy::None, &[0]), [GiveUp]);
    }

    #[test]
    fn fixed_delay_counts_restarts_over_the_whole_run() {
        let strategy = RestartStrategy::FixedDelay { attempts: 2, delay: SECOND };
        assert_eq!(decisions(strategy, &[0, 9, 1_000_000]), [After(SECOND), After(SECOND), GiveUp]);
        let never = RestartStrategy::FixedDelay { attempts: 0, delay: SECOND };
        assert_eq!(decisions(never, &[0]), [GiveUp]);
    }

    #[test]
    fn exponential_delay_grows_to_its_bound() {
        let waits = decisions(exponential(2.0, None), &[0, 1, 3, 7, 12]);
        assert_eq!(waits, [1, 2, 4, 5, 5].map(|s| After(SECOND * s)));
    }

    #[test]
    fn exponential_delay_begins_anew_after_a_quiet_time_that_the_wait_is_no_part_of() {
        // The second wait is 2 s, so quiet begins at 12 s and has lasted 100 s at 112 s.
        assert_eq!(decisions(exponential(2.0, None), &[0, 10, 111])[2], After(SECOND * 4));
        assert_eq!(decisions(exponential(2.0, None), &[0, 10, 112])[2], After(SECOND));
    }

    #[test]
    fn exponential_delay_counts_attempts_since_the_quiet_time() {
        let waits = decisions(exponential(1.0, Some(1)), &[0, 200, 201]);
        assert_eq!(waits, [After(SECOND), After(SECOND), GiveUp]);
    }

    #[test]
    fn a_multiplier_that_makes_no_sense_neither_panics_nor_shrinks_the_wait() {
        for multiplier in [f64::NAN, -3.0, 0.0] {
            assert_eq!(decisions(exponential(multiplier, None), &[0, 1])[1], After(SECOND));
        }
        assert_eq!(decisions(exponential(f64::INFINITY, None), &[0, 1])[1], After(SECOND * 5));
    }

    #[test]
    fn failure_rate_bears_so_many_failures_within_the_interval() {
        let strategy = RestartStrategy::FailureRate { failures: 2, interval: SECOND * 10, delay: SECOND };
        assert_eq!(decisions(strategy, &[0, 5, 10]), [After(SECOND), After(SECOND), GiveUp]);
        assert_eq!(decisions(strategy, &[0, 5, 11, 16]), [After(SECOND); 4]);
    }
}
