//! The store for timers: one clock, any number of keys.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef};

use super::codec;
use super::evolution::{Outcome, Trouble};
use super::keyed::{Cursor, Store};
use super::keys::Slot;
use super::rows::Rows;
use super::slabs::Slabs;
use super::tracker::{Mark, Next, Tracker};
use crate::error::Error;
use crate::time::EventTime;

/// Timers by time, then slot. A key has at most one timer for a moment.
pub(crate) struct TimerStore {
    cursor: Rc<Cursor>,
    timers: BTreeMap<(EventTime, Slot), Mark>,
    /// Timers of each slot.
    counts: Vec<u32>,
    tracker: Tracker<(EventTime, Slot)>,
    copied: TimerRows,
}

#[derive(Default)]
struct TimerRows {
    slots: Slabs<Slot>,
    times: Slabs<i64>,
    deleted: Slabs<bool>,
}

impl TimerRows {
    fn push(&mut self, (time, slot): (EventTime, Slot), deleted: bool) {
        self.slots.push(slot);
        self.times.push(time.as_millis());
        self.deleted.push(deleted);
    }
}

impl Rows for TimerRows {
    fn deleted(&self) -> &Slabs<bool> {
        &self.deleted
    }
    fn take_columns(&mut self, order: &[u32]) -> Result<Vec<(FieldRef, ArrayRef)>, Error> {
        let times = Int64Array::from_iter_values(order.iter().map(|row| self.times[*row as usize]));
        Ok(vec![(Arc::new(Field::new("timestamp", DataType::Int64, false)), Arc::new(times))])
    }
}

impl TimerStore {
    pub(crate) fn new(cursor: Rc<Cursor>) -> Self {
        TimerStore {
            cursor,
            timers: BTreeMap::new(),
            counts: Vec::new(),
            tracker: Tracker::new(),
            copied: TimerRows::default(),
        }
    }

    fn grow(&mut self, slot: Slot) {
        if slot as usize >= self.counts.len() {
            self.counts.resize(slot as usize + 1, 0);
        }
    }

    /// Sets a timer for the current key; one that is set already stays.
    pub(crate) fn register(&mut self, time: EventTime) {
        let slot = self.cursor.slot();
        self.grow(slot);
        let TimerStore { timers, counts, tracker, .. } = self;
        timers.entry((time, slot)).or_insert_with(|| {
            counts[slot as usize] += 1;
            let mut mark = Mark::default();
            tracker.change(&mut mark, || (time, slot));
            mark
        });
    }

    /// Takes back a timer of the current key.
    pub(crate) fn delete(&mut self, time: EventTime) {
        let slot = self.cursor.slot();
        self.remove((time, slot));
        self.cursor.emptied(slot);
    }

    fn remove(&mut self, id: (EventTime, Slot)) {
        let Some(mut mark) = self.timers.remove(&id) else { return };
        if self.tracker.is_due(mark, |copied| id > *copied) {
            self.copied.push(id, false);
            mark = self.tracker.copied();
        }
        if self.tracker.remove(mark, || id) {
            self.cursor.tombstone(id.1);
        }
        self.counts[id.1 as usize] -= 1;
    }

    /// The earliest timer.
    pub(crate) fn first(&self) -> Option<EventTime> {
        self.timers.first_key_value().map(|((time, _), _)| *time)
    }

    /// Takes out the earliest timer at or before `now`.
    pub(crate) fn pop(&mut self, now: EventTime) -> Option<(EventTime, Slot)> {
        let id = *self.timers.first_key_value()?.0;
        if id.0 > now {
            return None;
        }
        self.remove(id);
        self.cursor.emptied(id.1);
        Some(id)
    }

    /// Copies timers that are due, behind the one that was copied last.
    fn copy_behind(&mut self, last: Option<(EventTime, Slot)>, budget: &mut usize) {
        let TimerStore { timers, tracker, copied, .. } = self;
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut reached = None;
        for (id, mark) in timers.range_mut((from, Bound::Unbounded)).take(*budget + 1) {
            if tracker.is_due(*mark, |copied| id > copied) {
                *mark = tracker.copied();
                copied.push(*id, false);
            }
            *budget = budget.saturating_sub(1);
            reached = Some(*id);
        }
        match reached {
            Some(id) => tracker.came_to(id),
            None => tracker.came_to_the_end(),
        }
    }
}

impl Store for TimerStore {
    fn is_present(&self, slot: Slot) -> bool {
        self.counts.get(slot as usize).is_some_and(|count| *count > 0)
    }

    fn sweep(&mut self, slot: Slot) -> bool {
        self.is_present(slot)
    }

    fn expires(&self) -> bool {
        false
    }

    fn freeze(&mut self, everything: bool, _keys: usize) -> bool {
        let everything = everything || self.tracker.is_mostly_changed(self.timers.len());
        self.tracker.freeze(everything);
        everything
    }

    fn copy_slice(&mut self, budget: &mut usize) -> bool {
        while *budget > 0 {
            *budget -= 1;
            match self.tracker.next() {
                Next::Changed(id) => {
                    if let Some(mark) = self.timers.get_mut(&id)
                        && self.tracker.is_due(*mark, |copied| id > *copied)
                    {
                        *mark = self.tracker.copied();
                        self.copied.push(id, false);
                    }
                }
                Next::Removed(id) => self.copied.push(id, true),
                Next::Behind(last) => self.copy_behind(last, budget),
                Next::Done => return true,
            }
        }
        false
    }

    fn copied(&self) -> &Slabs<Slot> {
        &self.copied.slots
    }

    fn take_rows(&mut self) -> Box<dyn Rows> {
        Box::new(std::mem::take(&mut self.copied))
    }

    fn restore_live(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error> {
        let times: Vec<EventTime> = codec::decode_column(batch, "timestamp")?;
        for (slot, time) in slots.iter().zip(times) {
            self.grow(*slot);
            if self.timers.insert((time, *slot), Mark::RESTORED).is_none() {
                self.counts[*slot as usize] += 1;
            }
        }
        Ok(())
    }

    fn restore_evolved(&mut self, slots: &[Slot], batch: &RecordBatch, _: &Outcome) -> Result<(), Trouble> {
        // Of two keys that have become one, a timer that both have is one.
        Ok(self.restore_live(slots, batch)?)
    }

    fn restore_dead(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error> {
        let times: Vec<EventTime> = codec::decode_column(batch, "timestamp")?;
        for (slot, time) in slots.iter().zip(times) {
            if self.timers.remove(&(time, *slot)).is_some() {
                self.counts[*slot as usize] -= 1;
            }
        }
        Ok(())
    }
}
