//! Processing time. A test may hold the hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::{EventTime, millis};

/// Where processing time comes from: the system's clock, or a [`ManualClock`].
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The current time. The system's clock may jump; nothing that must be exact depends on it.
    pub fn now(&self) -> EventTime {
        match &self.0 {
            Some(hands) => EventTime::from_millis(hands.load(Ordering::Relaxed)),
            None => EventTime::from_millis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)),
        }
    }
}

/// A clock that goes only when told to, for tests of processing time.
///
/// ```
/// let clock = millpond::ManualClock::new();
/// clock.advance(std::time::Duration::from_secs(1));
/// assert_eq!(clock.clock().now().as_millis(), 1000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at 1970-01-01T00:00:00Z.
    pub fn new() -> Self {
        ManualClock::default()
    }
    /// Moves the hands forward.
    pub fn advance(&self, by: std::time::Duration) {
        self.0.fetch_add(millis(by), Ordering::Relaxed);
    }
    /// The face of the clock, for a job.
    pub fn clock(&self) -> Clock {
        Clock(Some(Arc::clone(&self.0)))
    }
}
