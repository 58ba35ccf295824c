//! What user code is given with a record or a timer.

use std::cell::RefCell;
use std::rc::Rc;

use crate::dataflow::aligned::Outputs;
use crate::state::timers::TimerStore;
use crate::stream::record::{Data, Record};
use crate::time::EventTime;

/// Which clock a timer goes by.
// In the order in which a keyed operator declares its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeDomain {
    /// The watermark.
    Event,
    /// The clock of the machine.
    Processing,
}

/// A timer that fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The moment that it was set for.
    pub time: EventTime,
    /// By which clock.
    pub domain: TimeDomain,
}

/// Where results go, and when it is.
pub struct Context<'a, O: Data, S: Data> {
    pub(crate) out: &'a mut Outputs<Record<O>, Record<S>>,
    pub(crate) timestamp: EventTime,
    pub(crate) watermark: EventTime,
    pub(crate) now: EventTime,
}

impl<O: Data, S: Data> Context<'_, O, S> {
    /// Sends a record, with the timestamp of the record or timer at hand.
    #[inline]
    pub fn emit(&mut self, value: O) {
        self.emit_at(value, self.timestamp);
    }
    /// Sends a record with a timestamp of its own.
    #[inline]
    pub fn emit_at(&mut self, value: O, timestamp: EventTime) {
        self.out.main.emit(Record { timestamp, value });
    }
    /// Sends a record to the side output.
    pub fn emit_side(&mut self, value: S) {
        self.out.side.emit(Record { timestamp: self.timestamp, value });
    }
    /// The event time of the record at hand ([`EventTime::MIN`] if it has none), or the moment the timer was set for.
    pub fn timestamp(&self) -> EventTime {
        self.timestamp
    }
    /// How far event time has come. A record at or before it is late.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }
    /// The clock of the machine, read once a batch.
    pub fn processing_time(&self) -> EventTime {
        self.now
    }
}

/// The timers of a keyed operator.
#[derive(Clone)]
pub(crate) struct Timers {
    pub(crate) event: Rc<RefCell<TimerStore>>,
    pub(crate) processing: Rc<RefCell<TimerStore>>,
}

/// A [`Context`] with a key, and with timers of that key.
pub struct KeyedContext<'a, K, O: Data, S: Data> {
    pub(crate) plain: Context<'a, O, S>,
    pub(crate) key: &'a K,
    pub(crate) timers: &'a Timers,
}

impl<'a, K, O: Data, S: Data> KeyedContext<'a, K, O, S> {
    /// The key of the record or timer at hand.
    #[inline]
    pub fn key(&self) -> &'a K {
        self.key
    }
    /// Sends a record, with the timestamp of the record or timer at hand.
    #[inline]
    pub fn emit(&mut self, value: O) {
        self.plain.emit(value);
    }
    /// Sends a record with a timestamp of its own.
    #[inline]
    pub fn emit_at(&mut self, value: O, timestamp: EventTime) {
        self.plain.emit_at(value, timestamp);
    }
    /// Sends a record to the side output.
    pub fn emit_side(&mut self, value: S) {
        self.plain.emit_side(value);
    }
    /// The event time of the record at hand ([`EventTime::MIN`] if it has none), or the moment the timer was set for.
    pub fn timestamp(&self) -> EventTime {
        self.plain.timestamp
    }
    /// How far event time has come. A record at or before it is late.
    pub fn watermark(&self) -> EventTime {
        self.plain.watermark
    }
    /// The clock of the machine, read once a batch.
    pub fn processing_time(&self) -> EventTime {
        self.plain.now
    }
    /// Fires when the watermark reaches `time`; at once with the next watermark if it has. A key has at most one timer
    /// a moment; setting it again changes nothing.
    pub fn set_event_timer(&mut self, time: EventTime) {
        self.timers.event.borrow_mut().register(time);
    }
    /// Takes back an event-time timer of this key.
    pub fn delete_event_timer(&mut self, time: EventTime) {
        self.timers.event.borrow_mut().delete(time);
    }
    /// Fires when the clock of the machine reaches `time`.
    pub fn set_processing_timer(&mut self, time: EventTime) {
        self.timers.processing.borrow_mut().register(time);
    }
    /// Takes back a processing-time timer of this key.
    pub fn delete_processing_timer(&mut self, time: EventTime) {
        self.timers.processing.borrow_mut().delete(time);
    }
}
