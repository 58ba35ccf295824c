//! The keyed states of a subtask whose keys are not all resident: faulting in, eviction, and what a snapshot takes of it.

use std::sync::Arc;

use millpond_snapshot::hash::HashRange;

use super::backend::SpillSetting;
use super::evicted::Spill;
use super::pack::{pack, unpack};
use super::part::{PackedSet, Source, SpilledPart};
use super::row::{self, Header};
use super::table::Table;
use crate::error::Error;
use crate::state::codec::StateValue;
use crate::state::keyed::KeyedStates;
use crate::state::slot_table::Slot;
use crate::state::slot_table::VACANT;
use crate::state::tracker::Extent;
use crate::time::EventTime;

/// Keys that are faulted in together because their timers are due.
const DUE_KEYS: usize = 1024;

/// For so many leaves that are written because of victims, one is looked at for waste.
const LEAVES_A_SWEEP: usize = 8;
/// Appends a key as it stands on disk.
fn put_key<K: StateValue>(hash: u64, key: &K, to: &mut Vec<u8>) -> Result<(), Error> {
    to.extend_from_slice(&hash.to_be_bytes());
    pack(key, to)
}

impl<K: StateValue + Eq> KeyedStates<K> {
    /// Lets keys be evicted, which are all of a `range`.
    pub(crate) fn spill_to(&mut self, setting: Option<&SpillSetting>, range: HashRange) {
        self.spill = setting.map(|setting| Box::new(Spill::new(setting, &self.states, range)));
    }

    /// Finds the slots of all keys of a batch, with what is known of them.
    #[inline]
    pub(crate) fn look_up<'k>(
        &mut self,
        keys: impl Iterator<Item = (u64, &'k K)> + Clone,
        slots: &mut Vec<Slot>,
    ) -> Result<(), Error>
    where
        K: 'k,
    {
        if self.spill.is_none() {
            self.shorten();
            self.find(keys, slots);
            return Ok(());
        }
        self.bring(keys.clone(), slots)?;
        for (slot, (hash, key)) in slots.iter_mut().zip(keys) {
            if *slot == VACANT {
                // Nothing is known of it, and it is forgotten again if it gets nothing.
                (*slot, _) = self.keys.slot(hash, key);
                self.cursor.emptied(*slot);
            }
        }
        Ok(())
    }

    /// Makes resident what is known of these keys.
    pub(crate) fn fault_in<'k>(&mut self, keys: impl Iterator<Item = (u64, &'k K)>) -> Result<(), Error>
    where
        K: 'k,
    {
        if self.spill.is_some() { self.bring(keys, &mut Vec::new()) } else { Ok(()) }
    }

    /// Makes resident what is known of these keys, and says where they are; [`VACANT`] if nothing is known.
    fn bring<'k>(&mut self, keys: impl Iterator<Item = (u64, &'k K)>, slots: &mut Vec<Slot>) -> Result<(), Error>
    where
        K: 'k,
    {
        let Some(spill) = self.spill.as_deref_mut() else { return Ok(()) };
        slots.clear();
        let mut missing = Vec::new();
        for (place, (hash, key)) in keys.enumerate() {
            let slot = self.keys.find(hash, key);
            match slot {
                Some(slot) => spill.residents.touch(slot, hash),
                None => missing.push((hash, place, key)),
            }
            slots.push(slot.unwrap_or(VACANT));
        }
        if spill.rows.is_none() {
            return Ok(());
        }
        // Neighbours on disk are looked for one after the other.
        missing.sort_unstable_by_key(|(hash, ..)| *hash);
        let mut last = None;
        for (hash, place, key) in missing {
            // A batch may have a key twice.
            let twice = last.replace(hash) == Some(hash);
            let slot = if twice { self.keys.find(hash, key) } else { None };
            let slot = if slot.is_some() { slot } else { self.fault_in_one(hash, key)? };
            slots[place] = slot.unwrap_or(VACANT);
        }
        Ok(())
    }

    /// The same for one key that is not resident.
    fn fault_in_one(&mut self, hash: u64, key: &K) -> Result<Option<Slot>, Error> {
        let Some(spill) = self.spill.as_deref_mut() else { return Ok(None) };
        let Spill { rows, key: packed, residents, generation, .. } = spill;
        let Some(rows) = rows else { return Ok(None) };
        packed.clear();
        put_key(hash, key, packed)?;
        let Some(row) = rows.get(packed)? else { return Ok(None) };
        let header = Header::read(row)?;
        let fresh = header.is_fresh(*generation);
        // A tombstone that the next snapshot is to have must come along, as the next row will count in this one's place.
        if !(header.is_live() || fresh) {
            return Ok(None);
        }
        let (slot, _) = self.keys.slot(hash, key);
        let (mut sections, mut entries) = (header.sections, 0);
        for state in &self.states {
            let section = row::section(&mut sections)?;
            if !section.is_empty() {
                entries += state.store.borrow_mut().fault_in(slot, section, fresh)?;
            }
        }
        residents.faulted_in(slot, hash, entries);
        Ok(Some(slot))
    }

    /// Notes that the keys in these slots are there.
    pub(in crate::state) fn note_residents(&mut self, slots: &[Slot]) {
        if let Some(spill) = self.spill.as_deref_mut() {
            slots.iter().for_each(|slot| spill.residents.touch(*slot, self.keys.hash(*slot)));
        }
    }

    /// Looks whether more keys are resident than may be. To be called between batches.
    pub(crate) fn is_crowded(&mut self) -> bool {
        let Some(spill) = self.spill.as_deref_mut() else { return false };
        let (states, rows, timers) = (&self.states, &spill.rows, &spill.timers);
        let pinned = || {
            let timers = timers.iter().map(|(_, index)| index.pinned()).sum::<usize>();
            timers + rows.as_ref().map_or(0, Table::pinned)
        };
        let weight = |slot| {
            // The key, what the table of keys has of it, and what is known of residents.
            let key = size_of::<K>() + super::pack::heap(self.keys.key(slot)) + 24;
            key + states.iter().map(|state| state.store.borrow().weight(slot)).sum::<usize>()
        };
        spill.residents.learn(&self.keys, pinned, weight);
        spill.residents.is_over(self.keys.len())
    }

    /// Evicts keys that have not been used lately, as many as are too many, within bounds. Not while a snapshot is copied.
    /// Says whether it has found any.
    pub(crate) fn evict(&mut self) -> Result<bool, Error> {
        debug_assert!(!self.is_copying(), "the copy needs the slots");
        let Some(spill) = self.spill.as_deref_mut() else { return Ok(false) };
        let victims = &mut spill.victims;
        victims.clear();
        spill.residents.choose(&self.keys, |slot| victims.add(slot));
        for state in &self.states {
            state.store.borrow_mut().evict(victims)?;
        }
        self.write_rows()?;
        self.write_timers()?;
        let Some(spill) = self.spill.as_deref_mut() else { return Ok(false) };
        for slot in &spill.victims.slots {
            self.cursor.forget_tombstone(*slot);
            self.keys.release(*slot, false);
            spill.residents.left(*slot);
        }
        Ok(!spill.victims.slots.is_empty())
    }

    /// Writes the rows of the victims, but for those that stand on disk as they are.
    fn write_rows(&mut self) -> Result<(), Error> {
        let Some(spill) = self.spill.as_deref_mut() else { return Ok(()) };
        let Spill { setting, rows, keys_on_disk, changes, residents, victims, may_waste, buffer, .. } = spill;
        let (generation, now) = (spill.generation, self.cursor.now());
        let mut order: Vec<(u64, u32)> = Vec::with_capacity(victims.slots.len());
        for (place, slot) in victims.slots.iter().enumerate() {
            let facts = victims.facts[place];
            let needless = match residents.row(*slot) {
                Some(entries) => !facts.changed && facts.stored && facts.live == entries,
                None => !facts.changed && facts.live == 0,
            };
            if !needless {
                order.push((self.keys.hash(*slot), place as u32));
            }
        }
        if order.is_empty() {
            return Ok(());
        }
        // Neighbours on disk are written one after the other.
        order.sort_unstable();
        buffer.clear();
        let mut ends = Vec::with_capacity(order.len());
        for (hash, place) in order {
            let (place, slot) = (place as usize, victims.slots[place as usize]);
            let start = buffer.len();
            put_key(hash, self.keys.key(slot), buffer)?;
            let middle = buffer.len();
            let facts = victims.facts[place];
            *may_waste |= facts.live == 0 || facts.expires_at != i64::MAX;
            match (residents.has_row(slot), facts.live > 0) {
                (false, true) => *keys_on_disk += 1,
                (true, false) => *keys_on_disk = keys_on_disk.saturating_sub(1),
                _ => {}
            }
            if facts.live > 0 || facts.changed {
                victims.put_row(place, generation, buffer);
            }
            if u32::try_from(buffer.len() - middle).is_err() {
                return Err(Error::job(
                    "a key has more than 4 GiB of state, which cannot be put on disk: divide it",
                ));
            }
            if facts.changed {
                changes.push(&buffer[start..middle], &buffer[middle..])?;
            }
            ends.push((start, middle, buffer.len()));
        }
        // Only keys with one hash are not in order by now.
        ends.sort_by(|a, b| buffer[a.0..a.1].cmp(&buffer[b.0..b.1]));
        let rows = match rows {
            Some(rows) => rows,
            none => none.insert(Table::create(&setting.scratch)?),
        };
        let row = |(start, middle, end): &(usize, usize, usize)| {
            // Without a row there is nothing to say but that the key is gone.
            (&buffer[*start..*middle], (middle < end).then(|| &buffer[*middle..*end]))
        };
        let may_waste = *may_waste;
        // What cannot be read is found when it is needed.
        let waste = |row: &[u8]| may_waste && Header::read(row).is_ok_and(|row| row.is_waste(generation, now));
        let leaves = rows.write(ends.iter().map(row), waste)?;
        if may_waste {
            rows.sweep(leaves / LEAVES_A_SWEEP + 1, waste)?;
        }
        Ok(())
    }

    /// Writes down when the timers of the victims are due.
    fn write_timers(&mut self) -> Result<(), Error> {
        let Some(spill) = self.spill.as_deref_mut() else { return Ok(()) };
        let Spill { timers, victims, .. } = spill;
        for (state, index) in timers {
            let mut hints = Vec::new();
            for (_, time, place) in victims.timers.iter().filter(|(of, ..)| of == state) {
                let slot = victims.slots[*place];
                let mut key = Vec::new();
                put_key(self.keys.hash(slot), self.keys.key(slot), &mut key)?;
                hints.push((*time, key));
            }
            index.add(hints.into_iter())?;
        }
        Ok(())
    }

    /// Makes the next keys resident whose timers of `clock` (the number of the timer state among those) are due at `now`.
    /// Gives the moment up to which timers may fire, and whether there is more to do after that.
    pub(crate) fn fault_in_due(&mut self, clock: usize, now: EventTime) -> Result<(EventTime, bool), Error> {
        let Some((_, index)) = self.spill.as_deref_mut().and_then(|spill| spill.timers.get_mut(clock)) else {
            return Ok((now, false));
        };
        let due = index.due(now.as_millis(), DUE_KEYS)?;
        let mut keys = Vec::with_capacity(due.keys.len());
        for (hash, packed) in due.keys {
            keys.push((hash, unpack::<K>(&mut packed.as_slice())?));
        }
        self.fault_in(keys.iter().map(|(hash, key)| (*hash, key)))?;
        Ok(due.up_to.map_or((now, false), |up_to| (EventTime::from_millis(up_to), true)))
    }

    /// When the first timer of `clock` is due that an evicted key has.
    pub(crate) fn next_due(&self, clock: usize) -> Option<EventTime> {
        let (_, index) = self.spill.as_ref()?.timers.get(clock)?;
        index.next().map(EventTime::from_millis)
    }

    /// How many rows are on disk.
    #[cfg(test)]
    pub(in crate::state) fn rows_on_disk(&mut self) -> usize {
        let Some(mut rows) = self.spill.as_mut().and_then(|spill| Some(spill.rows.as_mut()?.snapshot())) else {
            return 0;
        };
        std::iter::from_fn(|| rows.next().unwrap().map(|_| ())).count()
    }

    /// Whether keys may be evicted at all.
    pub(crate) fn spills(&self) -> bool {
        self.spill.is_some()
    }

    /// Whether something is on disk.
    fn has_spilled(&self) -> bool {
        self.spill.as_ref().is_some_and(|spill| spill.rows.is_some())
    }

    /// Whether a snapshot takes everything because much the same has changed, where some of it is on disk.
    pub(in crate::state) fn is_mostly_changed(&self) -> bool {
        let resident = self.keys.len();
        self.spill.as_ref().is_some_and(|spill| spill.rows.is_some() && spill.is_mostly_changed(resident))
    }

    /// What the stores are to take into a snapshot, given whether it must be `everything`. Where there is something on disk
    /// they may not decide that for themselves.
    pub(in crate::state) fn extent(&self, everything: bool) -> Extent {
        match (everything, self.has_spilled()) {
            (true, _) => Extent::Everything,
            (false, true) => Extent::Changes,
            (false, false) => Extent::Cheaper,
        }
    }

    /// What the snapshot takes of evicted keys. Before the stores are frozen.
    pub(in crate::state) fn freeze_spilled(&mut self, everything: bool) -> Result<Option<SpilledPart>, Error> {
        let Some(spill) = self.spill.as_deref_mut() else { return Ok(None) };
        spill.next_generation();
        let changed = spill.changes.len() + self.keys.len();
        let (then, since) = spill.last_everything;
        spill.last_everything = if everything { (spill.keys_on_disk, 0) } else { (then, since + changed) };
        let changes = spill.changes.take()?;
        let Some(rows) = &mut spill.rows else { return Ok(None) };
        let source = if everything {
            let mut residents = PackedSet::default();
            for slot in self.keys.slots() {
                residents.add(|bytes| put_key(self.keys.hash(slot), self.keys.key(slot), bytes))?;
            }
            Source::Everything { rows: rows.snapshot(), residents }
        } else {
            let Some(changes) = changes else { return Ok(None) };
            Source::Changes(changes)
        };
        let states = self.states.iter().map(|state| state.store.borrow().spilled_rows()).collect();
        Ok(Some(SpilledPart::new::<K>(source, states, Arc::clone(&self.key_field))))
    }

    /// What has been restored is no change.
    pub(in crate::state) fn settle_spilled(&mut self) -> Result<(), Error> {
        if let Some(spill) = self.spill.as_deref_mut() {
            spill.next_generation();
            spill.changes.take()?;
        }
        Ok(())
    }
}
