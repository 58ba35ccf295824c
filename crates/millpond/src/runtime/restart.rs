//! placeholder until the command line's branch is merged
use std::time::{Duration, Instant};

/// What happens after a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum RestartStrategy {
    /// The run ends.
    None,
    /// It starts again after a delay, this often at most.
    FixedDelay {
        /// How often.
        attempts: u32,
        /// The delay.
        delay: Duration,
    },
}
impl Default for RestartStrategy {
    fn default() -> Self {
        RestartStrategy::FixedDelay { attempts: 1000, delay: Duration::from_secs(1) }
    }
}
/// What to do now.
pub(crate) enum RestartDecision {
    After(Duration),
    GiveUp,
}
pub(crate) struct RestartTracker(RestartStrategy, u32);
impl RestartTracker {
    pub(crate) fn new(strategy: RestartStrategy) -> Self {
        RestartTracker(strategy, 0)
    }
    pub(crate) fn on_failure(&mut self, _now: Instant) -> RestartDecision {
        self.1 += 1;
        match self.0 {
            RestartStrategy::FixedDelay { attempts, delay } if self.1 <= attempts => RestartDecision::After(delay),
            _ => RestartDecision::GiveUp,
        }
    }
}
