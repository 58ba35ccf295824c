//! A stretch of time, and what comes out of it.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// A stretch of time: from `start` on, up to but without `end`.
///
/// Windows sort by their end, then by their start: the order in which they are done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The first moment inside.
    pub start: EventTime,
    /// The first moment after it.
    pub end: EventTime,
}

impl Window {
    /// All of time, the window of [`Global`](crate::windows::Global).
    pub const GLOBAL: Window = Window { start: EventTime::MIN, end: EventTime::MAX };

    /// The last moment inside: one millisecond before the end. The end of time if the window has no end.
    ///
    /// An event-time window is complete when the watermark has reached it, and its results have it as their timestamp.
    #[inline]
    pub fn last(self) -> EventTime {
        match self.end {
            EventTime::MAX => EventTime::MAX,
            end => EventTime::from_millis(end.as_millis().saturating_sub(1)),
        }
    }

    /// Whether `time` is inside.
    pub fn contains(self, time: EventTime) -> bool {
        self.start <= time && time < self.end
    }

    /// Whether some moment is in both.
    pub fn overlaps(self, other: Window) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The shortest window that has both inside.
    pub(crate) fn cover(self, other: Window) -> Window {
        Window { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl Ord for Window {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.end.cmp(&other.end).then_with(|| self.start.cmp(&other.start))
    }
}

impl PartialOrd for Window {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a window of a key amounts to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowResult<K, R> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
    /// The result.
    pub value: R,
}
