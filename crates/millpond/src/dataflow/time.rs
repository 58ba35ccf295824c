//! The timestamp of the dataflow: a partial order of (epoch, watermark).
//!
//! One progress protocol answers two questions. *Is everything of epoch e here?* is the epoch half of a
//! frontier; *how far has event time come?* is the watermark half. The order is the product of the two, so
//! that neither half waits for the other: a source may move to the next epoch without moving event time.

use serde::{Deserialize, Serialize};
use timely::PartialOrder;
use timely::progress::frontier::MutableAntichain;
use timely::progress::timestamp::{PathSummary, Refines};

use crate::time::EventTime;

/// When a message was sent: in which epoch, and at which watermark.
///
/// The derived `Ord` is lexicographic, which is a linear extension of the product order, as timely asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Time {
    pub(crate) epoch: u64,
    pub(crate) watermark: EventTime,
}

impl Time {
    pub(crate) fn new(epoch: u64, watermark: EventTime) -> Self {
        Time { epoch, watermark }
    }

    /// The greatest time that is before all of `frontiers`: their least epoch and least watermark.
    ///
    /// `None` if every frontier is empty, that is, nothing can arrive any more.
    pub(crate) fn meet(frontiers: &[MutableAntichain<Time>]) -> Option<Time> {
        let mut meet: Option<Time> = None;
        for frontier in frontiers {
            for time in frontier.frontier().iter() {
                let least = meet.unwrap_or(*time);
                meet = Some(Time::new(least.epoch.min(time.epoch), least.watermark.min(time.watermark)));
            }
        }
        meet
    }
}

impl PartialOrder for Time {
    #[inline]
    fn less_equal(&self, other: &Self) -> bool {
        self.epoch <= other.epoch && self.watermark <= other.watermark
    }
}

impl timely::progress::Timestamp for Time {
    type Summary = Path;
    fn minimum() -> Self {
        Time::new(0, EventTime::MIN)
    }
}

impl Refines<()> for Time {
    fn to_inner(_: ()) -> Self {
        <Time as timely::progress::Timestamp>::minimum()
    }
    fn to_outer(self) {}
    fn summarize(_: Path) {}
}

/// What passing through an operator does to a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Path {
    /// Output is at or after input.
    #[default]
    Keep,
    /// The operator makes watermarks of its own: its input says nothing about its output's event time,
    /// only the capability that the operator holds does.
    OwnWatermark,
}

impl PartialOrder for Path {
    fn less_equal(&self, other: &Self) -> bool {
        *self == Path::Keep || *other == Path::OwnWatermark
    }
}

impl PathSummary<Time> for Path {
    #[inline]
    fn results_in(&self, src: &Time) -> Option<Time> {
        Some(match self {
            Path::Keep => *src,
            Path::OwnWatermark => Time::new(src.epoch, EventTime::MAX),
        })
    }
    #[inline]
    fn followed_by(&self, other: &Self) -> Option<Self> {
        Some(if *self == Path::Keep { *other } else { Path::OwnWatermark })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, watermark: i64) -> Time {
        Time::new(epoch, EventTime::from_millis(watermark))
    }

    #[test]
    fn neither_half_waits_for_the_other() {
        assert!(at(1, 5).less_equal(&at(1, 5)));
        assert!(!at(1, 5).less_equal(&at(2, 4)));
        assert!(!at(2, 4).less_equal(&at(1, 5)));
    }

    #[test]
    fn the_meet_is_the_least_epoch_and_the_least_watermark() {
        let mut a = MutableAntichain::new();
        let _ = a.update_iter([(at(0, 200), 1), (at(1, 50), 1)]);
        let empty = MutableAntichain::new();
        assert_eq!(Time::meet(&[a, empty.clone()]), Some(at(0, 50)));
        assert_eq!(Time::meet(&[empty]), None);
    }

    #[test]
    fn an_operator_with_its_own_watermark_hides_that_of_its_input() {
        assert_eq!(Path::OwnWatermark.results_in(&at(3, 7)), Some(Time::new(3, EventTime::MAX)));
        assert_eq!(Path::Keep.followed_by(&Path::OwnWatermark), Some(Path::OwnWatermark));
        assert_eq!(Path::OwnWatermark.followed_by(&Path::Keep), Some(Path::OwnWatermark));
        assert!(Path::Keep.less_equal(&Path::OwnWatermark) && !Path::OwnWatermark.less_equal(&Path::Keep));
    }
}
