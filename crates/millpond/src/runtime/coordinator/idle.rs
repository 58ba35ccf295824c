//! Idle sources: they follow the event time of the others, so that they do not hold it back.

use std::collections::HashMap;

use crate::runtime::message::SourceStatus;
use crate::time::EventTime;

/// What each source subtask last said.
#[derive(Debug, Default)]
pub(crate) struct IdleSources {
    status: HashMap<(usize, usize), SourceStatus>,
}

impl IdleSources {
    /// Takes note, and says how far idle sources may move on, if one of them is behind.
    pub(crate) fn observe(&mut self, status: SourceStatus) -> Option<EventTime> {
        self.status.insert((status.operator, status.subtask), status);
        // A source that has ended holds nothing back, and is no measure for those that have not.
        let busy = self.status.values().filter(|status| !status.idle && status.watermark != EventTime::MAX);
        let least = busy.map(|status| status.watermark).min()?;
        let behind = self.status.values().any(|status| status.idle && status.watermark < least);
        behind.then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(subtask: usize, watermark: i64, idle: bool) -> SourceStatus {
        SourceStatus { operator: 0, subtask, watermark: EventTime::from_millis(watermark), idle }
    }

    #[test]
    fn idle_sources_follow_the_slowest_of_the_busy_ones() {
        let mut sources = IdleSources::default();
        assert_eq!(sources.observe(status(0, 100, false)), None, "nobody is idle");
        assert_eq!(sources.observe(status(1, 5, true)), Some(EventTime::from_millis(100)));
        assert_eq!(sources.observe(status(1, 100, true)), None, "it has moved on");
        assert_eq!(sources.observe(status(2, 50, false)), None, "idle sources do not go back");
        assert_eq!(sources.observe(status(2, 200, false)), None, "the slowest has not moved");
        assert_eq!(sources.observe(status(0, 150, false)), Some(EventTime::from_millis(150)));
        let late = SourceStatus { watermark: EventTime::MIN, ..status(3, 0, true) };
        assert_eq!(sources.observe(late), Some(EventTime::from_millis(150)), "one that becomes idle later");
    }
}
