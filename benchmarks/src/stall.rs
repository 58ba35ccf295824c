//! How long a worker stands still.
//!
//! Seen from a sink: the longest time between two batches. On a machine that others use as well, a thread stands still
//! because it is not its turn; so processor time of the thread is taken beside that of the clock. What a worker does
//! between two batches shows in both, what others do in one only.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

/// Watches one thread.
#[derive(Debug, Default)]
pub struct Stalls {
    last: Option<(Instant, Duration)>,
    longest: Stall,
}

/// The longest standstill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    pub clock: Duration,
    pub processor: Duration,
}

impl Stall {
    /// The longer of each.
    pub fn or(self, other: Stall) -> Stall {
        Stall { clock: self.clock.max(other.clock), processor: self.processor.max(other.processor) }
    }
}

impl Stalls {
    /// A batch has come.
    pub fn beat(&mut self) {
        let now = (Instant::now(), ThreadTime::now().as_duration());
        if let Some((clock, processor)) = self.last.replace(now) {
            let stall = Stall { clock: now.0.duration_since(clock), processor: now.1.saturating_sub(processor) };
            self.longest = self.longest.or(stall);
        }
    }

    /// The longest so far.
    pub fn longest(&self) -> Stall {
        self.longest
    }
}
