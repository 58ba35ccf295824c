//! The store for a map a key. Entries are tracked one by one: a change to one does not rewrite the others.

use std::ops::RangeBounds;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::FieldRef;

use super::codec::{self, StateValue};
use super::cursor::Cursor;
use super::descriptor::{Ttl, TtlUpdate};
use super::evolution::{Evolving, Outcome, Trouble, Values};
use super::rows::{self, Rows};
use super::slabs::Slabs;
use super::slot_table::Slot;
use super::slot_table::Stop;
use super::sorted::SortedMap;
use super::spill::pack::{self, pack, unpack};
use super::spill::part::SpilledRows;
use super::spill::row::{CHANGED, LIVE, TOMBSTONE, Victims};
use super::store::Store;
use super::tracker::{Extent, Mark, Next, Tracker};
use super::walk::{Copied, is_behind, walk_maps};
use crate::error::Error;
use crate::time::millis;

/// One entry.
struct Entry<V> {
    value: V,
    mark: Mark,
    expires_at: i64,
}

/// Maps by slot, each sorted by its own key. Reading and writing are for the cursor's key.
pub(crate) struct MapStore<M, V> {
    cursor: Rc<Cursor>,
    maps: Slabs<SortedMap<M, Entry<V>>>,
    /// Entries of all maps together.
    entries: usize,
    ttl: Option<Ttl>,
    tracker: Tracker<(Slot, M)>,
    map_key: FieldRef,
    value: FieldRef,
    copied: Copied<MapRows<M, V>>,
    keys: Values<M>,
    evolving: Evolving<V>,
}

struct MapRows<M, V> {
    map_key: FieldRef,
    value: FieldRef,
    slots: Slabs<Slot>,
    map_keys: Slabs<Option<M>>,
    values: Slabs<Option<V>>,
    deleted: Slabs<bool>,
    expiries: Option<Slabs<Option<i64>>>,
}

impl<M: StateValue, V: StateValue> MapRows<M, V> {
    fn new(map_key: FieldRef, value: FieldRef, expires: bool) -> Self {
        MapRows {
            map_key,
            value,
            slots: Slabs::new(),
            map_keys: Slabs::new(),
            values: Slabs::new(),
            deleted: Slabs::new(),
            expiries: expires.then(Slabs::new),
        }
    }

    /// Adds an entry as it is.
    #[inline(never)]
    fn copy(&mut self, slot: Slot, map_key: M, entry: &Entry<V>) {
        self.push(slot, map_key, Some(entry.value.clone()), Some(entry.expires_at));
    }

    fn push(&mut self, slot: Slot, map_key: M, value: Option<V>, expiry: Option<i64>) {
        self.slots.push(slot);
        self.map_keys.push(Some(map_key));
        self.deleted.push(value.is_none());
        self.values.push(value);
        if let Some(expiries) = &mut self.expiries {
            expiries.push(expiry);
        }
    }
}

impl<M: StateValue, V: StateValue> Rows for MapRows<M, V> {
    fn deleted(&self) -> &Slabs<bool> {
        &self.deleted
    }
    fn take_columns(&mut self, order: &[u32]) -> Result<Vec<(FieldRef, ArrayRef)>, Error> {
        let map_keys: Vec<Option<M>> = rows::take(&mut self.map_keys, order);
        let values: Vec<Option<V>> = rows::take(&mut self.values, order);
        let mut columns = vec![
            (Arc::clone(&self.map_key), codec::encode(&self.map_key, &map_keys)?),
            (Arc::clone(&self.value), codec::encode(&self.value, &values)?),
        ];
        columns.extend(self.expiries.as_ref().map(|expiries| rows::expiry_column(order, expiries)));
        Ok(columns)
    }
}

impl<M: StateValue + Ord, V: StateValue> MapStore<M, V> {
    pub(crate) fn new(
        cursor: Rc<Cursor>,
        ttl: Option<Ttl>,
        map_key: &FieldRef,
        value: &FieldRef,
        keys: Values<M>,
        evolving: Evolving<V>,
    ) -> Self {
        MapStore {
            copied: Copied::new(Rc::clone(&cursor)),
            cursor,
            maps: Slabs::new(),
            entries: 0,
            ttl,
            tracker: Tracker::new(),
            map_key: Arc::clone(map_key),
            value: codec::nullable(value),
            keys,
            evolving,
        }
    }

    #[inline]
    fn grow(&mut self, slot: Slot) {
        if slot as usize >= self.maps.len() {
            self.maps.grow(slot as usize + 1, SortedMap::new);
        }
    }

    /// Drops entries of `slot` that have expired.
    #[inline]
    fn expire(&mut self, slot: Slot) {
        if self.ttl.is_some() {
            self.drop_expired(slot);
        }
    }

    fn drop_expired(&mut self, slot: Slot) {
        let now = self.cursor.now();
        let Some(map) = self.maps.get(slot as usize) else { return };
        let gone: Vec<M> =
            map.iter().filter(|(_, entry)| entry.expires_at <= now).map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.remove_at(slot, key);
        }
        if !gone.is_empty() {
            self.cursor.emptied(slot);
        }
    }

    /// The value under `key`, with the current key's map.
    #[inline]
    pub(crate) fn get(&mut self, key: &M) -> Option<&V> {
        let slot = self.cursor.slot();
        self.expire(slot);
        if self.ttl.is_some_and(|ttl| ttl.update == TtlUpdate::OnReadAndWrite) {
            self.get_mut(key);
        }
        self.maps.get(slot as usize)?.get(key).map(|entry| &entry.value)
    }

    /// The place of the value under `key`, if there is one, for a change: the entry counts as changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: &M) -> Option<&mut V> {
        let slot = self.cursor.slot();
        self.expire(slot);
        let expires_at = self.expiry();
        let MapStore { cursor, maps, tracker, copied, .. } = self;
        let entry = maps.get_mut(slot as usize)?.get_mut(key)?;
        if tracker.is_due(entry.mark, |copied| is_behind(cursor.spot(), slot, key, copied)) {
            copied.here().copy(slot, key.clone(), entry);
        }
        tracker.change(&mut entry.mark, || (slot, key.clone()));
        entry.expires_at = expires_at;
        Some(&mut entry.value)
    }

    /// Puts `value` under `key`; gives back what was there.
    pub(crate) fn insert(&mut self, key: M, value: V) -> Option<V> {
        match self.get_mut(&key) {
            Some(place) => Some(std::mem::replace(place, value)),
            None => {
                self.insert_new(key, value);
                None
            }
        }
    }

    /// Puts `value` under `key`, where nothing is.
    pub(crate) fn insert_new(&mut self, key: M, value: V) {
        let slot = self.cursor.slot();
        self.grow(slot);
        let mark = self.tracker.added(|| (slot, key.clone()));
        let expires_at = self.expiry();
        self.maps[slot as usize].insert(key, Entry { value, mark, expires_at });
        self.entries += 1;
    }

    /// Takes away what is under `key`.
    pub(crate) fn remove(&mut self, key: &M) -> Option<V> {
        let slot = self.cursor.slot();
        self.expire(slot);
        let value = self.remove_at(slot, key)?;
        if self.maps[slot as usize].is_empty() {
            self.cursor.emptied(slot);
        }
        Some(value)
    }

    fn remove_at(&mut self, slot: Slot, key: &M) -> Option<V> {
        let entry = self.maps.get_mut(slot as usize)?.remove(key)?;
        self.entries -= 1;
        if self.tracker.is_due(entry.mark, |copied| is_behind(self.cursor.spot(), slot, key, copied)) {
            self.copied.here().copy(slot, key.clone(), &entry);
        }
        if self.tracker.remove(entry.mark, || (slot, key.clone())) {
            self.cursor.tombstone(slot);
        }
        Some(entry.value)
    }

    /// Removes every entry of the current key.
    pub(crate) fn clear(&mut self) {
        let slot = self.cursor.slot();
        while let Some(key) = self.maps.get(slot as usize).and_then(SortedMap::first_key).cloned() {
            self.remove_at(slot, &key);
        }
        self.cursor.emptied(slot);
    }

    /// The entries of the current key whose own key is in `range`, in order.
    #[inline]
    pub(crate) fn range(&mut self, range: impl RangeBounds<M>) -> impl Iterator<Item = (&M, &V)> {
        let slot = self.cursor.slot();
        self.expire(slot);
        let entries = self.maps.get(slot as usize).map(|map| map.range(range));
        entries.into_iter().flatten().map(|(key, entry)| (key, &entry.value))
    }

    /// How many entries the current key has.
    #[inline]
    pub(crate) fn len(&mut self) -> usize {
        let slot = self.cursor.slot();
        self.expire(slot);
        self.maps.get(slot as usize).map_or(0, SortedMap::len)
    }

    fn rows(&self) -> MapRows<M, V> {
        MapRows::new(Arc::clone(&self.map_key), Arc::clone(&self.value), self.ttl.is_some())
    }

    #[inline]
    fn expiry(&self) -> i64 {
        self.ttl.map_or(i64::MAX, |ttl| self.cursor.now().saturating_add(millis(ttl.duration)))
    }
}

impl<M: StateValue + Ord, V: StateValue> Store for MapStore<M, V> {
    fn is_present(&self, slot: Slot) -> bool {
        self.maps.get(slot as usize).is_some_and(|map| !map.is_empty())
    }

    fn sweep(&mut self, slot: Slot) -> bool {
        self.expire(slot);
        self.is_present(slot)
    }

    fn touch(&self, slots: &[Slot]) {
        let maps = slots.iter().filter_map(|slot| self.maps.get(*slot as usize));
        let entries = maps.filter_map(SortedMap::last_of_list);
        std::hint::black_box(entries.filter(|entry| entry.mark.is_stored()).count());
    }

    fn expires(&self) -> bool {
        self.ttl.is_some()
    }

    fn shorten(&mut self, _keys: usize) {
        self.tracker.shorten(self.entries);
    }

    fn takes_all(&self, extent: Extent, _keys: usize) -> bool {
        self.tracker.takes_all(extent, self.entries)
    }

    fn freeze(&mut self, everything: bool, stretches: usize) {
        self.tracker.freeze(everything);
        self.copied.begin((0..stretches).map(|_| self.rows()).collect());
    }

    fn copy_changes(&mut self, budget: &mut usize) -> bool {
        while *budget > 0 {
            *budget -= 1;
            match self.tracker.next() {
                Next::Changed((slot, key)) => {
                    let MapStore { maps, tracker, copied, .. } = self;
                    if let Some(entry) = maps.get_mut(slot as usize).and_then(|map| map.get_mut(&key))
                        && tracker.is_due(entry.mark, |_| true)
                    {
                        copied.here().copy(slot, key, entry);
                        entry.mark = Mark::RESTORED;
                    }
                }
                Next::Removed((slot, key)) => self.copied.here().push(slot, key, None, None),
                Next::Done => return true,
            }
        }
        false
    }

    fn copy_keys(&mut self, stops: &[Stop], stretch: usize, budget: &mut usize) -> bool {
        let MapStore { maps, tracker, copied, .. } = self;
        let copied = copied.of_mut(stretch);
        let copy = |slot, key: &M, entry: &Entry<V>| copied.copy(slot, key.clone(), entry);
        walk_maps(maps, tracker, stops, stretch, budget, |entry| entry.mark, copy)
    }

    fn end_walk(&mut self) {
        self.tracker.came_to_the_end();
    }

    fn copied(&self, stretch: usize) -> &Slabs<Slot> {
        &self.copied.of(stretch).slots
    }

    fn take_rows(&mut self, stretch: usize) -> Box<dyn Rows> {
        let empty = self.rows();
        Box::new(std::mem::replace(self.copied.of_mut(stretch), empty))
    }

    fn restore_live(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error> {
        let keys: Vec<M> = codec::decode_column(batch, "map_key")?;
        codec::are_as_stored(&keys, batch, "map_key")?;
        let values: Vec<V> = codec::decode_column(batch, "value")?;
        let expiries: Option<Vec<Option<i64>>> = match self.ttl {
            Some(_) if batch.column_by_name("expires_at").is_some() => {
                Some(codec::decode_column(batch, "expires_at")?)
            }
            _ => None,
        };
        for (row, (key, value)) in keys.into_iter().zip(values).enumerate() {
            self.grow(slots[row]);
            let expires_at = expiries.as_ref().and_then(|e| e[row]).unwrap_or_else(|| self.expiry());
            let entry = Entry { value, mark: Mark::RESTORED, expires_at };
            self.entries += usize::from(self.maps[slots[row] as usize].insert(key, entry).is_none());
        }
        Ok(())
    }

    fn restore_evolved(&mut self, slots: &[Slot], batch: &RecordBatch, outcome: &Outcome) -> Result<(), Trouble> {
        let keys = self.keys.read(batch, "map_key", outcome.map_key)?;
        let values = self.evolving.values.read(batch, "value", outcome.value)?;
        let expiries = rows::expiries(batch, self.ttl, self.cursor.now())?;
        for ((row, (key, value)), expiry) in keys.into_iter().zip(values).enumerate().zip(expiries) {
            let Some(expires_at) = expiry else { continue };
            self.grow(slots[row]);
            let map = &mut self.maps[slots[row] as usize];
            let entry = match map.remove(&key) {
                Some(other) => {
                    let expires_at = expires_at.max(other.expires_at);
                    let value = self.evolving.one_of(row, other.value, value)?;
                    Entry { value, mark: Mark::RESTORED, expires_at }
                }
                None => {
                    self.entries += 1;
                    Entry { value, mark: Mark::RESTORED, expires_at }
                }
            };
            map.insert(key, entry);
        }
        Ok(())
    }

    fn restore_dead(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error> {
        let keys: Vec<M> = codec::decode_column(batch, "map_key")?;
        for (slot, key) in slots.iter().zip(keys) {
            if let Some(map) = self.maps.get_mut(*slot as usize) {
                self.entries -= usize::from(map.remove(&key).is_some());
            }
        }
        Ok(())
    }

    fn weight(&self, slot: Slot) -> usize {
        let Some(map) = self.maps.get(slot as usize) else { return 0 };
        // Lists and the nodes of trees are two thirds full or so.
        let each = (size_of::<M>() + size_of::<Entry<V>>()) * 3 / 2;
        let heap = |(key, entry): (&M, &Entry<V>)| pack::heap(key) + pack::heap(&entry.value);
        let (looked, heap) = map.iter().take(WEIGHED).fold((0, 0), |(n, sum), e| (n + 1, sum + heap(e)));
        size_of::<SortedMap<M, Entry<V>>>() + map.len() * (each + heap.checked_div(looked).unwrap_or(0))
    }

    fn evict(&mut self, victims: &mut Victims) -> Result<(), Error> {
        let mut removed: Vec<(usize, M)> = Vec::new();
        for (slot, key) in self.tracker.take_removed(|(slot, _)| victims.is_victim(*slot)) {
            removed.extend(victims.place(slot).map(|place| (place, key)));
        }
        removed.sort_unstable();
        removed.dedup();
        let mut removed = removed.into_iter().peekable();
        for place in 0..victims.slots.len() {
            let map = self.maps.get_mut(victims.slots[place] as usize).map(std::mem::take).unwrap_or_default();
            self.entries -= map.len();
            while let Some((_, key)) = removed.next_if(|(of, _)| *of == place) {
                // One that came back is written as it is.
                if map.get(&key).is_none() {
                    pack(&key, victims.entry(place, TOMBSTONE, false, i64::MAX))?;
                }
            }
            for (key, Entry { value, mark, expires_at }) in map {
                let changed = if self.tracker.is_changed(mark) { CHANGED } else { 0 };
                let bytes = victims.entry(place, LIVE | changed, mark.is_stored(), expires_at);
                if self.ttl.is_some() {
                    bytes.extend_from_slice(&expires_at.to_le_bytes());
                }
                pack(&key, bytes)?;
                pack(&value, bytes)?;
            }
            victims.end_section();
        }
        let maps = &self.maps;
        self.tracker.prune(self.entries, |tracker, (slot, key)| {
            let entry = maps.get(*slot as usize).and_then(|map| map.get(key));
            entry.is_some_and(|entry| tracker.is_changed(entry.mark))
        });
        Ok(())
    }

    fn fault_in(&mut self, slot: Slot, mut section: &[u8], fresh: bool) -> Result<u32, Error> {
        self.grow(slot);
        let mut live = 0;
        while let Some(SpilledEntry { key, value, changed, expires_at }) =
            SpilledEntry::<M, V>::read(&mut section, self.ttl.is_some())?
        {
            let Some(value) = value else {
                if fresh && self.tracker.remove(Mark::RESTORED, || (slot, key)) {
                    self.cursor.tombstone(slot);
                }
                continue;
            };
            let mark = self.tracker.faulted_in(fresh && changed, || (slot, key.clone()));
            self.maps[slot as usize].insert(key, Entry { value, mark, expires_at });
            live += 1;
        }
        self.entries += live as usize;
        Ok(live)
    }

    fn spilled_rows(&self) -> Box<dyn SpilledRows> {
        Box::new(self.rows())
    }
}

/// Entries of a map that are looked at to learn what one takes in memory.
const WEIGHED: usize = 16;

/// An entry of a section of a row on disk.
struct SpilledEntry<M, V> {
    key: M,
    value: Option<V>,
    changed: bool,
    expires_at: i64,
}

impl<M: StateValue, V: StateValue> SpilledEntry<M, V> {
    fn read(section: &mut &[u8], expires: bool) -> Result<Option<Self>, Error> {
        if section.is_empty() {
            return Ok(None);
        }
        let flags = pack::byte(section)?;
        let (live, changed) = (flags & LIVE != 0, flags & (CHANGED | TOMBSTONE) != 0);
        let expires_at = if live && expires { pack::int(section)? } else { i64::MAX };
        let key = unpack(section)?;
        let value = if live { Some(unpack(section)?) } else { None };
        Ok(Some(SpilledEntry { key, value, changed, expires_at }))
    }
}

impl<M: StateValue, V: StateValue> SpilledRows for MapRows<M, V> {
    fn push_section(&mut self, key: u32, mut section: &[u8], everything: bool) -> Result<(), Error> {
        while let Some(entry) = SpilledEntry::<M, V>::read(&mut section, self.expiries.is_some())? {
            if if everything { entry.value.is_some() } else { entry.changed } {
                self.push(key, entry.key, entry.value, Some(entry.expires_at));
            }
        }
        Ok(())
    }

    fn take(&mut self) -> (Slabs<Slot>, Box<dyn Rows>) {
        let empty = MapRows::new(Arc::clone(&self.map_key), Arc::clone(&self.value), self.expiries.is_some());
        let mut rows = std::mem::replace(self, empty);
        (std::mem::take(&mut rows.slots), Box::new(rows))
    }
}
