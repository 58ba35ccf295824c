//! A signed stretch of time.

use std::time::Duration;

use crate::time::millis;

/// How far one moment is from another, and on which side. Millisecond precision.
///
/// A plain [`Duration`] will do where the offset is one into the future:
///
/// ```
/// use millpond::TimeOffset;
/// use std::time::Duration;
/// let hour = Duration::from_secs(3600);
/// assert_eq!(TimeOffset::from(hour), TimeOffset::After(hour));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOffset {
    /// This much earlier.
    Before(Duration),
    /// This much later.
    After(Duration),
}

impl TimeOffset {
    /// In whole milliseconds, negative for an earlier moment; what is longer than an `i64` holds is cut there.
    pub(crate) fn as_millis(self) -> i64 {
        match self {
            TimeOffset::Before(duration) => -millis(duration),
            TimeOffset::After(duration) => millis(duration),
        }
    }
}

impl From<Duration> for TimeOffset {
    fn from(duration: Duration) -> Self {
        TimeOffset::After(duration)
    }
}
