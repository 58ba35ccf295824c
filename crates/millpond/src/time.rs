//! Event time: when a thing happened, as the data says.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment in event time: milliseconds since 1970-01-01T00:00:00Z.
///
/// [`EventTime::MIN`] stands for *not known*: a record without a timestamp, a watermark before the first one.
/// [`EventTime::MAX`] stands for *the end of time*: the watermark after the last record.
///
/// ```
/// use millpond::EventTime;
/// let t: EventTime = "2013-01-01T10:15:00Z".parse().unwrap();
/// assert_eq!(t.as_millis(), 1_357_035_300_000);
/// assert_eq!(t.to_string(), "2013-01-01T10:15:00Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// Before everything; also: not known.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// After everything.
    pub const MAX: EventTime = EventTime(i64::MAX);

    /// The moment `millis` milliseconds after 1970-01-01T00:00:00Z.
    #[inline]
    pub const fn from_millis(millis: i64) -> Self {
        EventTime(millis)
    }

    /// Milliseconds after 1970-01-01T00:00:00Z.
    #[inline]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment plus `duration`, in whole milliseconds; stays at [`EventTime::MAX`] when it would pass it.
    #[inline]
    pub fn saturating_add(self, duration: Duration) -> Self {
        EventTime(self.0.saturating_add(millis(duration)))
    }

    /// This moment less `duration`, in whole milliseconds; stays at [`EventTime::MIN`] when it would pass it.
    #[inline]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        EventTime(self.0.saturating_sub(millis(duration)))
    }
}

/// `duration` in whole milliseconds, at most `i64::MAX`.
#[inline]
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for EventTime {
    /// RFC 3339 in UTC, `-∞` and `+∞` for the two ends, plain milliseconds outside the calendar.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EventTime::MIN => f.write_str("-∞"),
            EventTime::MAX => f.write_str("+∞"),
            EventTime(ms) => match jiff::Timestamp::from_millisecond(ms) {
                Ok(t) => write!(f, "{t}"),
                Err(_) => write!(f, "{ms} ms"),
            },
        }
    }
}

impl fmt::Debug for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for EventTime {
    type Err = jiff::Error;
    /// Reads RFC 3339; what is finer than a millisecond is cut off.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(EventTime(s.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

impl From<jiff::Timestamp> for EventTime {
    fn from(t: jiff::Timestamp) -> Self {
        EventTime(t.as_millisecond())
    }
}
