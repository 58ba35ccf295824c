//! How far the aligned sources of a job have come, so that none reads far ahead of the others.
//!
//! Every reader has a slot that it writes and the others of its process look at. Of other processes it is known what they
//! last said; what they hear of this one is its least.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::time::EventTime;

/// The aligned readers of this process, and the least of those elsewhere. [`EventTime::MAX`] is said by those that nobody
/// has to wait for.
#[derive(Debug)]
pub(crate) struct Alignment {
    here: RwLock<Vec<Arc<AtomicI64>>>,
    elsewhere: AtomicI64,
}

impl Default for Alignment {
    fn default() -> Self {
        Alignment { here: RwLock::default(), elsewhere: AtomicI64::new(EventTime::MAX.as_millis()) }
    }
}

impl Alignment {
    /// A reader joins; until it says something, nobody waits for it.
    pub(crate) fn join(self: &Arc<Self>, drift: Duration) -> Aligned {
        let own = Arc::new(AtomicI64::new(EventTime::MAX.as_millis()));
        self.here.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&own));
        Aligned { own, all: Arc::clone(self), drift }
    }

    /// The least of this process.
    pub(crate) fn here(&self) -> EventTime {
        let here = self.here.read().unwrap_or_else(PoisonError::into_inner);
        let least = here.iter().map(|slot| slot.load(Ordering::Relaxed)).min();
        least.map_or(EventTime::MAX, EventTime::from_millis)
    }

    /// Takes note of the least of the other processes.
    pub(crate) fn set_elsewhere(&self, least: EventTime) {
        self.elsewhere.store(least.as_millis(), Ordering::Relaxed);
    }
}

/// One reader's part in an [`Alignment`].
#[derive(Debug)]
pub(crate) struct Aligned {
    own: Arc<AtomicI64>,
    all: Arc<Alignment>,
    drift: Duration,
}

impl Aligned {
    /// Says how far this reader has come; [`EventTime::MAX`] if nobody has to wait for it.
    pub(crate) fn say(&self, watermark: EventTime) {
        self.own.store(watermark.as_millis(), Ordering::Relaxed);
    }

    /// How far a split may have come that is read on.
    pub(crate) fn limit(&self) -> EventTime {
        let elsewhere = EventTime::from_millis(self.all.elsewhere.load(Ordering::Relaxed));
        self.all.here().min(elsewhere).saturating_add(self.drift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_reader_of_all_processes_decides() {
        let time = EventTime::from_millis;
        let all = Arc::new(Alignment::default());
        let fast = all.join(Duration::from_millis(10));
        assert_eq!(fast.limit(), EventTime::MAX, "nothing is known of anybody");
        fast.say(time(500));
        assert_eq!(fast.limit(), time(510), "itself");
        let slow = all.join(Duration::from_millis(3));
        assert_eq!(fast.limit(), time(510), "one that has said nothing");
        slow.say(time(20));
        assert_eq!((fast.limit(), slow.limit()), (time(30), time(23)), "each by its own drift");
        all.set_elsewhere(time(7));
        assert_eq!(fast.limit(), time(17));
        assert_eq!(all.here(), time(20), "what others hear of this process");
        all.set_elsewhere(EventTime::MAX);
        slow.say(EventTime::MAX);
        assert_eq!(fast.limit(), time(510), "one that has come to its end");
    }
}
