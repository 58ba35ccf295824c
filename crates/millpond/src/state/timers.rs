//! The store for timers: one clock, any number of keys.
//!
//! What a key has is a map by time, tracked entry by entry as a map state is. The calendar says which keys to look at when.

use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef};

use super::calendar::Calendar;
use super::codec;
use super::cursor::Cursor;
use super::evolution::{Outcome, Trouble};
use super::rows::Rows;
use super::slabs::Slabs;
use super::slot_table::Slot;
use super::slot_table::Stop;
use super::sorted::SortedMap;
use super::spill::pack;
use super::spill::part::SpilledRows;
use super::spill::row::{CHANGED, LIVE, TOMBSTONE, Victims};
use super::store::Store;
use super::tracker::{Extent, Mark, Next, Tracker};
use super::walk::{Copied, is_behind, walk_maps};
use crate::error::Error;
use crate::time::EventTime;

/// Timers by slot, then time. A key has at most one timer for a moment.
pub(crate) struct TimerStore {
    cursor: Rc<Cursor>,
    timers: Slabs<SortedMap<EventTime, Mark>>,
    /// Timers of all keys together.
    len: usize,
    calendar: Calendar,
    tracker: Tracker<(Slot, EventTime)>,
    copied: Copied<TimerRows>,
}

#[derive(Default)]
struct TimerRows {
    slots: Slabs<Slot>,
    times: Slabs<i64>,
    deleted: Slabs<bool>,
}

impl TimerRows {
    fn push(&mut self, (slot, time): (Slot, EventTime), deleted: bool) {
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
            copied: Copied::new(Rc::clone(&cursor)),
            cursor,
            timers: Slabs::new(),
            len: 0,
            calendar: Calendar::default(),
            tracker: Tracker::new(),
        }
    }

    fn mark_mut(&mut self, (slot, time): (Slot, EventTime)) -> Option<&mut Mark> {
        self.timers.get_mut(slot as usize)?.get_mut(&time)
    }

    fn has(&self, slot: Slot, time: EventTime) -> bool {
        self.timers.get(slot as usize).is_some_and(|timers| timers.get(&time).is_some())
    }

    /// Sets a timer for the current key; one that is set already stays.
    pub(crate) fn register(&mut self, time: EventTime) {
        let slot = self.cursor.slot();
        self.put(slot, time, |tracker| tracker.added(|| (slot, time)));
    }

    /// Adds a timer with the mark that `make` makes, unless it is there.
    fn put(&mut self, slot: Slot, time: EventTime, make: impl FnOnce(&mut Tracker<(Slot, EventTime)>) -> Mark) {
        if slot as usize >= self.timers.len() {
            self.timers.grow(slot as usize + 1, SortedMap::new);
        }
        let TimerStore { timers, len, calendar, tracker, .. } = self;
        if timers[slot as usize].insert_new(time, || make(tracker)) {
            *len += 1;
            calendar.add(time, slot);
            calendar.prune(*len, |time, slot| timers[slot as usize].get(&time).is_some());
        }
    }

    /// Takes back a timer of the current key.
    pub(crate) fn delete(&mut self, time: EventTime) {
        if self.take(time) {
            self.calendar.remove(time, self.cursor.slot());
        }
    }

    /// Takes out a timer of the current key; says whether there was one.
    pub(crate) fn take(&mut self, time: EventTime) -> bool {
        let slot = self.cursor.slot();
        let Some(timers) = self.timers.get_mut(slot as usize) else { return false };
        let Some(mark) = timers.remove(&time) else { return false };
        self.len -= 1;
        if timers.is_empty() {
            self.cursor.emptied(slot);
        }
        let id = (slot, time);
        if self.tracker.is_due(mark, |copied| is_behind(self.cursor.spot(), slot, &time, copied)) {
            self.copied.here().push(id, false);
        }
        if self.tracker.remove(mark, || id) {
            self.cursor.tombstone(slot);
        }
        true
    }

    /// The earliest moment that may have timers.
    pub(crate) fn first(&self) -> Option<EventTime> {
        self.calendar.first()
    }

    /// The earliest moment at or before `now` that may have timers. Gives the slots that may have one then, each of which is
    /// still to be [taken](TimerStore::take).
    pub(crate) fn due(&mut self, now: EventTime, slots: &mut Vec<Slot>) -> Option<EventTime> {
        self.calendar.take_first(now, slots)
    }

    /// Brings the timers of these slots near. A record mostly needs none of its key's.
    pub(crate) fn touch(&self, slots: &[Slot]) {
        let timers = slots.iter().filter_map(|slot| self.timers.get(*slot as usize)?.last_of_list());
        std::hint::black_box(timers.filter(|mark| mark.is_stored()).count());
    }
}

impl Store for TimerStore {
    fn is_present(&self, slot: Slot) -> bool {
        self.timers.get(slot as usize).is_some_and(|timers| !timers.is_empty())
    }

    fn sweep(&mut self, slot: Slot) -> bool {
        self.is_present(slot)
    }

    fn expires(&self) -> bool {
        false
    }

    fn shorten(&mut self, _keys: usize) {
        self.tracker.shorten(self.len);
    }

    fn takes_all(&self, extent: Extent, _keys: usize) -> bool {
        self.tracker.takes_all(extent, self.len)
    }

    fn freeze(&mut self, everything: bool, stretches: usize) {
        self.tracker.freeze(everything);
        self.copied.begin((0..stretches).map(|_| TimerRows::default()).collect());
    }

    fn copy_changes(&mut self, budget: &mut usize) -> bool {
        while *budget > 0 {
            *budget -= 1;
            match self.tracker.next() {
                Next::Changed(id) => {
                    let Some(mark) = self.mark_mut(id).map(|mark| *mark) else { continue };
                    if self.tracker.is_due(mark, |_| true) {
                        self.copied.here().push(id, false);
                        self.mark_mut(id).into_iter().for_each(|mark| *mark = Mark::RESTORED);
                    }
                }
                Next::Removed(id) => self.copied.here().push(id, true),
                Next::Done => return true,
            }
        }
        false
    }

    fn copy_keys(&mut self, stops: &[Stop], stretch: usize, budget: &mut usize) -> bool {
        let TimerStore { timers, tracker, copied, .. } = self;
        let copied = copied.of_mut(stretch);
        walk_maps(
            timers,
            tracker,
            stops,
            stretch,
            budget,
            |mark| *mark,
            |slot, time, _| copied.push((slot, *time), false),
        )
    }

    fn end_walk(&mut self) {
        self.tracker.came_to_the_end();
    }

    fn copied(&self, stretch: usize) -> &Slabs<Slot> {
        &self.copied.of(stretch).slots
    }

    fn take_rows(&mut self, stretch: usize) -> Box<dyn Rows> {
        Box::new(std::mem::take(self.copied.of_mut(stretch)))
    }

    fn restore_live(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error> {
        let times: Vec<EventTime> = codec::decode_column(batch, "timestamp")?;
        for (slot, time) in slots.iter().zip(times) {
            self.put(*slot, time, |_| Mark::RESTORED);
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
            if self.timers.get_mut(*slot as usize).and_then(|timers| timers.remove(&time)).is_some() {
                self.len -= 1;
                self.calendar.remove(time, *slot);
            }
        }
        Ok(())
    }

    fn weight(&self, slot: Slot) -> usize {
        let each = (size_of::<(EventTime, Mark)>() + size_of::<Slot>()) * 3 / 2;
        let timers = self.timers.get(slot as usize).map_or(0, SortedMap::len);
        size_of::<SortedMap<EventTime, Mark>>() + timers * each
    }

    fn evict(&mut self, victims: &mut Victims) -> Result<(), Error> {
        let mut entries: Vec<(usize, i64, u8, bool)> = Vec::new();
        let removed = self.tracker.take_removed(|(slot, _)| victims.is_victim(*slot));
        for (slot, time) in removed {
            if !self.has(slot, time) {
                entries.extend(victims.place(slot).map(|place| (place, time.as_millis(), TOMBSTONE, false)));
            }
        }
        for (place, slot) in victims.slots.iter().enumerate() {
            let Some(timers) = self.timers.get_mut(*slot as usize).map(std::mem::take) else { continue };
            self.len -= timers.len();
            for (time, mark) in timers {
                let changed = if self.tracker.is_changed(mark) { CHANGED } else { 0 };
                entries.push((place, time.as_millis(), LIVE | changed, mark.is_stored()));
                self.calendar.remove(time, *slot);
            }
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
            victims.end_section();
        }
        let TimerStore { timers, tracker, len, calendar, .. } = self;
        let mark = |slot: Slot, time| timers.get(slot as usize)?.get(&time);
        tracker
            .prune(*len, |tracker, (slot, time)| mark(*slot, *time).is_some_and(|mark| tracker.is_changed(*mark)));
        calendar.prune(*len, |time, slot| mark(slot, time).is_some());
        Ok(())
    }

    fn fault_in(&mut self, slot: Slot, mut section: &[u8], fresh: bool) -> Result<u32, Error> {
        let mut live = 0;
        while let Some((time, flags)) = spilled_timer(&mut section)? {
            let id = (slot, EventTime::from_millis(time));
            if flags & LIVE != 0 {
                self.put(slot, id.1, |tracker| tracker.faulted_in(fresh && flags & CHANGED != 0, || id));
                live += 1;
            } else if fresh && self.tracker.remove(Mark::RESTORED, || id) {
                self.cursor.tombstone(slot);
            }
        }
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
                self.push((key, EventTime::from_millis(time)), !live);
            }
        }
        Ok(())
    }

    fn take(&mut self) -> (Slabs<Slot>, Box<dyn Rows>) {
        let mut rows = std::mem::take(self);
        (std::mem::take(&mut rows.slots), Box::new(rows))
    }
}
