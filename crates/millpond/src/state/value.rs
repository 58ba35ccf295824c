//! The store for one value a key.

use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::FieldRef;

use super::codec::{self, StateValue};
use super::cursor::Cursor;
use super::descriptor::{Ttl, TtlUpdate};
use super::evolution::{Evolving, Outcome, Trouble};
use super::rows::{self, Rows};
use super::slabs::{Slabs, Spare};
use super::slot_table::Slot;
use super::slot_table::Stop;
use super::spill::pack::{self, pack, unpack};
use super::spill::part::SpilledRows;
use super::spill::row::{CHANGED, LIVE, TOMBSTONE, Victims};
use super::store::Store;
use super::stretches::Stretches;
use super::tracker::{Extent, Mark, Next, Tracker};
use super::walk::Copied;
use crate::error::Error;
use crate::time::millis;

/// A value and what is known of it, side by side: each record touches both. A place without one takes no more room than one
/// with it, as a mark is never zero: 16 bytes for a value of eight.
struct Entry<V> {
    value: V,
    mark: Mark,
}

const _: () = assert!(size_of::<Option<Entry<u64>>>() == 16);

/// Values that are brought near together before they are copied.
const NEAR_KEYS: usize = 128;

/// Values by slot. Reading and writing are for the cursor's key.
pub(crate) struct ValueStore<V> {
    cursor: Rc<Cursor>,
    entries: Slabs<Option<Entry<V>>>,
    /// When each entry expires, in milliseconds since 1970; empty without a TTL.
    expiries: Slabs<i64>,
    ttl: Option<Ttl>,
    tracker: Tracker<Slot>,
    field: FieldRef,
    copied: Copied<ValueRows<V>>,
    spare: ValueSpare<V>,
    evolving: Evolving<V>,
}

/// What lists of copied rows are made of.
struct ValueSpare<V> {
    slots: Spare<Slot>,
    values: Spare<Option<V>>,
    deleted: Spare<bool>,
}

/// Copied rows.
struct ValueRows<V> {
    field: FieldRef,
    slots: Slabs<Slot>,
    values: Slabs<Option<V>>,
    deleted: Slabs<bool>,
    expiries: Option<Slabs<Option<i64>>>,
}

impl<V> ValueSpare<V> {
    fn new() -> Self {
        ValueSpare { slots: Spare::new(), values: Spare::new(), deleted: Spare::new() }
    }

    fn rows(&self, field: FieldRef, expires: bool) -> ValueRows<V> {
        let (slots, values, deleted) = (self.slots.list(), self.values.list(), self.deleted.list());
        ValueRows { field, slots, values, deleted, expiries: expires.then(Slabs::new) }
    }
}

impl<V: StateValue> ValueRows<V> {
    fn new(field: FieldRef, expires: bool) -> Self {
        let expiries = expires.then(Slabs::new);
        ValueRows { field, slots: Slabs::new(), values: Slabs::new(), deleted: Slabs::new(), expiries }
    }

    /// Adds a value as it is.
    #[inline(never)]
    fn copy(&mut self, slot: Slot, value: &V, expiry: Option<i64>) {
        self.push(slot, Some(value.clone()), expiry);
    }

    fn push(&mut self, slot: Slot, value: Option<V>, expiry: Option<i64>) {
        self.slots.push(slot);
        self.deleted.push(value.is_none());
        self.values.push(value);
        if let Some(expiries) = &mut self.expiries {
            expiries.push(expiry);
        }
    }
}

impl<V: StateValue> Rows for ValueRows<V> {
    fn deleted(&self) -> &Slabs<bool> {
        &self.deleted
    }
    fn take_columns(&mut self, order: &[u32]) -> Result<Vec<(FieldRef, ArrayRef)>, Error> {
        let values: Vec<Option<V>> = rows::take(&mut self.values, order);
        let mut columns = vec![(Arc::clone(&self.field), codec::encode(&self.field, &values)?)];
        columns.extend(self.expiries.as_ref().map(|expiries| rows::expiry_column(order, expiries)));
        Ok(columns)
    }
}

impl<V: StateValue> Entry<V> {
    /// Copies the value of the cursor's key if the snapshot being copied has it and it was not copied yet; says whether it did.
    #[inline]
    fn copy_if_due(
        &self,
        at: usize,
        tracker: &Tracker<Slot>,
        copied: &mut Copied<ValueRows<V>>,
        expires_at: Option<i64>,
    ) -> bool {
        let is_due = tracker.is_due(self.mark, |last| (copied.spot(), at as Slot) > *last);
        if is_due {
            copied.here().copy(at as Slot, &self.value, expires_at);
        }
        is_due
    }
}

impl<V: StateValue> ValueStore<V> {
    pub(crate) fn new(cursor: Rc<Cursor>, ttl: Option<Ttl>, field: &FieldRef, evolving: Evolving<V>) -> Self {
        ValueStore {
            copied: Copied::new(Rc::clone(&cursor)),
            cursor,
            entries: Slabs::new(),
            expiries: Slabs::new(),
            ttl,
            tracker: Tracker::new(),
            field: codec::nullable(field),
            spare: ValueSpare::new(),
            evolving,
        }
    }

    #[inline]
    fn here(&mut self) -> usize {
        let slot = self.cursor.slot() as usize;
        if slot >= self.entries.len() {
            self.grow(slot + 1);
        }
        slot
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.entries.grow(len, || None);
        if self.ttl.is_some() {
            self.expiries.grow(len, || i64::MAX);
        }
    }

    /// The value of the current key.
    #[inline]
    pub(crate) fn get(&mut self) -> Option<&V> {
        let at = self.here();
        if let Some(ttl) = self.ttl {
            self.expire(at);
            if ttl.update == TtlUpdate::OnReadAndWrite {
                self.change(at);
            }
        }
        self.entries[at].as_ref().map(|entry| &entry.value)
    }

    /// The current key's value, if there is one, for a change: it counts as changed.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut V> {
        let at = self.here();
        self.expire(at);
        self.change(at)
    }

    /// The current key's value for a change; where there is none, what `make` makes.
    #[inline]
    pub(crate) fn get_or_insert_with(&mut self, make: impl FnOnce() -> V) -> &mut V {
        let at = self.here();
        self.expire(at);
        if self.entries[at].is_none() {
            self.add(at, make());
        }
        self.change(at).expect("a value that is there")
    }

    /// Sets the current key's value.
    #[inline]
    pub(crate) fn set(&mut self, value: V) {
        let at = self.here();
        self.expire(at);
        match self.change(at) {
            Some(place) => *place = value,
            None => self.add(at, value),
        }
    }

    /// Removes the value of the current key.
    pub(crate) fn clear(&mut self) {
        let at = self.here();
        self.remove(at);
        self.cursor.emptied(at as Slot);
    }

    /// The value at `at`, if there is one, copied if it is due, and as one that changes now.
    #[inline]
    fn change(&mut self, at: usize) -> Option<&mut V> {
        let expires_at = self.ttl.map(|ttl| (self.expiries[at], self.fresh(ttl)));
        let ValueStore { entries, tracker, copied, expiries, .. } = self;
        let entry = entries[at].as_mut()?;
        entry.copy_if_due(at, tracker, copied, expires_at.map(|(old, _)| old));
        tracker.change(&mut entry.mark, || at as Slot);
        if let Some((_, new)) = expires_at {
            expiries[at] = new;
        }
        Some(&mut entry.value)
    }

    /// Puts a value where there is none.
    fn add(&mut self, at: usize, value: V) {
        let mark = self.tracker.added(|| at as Slot);
        self.entries[at] = Some(Entry { value, mark });
        if let Some(ttl) = self.ttl {
            self.expiries[at] = self.fresh(ttl);
        }
    }

    /// When what is written now expires.
    fn fresh(&self, ttl: Ttl) -> i64 {
        self.cursor.now().saturating_add(millis(ttl.duration))
    }

    /// Away from the path of records, most of which remove nothing.
    #[inline(never)]
    fn remove(&mut self, at: usize) {
        self.copy_if_due(at);
        let Some(entry) = self.entries[at].take() else { return };
        if self.tracker.remove(entry.mark, || at as Slot) {
            self.cursor.tombstone(at as Slot);
        }
    }

    #[inline]
    fn expire(&mut self, at: usize) {
        if self.ttl.is_some() {
            self.drop_expired(at);
        }
    }

    fn drop_expired(&mut self, at: usize) {
        if self.entries[at].is_some() && self.expiries[at] <= self.cursor.now() {
            self.remove(at);
            self.cursor.emptied(at as Slot);
        }
    }

    fn copy_if_due(&mut self, at: usize) -> bool {
        let ValueStore { entries, tracker, copied, expiries, ttl, .. } = self;
        let entry = entries[at].as_ref();
        entry.is_some_and(|entry| entry.copy_if_due(at, tracker, copied, ttl.map(|_| expiries[at])))
    }
}

impl<V: StateValue> Store for ValueStore<V> {
    fn is_present(&self, slot: Slot) -> bool {
        self.entries.get(slot as usize).is_some_and(Option::is_some)
    }

    fn sweep(&mut self, slot: Slot) -> bool {
        if (slot as usize) < self.entries.len() {
            self.expire(slot as usize);
        }
        self.is_present(slot)
    }

    fn touch(&self, slots: &[Slot]) {
        let entries = slots.iter().filter_map(|slot| self.entries.get(*slot as usize)?.as_ref());
        std::hint::black_box(entries.filter(|entry| entry.mark.is_stored()).count());
    }

    fn expires(&self) -> bool {
        self.ttl.is_some()
    }

    fn shorten(&mut self, keys: usize) {
        self.tracker.shorten(keys);
    }

    fn takes_all(&self, extent: Extent, keys: usize) -> bool {
        self.tracker.takes_all(extent, keys)
    }

    fn freeze(&mut self, everything: bool, stretches: usize) {
        self.tracker.freeze(everything);
        let rows = || self.spare.rows(Arc::clone(&self.field), self.ttl.is_some());
        self.copied.begin((0..stretches).map(|_| rows()).collect());
    }

    fn copy_changes(&mut self, budget: &mut usize) -> bool {
        while *budget > 0 {
            match self.tracker.next() {
                Next::Changed(slot) => {
                    let at = slot as usize;
                    if self.copy_if_due(at)
                        && let Some(entry) = &mut self.entries[at]
                    {
                        entry.mark = Mark::RESTORED;
                    }
                }
                Next::Removed(slot) => self.copied.here().push(slot, None, None),
                Next::Done => return true,
            }
            *budget -= 1;
        }
        false
    }

    fn copy_keys(&mut self, stops: &[Stop], stretch: usize, budget: &mut usize) -> bool {
        let ValueStore { entries, tracker, copied, expiries, .. } = self;
        let copied = copied.of_mut(stretch);
        let entry = |slot: Slot| entries.get(slot as usize).and_then(Option::as_ref);
        for stops in stops.chunks(NEAR_KEYS) {
            // They come from all over memory: what is read does not say what is read next.
            let (mut due, mut count) = ([0; NEAR_KEYS], 0);
            for stop in stops {
                due[count] = stop.slot();
                // The walk has not come to it yet.
                let is_due = entry(stop.slot()).is_some_and(|entry| tracker.is_due(entry.mark, |_| true));
                count += usize::from(is_due);
            }
            let due = &due[..count];
            copied.slots.extend(due.iter().copied());
            copied.deleted.extend(due.iter().map(|_| false));
            copied.values.extend(due.iter().map(|slot| entry(*slot).map(|entry| entry.value.clone())));
            if let Some(copied) = &mut copied.expiries {
                copied.extend(due.iter().map(|slot| Some(expiries[*slot as usize])));
            }
        }
        if let Some(last) = stops.last() {
            tracker.came_to(Stretches::placed(stretch, *last));
        }
        *budget = budget.saturating_sub(stops.len());
        true
    }

    fn end_walk(&mut self) {
        self.tracker.came_to_the_end();
    }

    fn copied(&self, stretch: usize) -> &Slabs<Slot> {
        &self.copied.of(stretch).slots
    }

    fn take_rows(&mut self, stretch: usize) -> Box<dyn Rows> {
        let empty = ValueRows::new(Arc::clone(&self.field), self.ttl.is_some());
        Box::new(std::mem::replace(self.copied.of_mut(stretch), empty))
    }

    fn restore_live(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error> {
        let values: Vec<V> = codec::decode_column(batch, "value")?;
        let expiries: Option<Vec<Option<i64>>> = match self.ttl {
            Some(_) if batch.column_by_name("expires_at").is_some() => {
                Some(codec::decode_column(batch, "expires_at")?)
            }
            _ => None,
        };
        for (row, value) in values.into_iter().enumerate() {
            let at = slots[row] as usize;
            if at >= self.entries.len() {
                self.grow(at + 1);
            }
            self.entries[at] = Some(Entry { value, mark: Mark::RESTORED });
            if let Some(ttl) = self.ttl {
                let fresh = self.fresh(ttl);
                self.expiries[at] = expiries.as_ref().and_then(|e| e[row]).unwrap_or(fresh);
            }
        }
        Ok(())
    }

    fn restore_evolved(&mut self, slots: &[Slot], batch: &RecordBatch, outcome: &Outcome) -> Result<(), Trouble> {
        let values = self.evolving.values.read(batch, "value", outcome.value)?;
        let expiries = rows::expiries(batch, self.ttl, self.cursor.now())?;
        for ((row, value), expiry) in values.into_iter().enumerate().zip(expiries) {
            let Some(mut expires_at) = expiry else { continue };
            let at = slots[row] as usize;
            if at >= self.entries.len() {
                self.grow(at + 1);
            }
            let value = match self.entries[at].take() {
                Some(other) => {
                    expires_at = expires_at.max(self.expiries.get(at).copied().unwrap_or(i64::MAX));
                    self.evolving.one_of(row, other.value, value)?
                }
                None => value,
            };
            self.entries[at] = Some(Entry { value, mark: Mark::RESTORED });
            if self.ttl.is_some() {
                self.expiries[at] = expires_at;
            }
        }
        Ok(())
    }

    fn restore_dead(&mut self, slots: &[Slot], _batch: &RecordBatch) -> Result<(), Error> {
        for slot in slots {
            if let Some(entry) = self.entries.get_mut(*slot as usize) {
                *entry = None;
            }
        }
        Ok(())
    }

    fn weight(&self, slot: Slot) -> usize {
        let expiry = if self.ttl.is_some() { size_of::<i64>() } else { 0 };
        let entry = self.entries.get(slot as usize).and_then(Option::as_ref);
        size_of::<Option<Entry<V>>>() + expiry + entry.map_or(0, |entry| pack::heap(&entry.value))
    }

    fn evict(&mut self, victims: &mut Victims) -> Result<(), Error> {
        let gone = self.tracker.take_removed(|slot| victims.is_victim(*slot));
        let mut removed = vec![false; if gone.is_empty() { 0 } else { victims.slots.len() }];
        gone.iter().filter_map(|slot| victims.place(*slot)).for_each(|place| removed[place] = true);
        for place in 0..victims.slots.len() {
            let at = victims.slots[place] as usize;
            if let Some(entry) = self.entries.get_mut(at) {
                if let Some(Entry { value, mark }) = entry.take() {
                    let changed = if self.tracker.is_changed(mark) { CHANGED } else { 0 };
                    let expires_at = self.ttl.map_or(i64::MAX, |_| self.expiries[at]);
                    let bytes = victims.entry(place, LIVE | changed, mark.is_stored(), expires_at);
                    if self.ttl.is_some() {
                        bytes.extend_from_slice(&expires_at.to_le_bytes());
                    }
                    pack(&value, bytes)?;
                } else if removed.get(place).is_some_and(|removed| *removed) {
                    victims.entry(place, TOMBSTONE, false, i64::MAX);
                }
            }
            victims.end_section();
        }
        let entries = &self.entries;
        self.tracker.prune(entries.len(), |tracker, slot| {
            let entry = entries.get(*slot as usize).and_then(Option::as_ref);
            entry.is_some_and(|entry| tracker.is_changed(entry.mark))
        });
        Ok(())
    }

    fn fault_in(&mut self, slot: Slot, mut section: &[u8], fresh: bool) -> Result<u32, Error> {
        let Some(entry) = SpilledValue::<V>::read(&mut section, self.ttl.is_some())? else { return Ok(0) };
        let at = slot as usize;
        if at >= self.entries.len() {
            self.grow(at + 1);
        }
        let Some(value) = entry.value else {
            if fresh && self.tracker.remove(Mark::RESTORED, || slot) {
                self.cursor.tombstone(slot);
            }
            return Ok(0);
        };
        let mark = self.tracker.faulted_in(fresh && entry.changed, || slot);
        self.entries[at] = Some(Entry { value, mark });
        if self.ttl.is_some() {
            self.expiries[at] = entry.expires_at;
        }
        Ok(1)
    }

    fn spilled_rows(&self) -> Box<dyn SpilledRows> {
        Box::new(ValueRows::<V>::new(Arc::clone(&self.field), self.ttl.is_some()))
    }
}

/// The entry of a section of a row on disk.
struct SpilledValue<V> {
    value: Option<V>,
    changed: bool,
    expires_at: i64,
}

impl<V: StateValue> SpilledValue<V> {
    fn read(section: &mut &[u8], expires: bool) -> Result<Option<Self>, Error> {
        if section.is_empty() {
            return Ok(None);
        }
        let flags = pack::byte(section)?;
        let changed = flags & (CHANGED | TOMBSTONE) != 0;
        let mut entry = SpilledValue { value: None, changed, expires_at: i64::MAX };
        if flags & LIVE != 0 {
            if expires {
                entry.expires_at = pack::int(section)?;
            }
            entry.value = Some(unpack(section)?);
        }
        Ok(Some(entry))
    }
}

impl<V: StateValue> SpilledRows for ValueRows<V> {
    fn push_section(&mut self, key: u32, mut section: &[u8], everything: bool) -> Result<(), Error> {
        if let Some(entry) = SpilledValue::<V>::read(&mut section, self.expiries.is_some())?
            && if everything { entry.value.is_some() } else { entry.changed }
        {
            self.push(key, entry.value, Some(entry.expires_at));
        }
        Ok(())
    }

    fn take(&mut self) -> (Slabs<Slot>, Box<dyn Rows>) {
        let empty = ValueRows::new(Arc::clone(&self.field), self.expiries.is_some());
        let mut rows = std::mem::replace(self, empty);
        (std::mem::take(&mut rows.slots), Box::new(rows))
    }
}
