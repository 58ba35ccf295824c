//! What windows that overlap have in common.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::time::EventTime;

/// A stretch of time that windows of one size have in common: its length is how far one begins after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub(crate) start: EventTime,
    pub(crate) end: EventTime,
    /// That of the windows, in milliseconds.
    pub(crate) size: i64,
}

impl Slice {
    #[inline]
    pub(super) fn slide(self) -> i64 {
        length(self.start, self.end).max(1)
    }

    /// The windows that it is part of, the earliest first.
    #[inline]
    pub(super) fn windows(self) -> impl Iterator<Item = Window> {
        let slide = self.slide();
        let before = (self.size / slide).saturating_sub(1);
        (0..=before).rev().map(move |slides| {
            let start = self.start.as_millis().saturating_sub(slides.saturating_mul(slide));
            let end = start.saturating_add(self.size);
            Window { start: EventTime::from_millis(start), end: EventTime::from_millis(end) }
        })
    }

    #[inline]
    pub(super) fn last_window(self) -> Window {
        Window { start: self.start, end: EventTime::from_millis(self.start.as_millis().saturating_add(self.size)) }
    }

    #[inline]
    pub(super) fn is_part_of(self, window: Window) -> bool {
        self.size == length(window.start, window.end)
            && window.start <= self.start
            && self.end <= window.end
            && length(window.start, self.start) % self.slide() == 0
    }
}

#[inline]
fn length(start: EventTime, end: EventTime) -> i64 {
    end.as_millis().saturating_sub(start.as_millis())
}

/// The slices that begin in this stretch.
#[inline]
pub(super) fn beginning(first: EventTime, last: EventTime) -> RangeInclusive<Slice> {
    Slice { start: first, end: EventTime::MIN, size: i64::MIN }..=Slice {
        start: last,
        end: EventTime::MAX,
        size: i64::MAX,
    }
}
