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
use super::spill::pack;
use super::spill::part::SpilledRows;
use super::spill::row::{CHANGED, LIVE, TOMBSTONE, Victims};
use super::tracker::{Extent, Mark, Next, Tracker};
use crate::error::Error;
use crate::time::EventTime;

/// Timers by time, then slot. A key has at most one timer for a moment.
pub(crate) struct TimerStore {
    cursor: Rc<Cursor>,
    timers: BTreeMap<(EventTime, Slot), Mark>,
    /// Timers of each slot.
    counts: Slabs<u32>,
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
            counts: Slabs::new(),
            tracker: Tracker::new(),
            copied: TimerRows::default(),
        }
    }

    #[inline]
    fn grow(&mut self, slot: Slot) {
        if slot as usize >= self.counts.len() {
            self.counts.grow(slot as usize + 1, || 0);
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
        let id = (time, self.cursor.slot());
        if let Some(mark) = self.timers.remove(&id) {
            self.removed(id, mark);
        }
    }

    /// Notes that a timer is gone.
    fn removed(&mut self, id: (EventTime, Slot), mut mark: Mark) {
        if self.tracker.is_due(mark, |copied| id > *copied) {
            self.copied.push(id, false);
            mark = self.tracker.copied();
        }
        if self.tracker.remove(mark, || id) {
            self.cursor.tombstone(id.1);
        }
        let count = &mut self.counts[id.1 as usize];
        *count -= 1;
        if *count == 0 {
            self.cursor.emptied(id.1);
        }
    }

    /// The earliest timer.
    pub(crate) fn first(&self) -> Option<EventTime> {
        self.timers.first_key_value().map(|((time, _), _)| *time)
    }

    /// Takes out the earliest timer at or before `now`.
    pub(crate) fn pop(&mut self, now: EventTime) -> Option<(EventTime, Slot)> {
        let first = self.timers.first_entry().filter(|first| first.key().0 <= now)?;
        let (id, mark) = first.remove_entry();
        self.removed(id, mark);
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

    fn freeze(&mut self, extent: Extent, _keys: usize) -> bool {
        let everything = self.tracker.takes_all(extent, self.timers.len());
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

    fn weight(&self, slot: Slot) -> usize {
        let each = (size_of::<(EventTime, Slot)>() + size_of::<Mark>()) * 3 / 2;
        size_of::<u32>() + self.counts.get(slot as usize).map_or(0, |count| *count as usize * each)
    }

    fn evict(&mut self, victims: &mut Victims) -> Result<(), Error> {
        let mut entries: Vec<(usize, i64, u8, bool)> = Vec::new();
        let removed = self.tracker.take_removed(|(_, slot)| victims.is_victim(*slot));
        for (time, slot) in removed {
            if !self.timers.contains_key(&(time, slot)) {
                entries.extend(victims.place(slot).map(|place| (place, time.as_millis(), TOMBSTONE, false)));
            }
        }
        if victims.slots.iter().any(|slot| self.is_present(*slot)) {
            let TimerStore { timers, tracker, .. } = self;
            timers.retain(|(time, slot), mark| {
                let Some(place) = victims.place(*slot) else { return true };
                let changed = if tracker.is_changed(*mark) { CHANGED } else { 0 };
                entries.push((place, time.as_millis(), LIVE | changed, mark.is_stored()));
                false
            });
        }
        entries.sort_unstable();
        entries.dedup();
        let state = victims.state();
        let mut entries = entries.into_iter().peekable();
        for place in 0..victims.slots.len() {
            while let Some((_, time, flags, stored)) = entries.next_if(|(of, ..)| *of == place) {
                victims.entry(place, flags, stored, i64::MAX).extend_from_slice(&time.to_le_bytes());
                if flags & LIVE != 0 && !stored {
                    victims.timers.push((state, time, place));
                }
            }
            if let Some(count) = self.counts.get_mut(victims.slots[place] as usize) {
                *count = 0;
            }
            victims.end_section();
        }
        let timers = &self.timers;
        self.tracker
            .prune(timers.len(), |tracker, id| timers.get(id).is_some_and(|mark| tracker.is_changed(*mark)));
        Ok(())
    }

    fn fault_in(&mut self, slot: Slot, mut section: &[u8], fresh: bool) -> Result<u32, Error> {
        let mut live = 0;
        while let Some((time, flags)) = spilled_timer(&mut section)? {
            let id = (EventTime::from_millis(time), slot);
            if flags & LIVE != 0 {
                let mark = self.tracker.faulted_in(fresh && flags & CHANGED != 0, || id);
                self.timers.insert(id, mark);
                live += 1;
            } else if fresh && self.tracker.remove(Mark::RESTORED, || id) {
                self.cursor.tombstone(slot);
            }
        }
        self.grow(slot);
        self.counts[slot as usize] = live;
        Ok(live)
    }

    fn spilled_rows(&self) -> Box<dyn SpilledRows> {
        Box::new(TimerRows::default())
    }
}

/// Takes a timer off the front of a section.
fn spilled_timer(section: &mut &[u8]) -> Result<Option<(i64, u8)>, Error> {
    if section.is_empty() {
        return Ok(None);
    }
    let flags = pack::byte(section)?;
    Ok(Some((pack::int(section)?, flags)))
}

impl SpilledRows for TimerRows {
    fn push_section(&mut self, key: u32, mut section: &[u8], everything: bool) -> Result<(), Error> {
        while let Some((time, flags)) = spilled_timer(&mut section)? {
            let live = flags & LIVE != 0;
            if if everything { live } else { flags & (CHANGED | TOMBSTONE) != 0 } {
                self.push((EventTime::from_millis(time), key), !live);
            }
        }
        Ok(())
    }

    fn take(&mut self) -> (Slabs<Slot>, Box<dyn Rows>) {
        let mut rows = std::mem::take(self);
        (std::mem::take(&mut rows.slots), Box::new(rows))
    }
}
