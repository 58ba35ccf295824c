//! All the keyed states of one subtask together.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{Array, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::FieldRef;
use millpond_snapshot::hash::{HashRange, key_hash};

use super::codec::{self, StateValue};
use super::descriptor::StateDeclaration;
use super::evolution::{Outcome, Trouble, Values};
use super::keys::{KeyTable, Slot};
use super::rows::{KeyColumns, KeyedRows, Rows};
use super::slabs::{Slabs, Spare};
use super::slot_table::Stop;
use super::spill::keyed::Spill;
use super::spill::part::{SpilledPart, SpilledRows};
use super::spill::row::Victims;
use super::tracker::{Extent, Spot};
use super::walk::{STRETCH_KEYS, Stretches, Walk};
use crate::error::Error;
use crate::time::EventTime;

/// Where a subtask is: at which key, and when.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    slot: Cell<Slot>,
    /// The hash of that key; while a snapshot is copied.
    hash: Cell<u64>,
    /// What the snapshot being copied is divided into.
    stretches: Cell<Stretches>,
    now: Cell<i64>,
    /// Slots that may have nothing left, each perhaps more than once.
    emptied: RefCell<Vec<Slot>>,
    tombstoned: RefCell<HashSet<Slot>>,
}

impl Cursor {
    /// The slot of the current key.
    #[inline]
    pub(crate) fn slot(&self) -> Slot {
        self.slot.get()
    }
    /// Where the walk of the snapshot being copied comes to the current key.
    pub(super) fn spot(&self) -> Spot {
        self.stretches.get().spot(self.hash.get())
    }
    /// Processing time in milliseconds since 1970, as of the last poll.
    #[inline]
    pub(crate) fn now(&self) -> i64 {
        self.now.get()
    }
    pub(crate) fn set_now(&self, now: EventTime) {
        self.now.set(now.as_millis());
    }
    /// A store has removed something: perhaps the key in `slot` has nothing left.
    pub(crate) fn emptied(&self, slot: Slot) {
        self.emptied.borrow_mut().push(slot);
    }
    /// The next snapshot will write a tombstone for `slot`, which must keep its key until then.
    pub(crate) fn tombstone(&self, slot: Slot) {
        self.tombstoned.borrow_mut().insert(slot);
    }
    /// The tombstone for `slot` is written elsewhere.
    pub(crate) fn forget_tombstone(&self, slot: Slot) {
        let mut tombstoned = self.tombstoned.borrow_mut();
        // Nearly always.
        if !tombstoned.is_empty() {
            tombstoned.remove(&slot);
        }
    }
}

/// One keyed state of a subtask, whatever its types.
pub(crate) trait Store {
    /// Whether the key in `slot` has anything here.
    fn is_present(&self, slot: Slot) -> bool;
    /// Drops what has expired in `slot`; whether anything is left.
    fn sweep(&mut self, slot: Slot) -> bool;
    /// Reads a little of what is in each of `slots`, so that it is near when it is needed.
    fn touch(&self, _slots: &[Slot]) {}
    /// Whether entries can expire.
    fn expires(&self) -> bool;
    /// Forgets what has changed if there is much more of that than there are entries: the next snapshot takes everything. `keys`
    /// is how many keys the operator has. Only where all keys are resident.
    fn shorten(&mut self, keys: usize);
    /// Whether a snapshot of this extent takes everything. `keys` is how many keys the operator has.
    fn takes_all(&self, extent: Extent, keys: usize) -> bool;
    /// Marks what a snapshot must take: everything, in so many stretches, or what changed, in one.
    fn freeze(&mut self, everything: bool, stretches: usize);
    /// Copies what changed, at most `budget` rows, which is reduced. `true` when nothing is left to copy.
    fn copy_changes(&mut self, budget: &mut usize) -> bool;
    /// Copies what these keys of a stretch have of everything, from where it has come to, at most `budget` rows or hardly more.
    /// `true` when nothing is left to copy of them.
    fn copy_keys(&mut self, stops: &[Stop], stretch: usize, budget: &mut usize) -> bool;
    /// Everything has been copied.
    fn end_walk(&mut self);
    /// The slots of the rows copied so far.
    fn copied(&self, stretch: usize) -> &Slabs<Slot>;
    /// The copied rows.
    fn take_rows(&mut self, stretch: usize) -> Box<dyn Rows>;
    /// Puts rows of a chunk in place.
    fn restore_live(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error>;
    /// Puts rows of an older program in place, read as was decided. Each merge unit comes once, but two may have become one.
    fn restore_evolved(&mut self, slots: &[Slot], batch: &RecordBatch, outcome: &Outcome) -> Result<(), Trouble>;
    /// Removes what the tombstones of a chunk name.
    fn restore_dead(&mut self, slots: &[Slot], batch: &RecordBatch) -> Result<(), Error>;
    /// About how many bytes of memory the key in `slot` takes here.
    fn weight(&self, slot: Slot) -> usize;
    /// Writes all that the `victims` have here to their rows, and forgets it. Not while a snapshot is copied.
    fn evict(&mut self, victims: &mut Victims) -> Result<(), Error>;
    /// Puts a section that [`Store::evict`] has written in place; says how many entries it has. `fresh`: what changed when it
    /// was written is still to go to a snapshot.
    fn fault_in(&mut self, slot: Slot, section: &[u8], fresh: bool) -> Result<u32, Error>;
    /// What turns sections into rows of a chunk.
    fn spilled_rows(&self) -> Box<dyn SpilledRows>;
}

/// A registered state.
pub(crate) struct Registered {
    pub(crate) declaration: StateDeclaration,
    pub(crate) store: Rc<RefCell<dyn Store>>,
}

/// Slots looked at for expiry in one go.
const SWEEP_SLICE: usize = 256;

/// The keys of a subtask and their states.
pub(crate) struct KeyedStates<K> {
    pub(crate) cursor: Rc<Cursor>,
    pub(super) keys: KeyTable<K>,
    pub(super) states: Vec<Registered>,
    pub(super) key_field: FieldRef,
    /// Keys that are not resident; `None` if all are.
    pub(super) spill: Option<Box<Spill>>,
    /// What the snapshot being copied takes of keys that are not resident.
    spilled: Option<SpilledPart>,
    key_values: Rc<Values<K>>,
    /// States that the next snapshot takes whole, because their old chunks have other columns.
    rewritten: Vec<bool>,
    /// How many keys a stretch of a snapshot has at most.
    pub(super) stretch_keys: usize,
    /// For each state, what the lists of the hashes of its copied rows are made of.
    spare_hashes: Vec<Spare<u64>>,
    /// `None` if no copy is under way.
    copying: Option<Copying>,
    sweep_at: usize,
}

/// A snapshot that is being copied.
struct Copying {
    /// The states of which all is taken, by number.
    walked: Vec<usize>,
    /// Whether that is all there is: nothing is on disk.
    alone: bool,
    /// For each state, the keys of the rows of its changes, or of the stretch at hand.
    keys: Vec<KeyColumns>,
    /// The state whose changes are copied.
    list: usize,
    walk: Walk,
}

impl Copying {
    fn takes_all(&self, state: usize) -> bool {
        self.walked.contains(&state)
    }

    /// Where the rows of a state are: those of its changes are one stretch.
    fn stretch_of(&self, state: usize) -> usize {
        if self.takes_all(state) { self.walk.stretch } else { 0 }
    }
}

/// What has been copied.
pub(crate) enum CopiedRows {
    /// The next stretch of those states that are taken whole, each with its number.
    Stretch(Vec<(usize, KeyedRows)>),
    /// What was left: rows of all states, in the order of their declaration. Of those that are taken whole, the last stretch.
    Rest(Vec<KeyedRows>),
}

/// Keys whose rows are copied between two looks at what is left to do.
const WALKED_TOGETHER: usize = 512;

impl<K: StateValue + Eq> KeyedStates<K> {
    pub(crate) fn new(
        cursor: Rc<Cursor>,
        states: Vec<Registered>,
        key_field: FieldRef,
        key_values: Rc<Values<K>>,
        range: HashRange,
    ) -> Self {
        KeyedStates {
            cursor,
            keys: KeyTable::new(range),
            rewritten: vec![false; states.len()],
            spare_hashes: states.iter().map(|_| Spare::new()).collect(),
            states,
            key_field,
            key_values,
            stretch_keys: STRETCH_KEYS,
            copying: None,
            sweep_at: 0,
            spill: None,
            spilled: None,
        }
    }

    pub(crate) fn declarations(&self) -> impl Iterator<Item = &StateDeclaration> {
        self.states.iter().map(|state| &state.declaration)
    }

    /// Finds the slots of all keys of a batch, and brings what the states have for them near.
    ///
    /// Keys come in no order, so that each look-up waits for memory: for the table, for the key, for what the states have. Done
    /// for all keys together one after the other, with nothing in between that needs the result, the processor has several
    /// of the waits under way at once.
    pub(crate) fn find<'k>(&mut self, keys: impl Iterator<Item = (u64, &'k K)> + Clone, slots: &mut Vec<Slot>)
    where
        K: 'k,
    {
        slots.clear();
        self.keys.guess(keys.clone().map(|(hash, _)| hash), slots);
        self.touch(slots);
        for (slot, (hash, key)) in slots.iter_mut().zip(keys) {
            let (found, new) = self.keys.confirm(*slot, hash, key);
            if new {
                self.cursor.emptied(found);
            }
            *slot = found;
        }
    }

    /// Keeps what the states list of changes from outgrowing what they have. Only where all keys are resident.
    pub(super) fn shorten(&self) {
        for state in &self.states {
            state.store.borrow_mut().shorten(self.keys.len());
        }
    }

    /// Brings what the states have in these slots near.
    pub(crate) fn touch(&self, slots: &[Slot]) {
        for state in &self.states {
            state.store.borrow().touch(slots);
        }
    }

    /// Moves to the key in `slot`, which has this hash.
    #[inline]
    pub(crate) fn select(&self, slot: Slot, hash: u64) {
        self.cursor.slot.set(slot);
        self.cursor.hash.set(hash);
    }

    /// Moves to the key in `slot`, whose hash is not at hand.
    #[inline]
    pub(crate) fn revisit(&self, slot: Slot) {
        self.cursor.slot.set(slot);
        if self.is_copying() {
            self.cursor.hash.set(self.keys.hash(slot));
        }
    }

    /// The key in `slot`.
    #[inline]
    pub(crate) fn key(&self, slot: Slot) -> &K {
        self.keys.key(slot)
    }

    /// Forgets the keys of which nothing is left. To be called after each batch and after timers, when no slot that was found
    /// is needed any more.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if !self.cursor.emptied.borrow().is_empty() {
            self.release_emptied();
        }
    }

    fn release_emptied(&mut self) {
        let mut emptied = self.cursor.emptied.take();
        emptied.sort_unstable();
        emptied.dedup();
        emptied.drain(..).for_each(|slot| self.release_if_empty(slot));
        // For its room: nothing is emptied by releasing.
        self.cursor.emptied.replace(emptied);
    }

    fn release_if_empty(&mut self, slot: Slot) {
        let is_empty = !self.states.iter().any(|state| state.store.borrow().is_present(slot));
        if is_empty {
            let tombstone = self.cursor.tombstoned.borrow().contains(&slot);
            if let Some(spill) = &mut self.spill {
                // It stays until it is evicted. Its row on disk would come back, if nothing said that it is gone; and a tombstone
                // that came after the key was evicted anew would take away what it has then.
                if tombstone || spill.has_row(slot) {
                    return spill.came(slot, self.keys.hash(slot));
                }
                spill.left(slot);
            }
            self.keys.release(slot, tombstone);
        } else if let Some(spill) = &mut self.spill {
            spill.came(slot, self.keys.hash(slot));
        }
    }

    /// Looks for expired entries in the next few slots. Says whether there is anything that can expire.
    pub(crate) fn sweep(&mut self) -> bool {
        if self.keys.len() == 0 || !self.states.iter().any(|state| state.store.borrow().expires()) {
            return false;
        }
        for _ in 0..SWEEP_SLICE.min(self.keys.capacity()) {
            let slot = self.sweep_at as Slot;
            self.sweep_at = (self.sweep_at + 1) % self.keys.capacity();
            self.revisit(slot);
            let mut lost = false;
            for state in &self.states {
                let mut store = state.store.borrow_mut();
                lost |= store.is_present(slot) && !store.sweep(slot);
            }
            if lost {
                self.release_if_empty(slot);
            }
        }
        self.cursor.emptied.borrow_mut().clear();
        true
    }

    /// Marks the snapshot: what changed since the last one, or everything.
    pub(crate) fn freeze(&mut self, everything: bool) -> Result<(), Error> {
        // A row on disk has all states of its key: if one of them must be written whole, all are.
        let rewritten = self.spills() && self.rewritten.contains(&true);
        let everything = everything || rewritten || self.is_mostly_changed();
        let (extent, keys) = (self.extent(everything), self.keys.len());
        self.spilled = self.freeze_spilled(everything)?;
        self.cursor.tombstoned.borrow_mut().clear();
        self.keys.freeze();
        // What is resident comes on top of what is not: it is everything only if it is all there is.
        let alone = self.spilled.is_none();
        let places = self.keys.places();
        let stretches =
            if alone { Stretches::of(places, keys, self.stretch_keys) } else { Stretches::one(places) };
        self.cursor.stretches.set(stretches);
        let mut walked = Vec::new();
        for (number, (state, rewritten)) in self.states.iter().zip(&mut self.rewritten).enumerate() {
            let extent = if std::mem::take(rewritten) { Extent::Everything } else { extent };
            let mut store = state.store.borrow_mut();
            let everything = store.takes_all(extent, keys);
            store.freeze(everything, if everything { stretches.count() } else { 1 });
            walked.extend(everything.then_some(number));
        }
        let mut walk = Walk::default();
        if !walked.is_empty() {
            walk.begin(0, stretches, &self.keys);
        }
        let keys = (0..self.states.len()).map(|state| self.key_columns(state)).collect();
        self.copying = Some(Copying { walked, alone, keys, list: 0, walk });
        Ok(())
    }

    fn key_columns(&self, state: usize) -> KeyColumns {
        KeyColumns::new(Arc::clone(&self.key_field), self.spare_hashes[state].list())
    }

    /// What the snapshot that has just been copied takes of keys that are not resident. It comes before what was copied.
    pub(crate) fn take_spilled(&mut self) -> Option<SpilledPart> {
        self.spilled.take()
    }

    /// How many keys are in memory.
    pub(crate) fn resident(&self) -> usize {
        self.keys.len()
    }

    /// Evicts keys until no more are resident than may be.
    fn make_room(&mut self) -> Result<(), Error> {
        while self.is_crowded() && self.evict()? {}
        Ok(())
    }

    /// Whether a copy is under way.
    pub(crate) fn is_copying(&self) -> bool {
        self.copying.is_some()
    }

    /// Copies at most `budget` rows, or hardly more; gives what has been copied when something is complete.
    pub(crate) fn copy_slice(&mut self, mut budget: usize) -> Option<CopiedRows> {
        let mut copying = self.copying.take()?;
        let copied = self.copy_some(&mut copying, &mut budget);
        match copied {
            Some(CopiedRows::Rest(_)) => self.keys.thaw(),
            _ => self.copying = Some(copying),
        }
        copied
    }

    fn copy_some(&self, copying: &mut Copying, budget: &mut usize) -> Option<CopiedRows> {
        while copying.list < self.states.len() {
            let list = copying.list;
            if !copying.takes_all(list) {
                let done = self.states[list].store.borrow_mut().copy_changes(budget);
                self.copy_their_keys(copying, list, done);
                if !done {
                    return None;
                }
            }
            copying.list += 1;
        }
        let stretches = self.cursor.stretches.get();
        while !copying.walked.is_empty() {
            let Copying { walked, walk: Walk { stretch, stops, near, at }, .. } = copying;
            for state in &walked[*at..] {
                let mut store = self.states[*state].store.borrow_mut();
                if !store.copy_keys(&stops[near.clone()], *stretch, budget) {
                    return None;
                }
                *at += 1;
            }
            if near.end < stops.len() {
                if *budget == 0 {
                    return None;
                }
                *near = near.end..(near.end + WALKED_TOGETHER.min(*budget)).min(stops.len());
                *at = 0;
                (0..walked.len()).for_each(|at| self.copy_their_keys(copying, copying.walked[at], false));
                continue;
            }
            if *stretch + 1 == stretches.count() {
                break;
            }
            let rows = (0..walked.len()).map(|at| {
                let state = copying.walked[at];
                (state, self.take_rows(copying, state))
            });
            let rows = rows.collect();
            copying.walk.begin(copying.walk.stretch + 1, stretches, &self.keys);
            return Some(CopiedRows::Stretch(rows));
        }
        copying.walked.iter().for_each(|state| self.states[*state].store.borrow_mut().end_walk());
        Some(CopiedRows::Rest((0..self.states.len()).map(|state| self.take_rows(copying, state)).collect()))
    }

    /// Takes the keys of the rows of a state that have been copied since the last time, in slices too.
    fn copy_their_keys(&self, copying: &mut Copying, state: usize, all: bool) {
        let stretch = copying.stretch_of(state);
        copying.keys[state].extend(self.states[state].store.borrow().copied(stretch), &self.keys, all);
    }

    /// Takes out the rows of a state: of its changes, or of the stretch at hand.
    fn take_rows(&self, copying: &mut Copying, state: usize) -> KeyedRows {
        self.copy_their_keys(copying, state, true);
        let stretch = copying.stretch_of(state);
        KeyedRows {
            keys: Box::new(std::mem::replace(&mut copying.keys[state], self.key_columns(state))),
            rows: self.states[state].store.borrow_mut().take_rows(stretch),
            whole: copying.takes_all(state) && copying.alone,
        }
    }

    /// Puts the rows of a batch of state number `state` in place: live rows are set, tombstones remove.
    pub(crate) fn restore(&mut self, state: usize, batch: &RecordBatch) -> Result<(), Error> {
        let deleted =
            batch.column_by_name("deleted").and_then(|column| column.as_any().downcast_ref::<BooleanArray>());
        // A base has no tombstones, and no column for them.
        let Some(deleted) = deleted.filter(|deleted| deleted.true_count() > 0) else {
            return self.restore_rows(state, batch, |store, slots, rows| store.restore_live(slots, rows));
        };
        // Tombstones sort before the rows of the same key, so doing them first keeps the order.
        let kept = BooleanArray::new(!deleted.values(), None);
        let live = arrow_select::filter::filter_record_batch(batch, &kept);
        let dead = arrow_select::filter::filter_record_batch(batch, deleted);
        self.restore_rows(state, &dead.map_err(Error::snapshot)?, |store, slots, rows| {
            store.restore_dead(slots, rows)
        })?;
        self.restore_rows(state, &live.map_err(Error::snapshot)?, |store, slots, rows| {
            store.restore_live(slots, rows)
        })
    }

    fn restore_rows(
        &mut self,
        state: usize,
        batch: &RecordBatch,
        apply: impl FnOnce(&mut dyn Store, &[Slot], &RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let hashes = hash_column(batch)?;
        let keys: Vec<K> = codec::decode_column(batch, "key")?;
        self.fault_in(hashes.values().iter().copied().zip(&keys))?;
        // What is evicted frees its slot.
        let spills = self.spills();
        let mut slots = Vec::with_capacity(keys.len());
        for (hash, key) in hashes.values().iter().zip(&keys) {
            is_as_stored(key, *hash).map_err(Error::snapshot)?;
            slots.push(if spills { self.keys.slot(*hash, key).0 } else { self.keys.restored_slot(*hash, key) });
        }
        self.note_residents(&slots);
        let store = Rc::clone(&self.states[state].store);
        apply(&mut *store.borrow_mut(), &slots, batch)?;
        self.make_room()
    }

    /// Notes that state number `state` must be written whole.
    pub(crate) fn rewrite(&mut self, state: usize) {
        self.rewritten[state] = true;
    }

    /// Puts the rows of an older program in place: those whose keys belong into `range`. Says of a row what is wrong with
    /// it by its number in the batch.
    pub(crate) fn restore_evolved(
        &mut self,
        state: usize,
        batch: &RecordBatch,
        outcome: &Outcome,
        range: HashRange,
    ) -> Result<(), Trouble> {
        let (rows, keys) = self.evolved_keys(batch, outcome, range)?;
        let kept: UInt32Array = rows.iter().map(|(row, _)| *row).collect();
        let mine = arrow_select::take::take_record_batch(batch, &kept).map_err(Error::snapshot)?;
        self.fault_in(rows.iter().map(|(_, hash)| *hash).zip(&keys))?;
        self.keys.index();
        let slots: Vec<Slot> =
            rows.iter().zip(&keys).map(|((_, hash), key)| self.keys.slot(*hash, key).0).collect();
        self.note_residents(&slots);
        let store = Rc::clone(&self.states[state].store);
        let in_batch = |row: usize| rows[row].0 as usize;
        store.borrow_mut().restore_evolved(&slots, &mine, outcome).map_err(|trouble| match trouble {
            Trouble::Row(row, why) => Trouble::Row(in_batch(row), why),
            Trouble::Collision(row) => Trouble::Collision(in_batch(row)),
            other @ Trouble::Other(_) => other,
        })?;
        Ok(self.make_room()?)
    }

    /// The rows of a batch whose keys belong into `range`, each with its hash, and those keys.
    #[expect(clippy::type_complexity, reason = "two lists that go together, for one caller")]
    fn evolved_keys(
        &self,
        batch: &RecordBatch,
        outcome: &Outcome,
        range: HashRange,
    ) -> Result<(Vec<(u32, u64)>, Vec<K>), Trouble> {
        let keys = self.key_values.read(batch, "key", outcome.key)?;
        // Where no key moves, only the rows of this range were read.
        let stored = if outcome.moves { None } else { Some(hash_column(batch)?) };
        let (mut rows, mut mine) = (Vec::new(), Vec::new());
        for (row, key) in keys.into_iter().enumerate() {
            let hash = match stored {
                Some(stored) => is_as_stored(&key, stored.value(row)).map(|()| stored.value(row)),
                None => key_hash(&key).map_err(|error| error.to_string()),
            };
            let hash = hash.map_err(|why| Trouble::Row(row, why))?;
            if range.contains(hash) {
                // A batch has some thousand rows.
                rows.push((row as u32, hash));
                mine.push(key);
            }
        }
        Ok((rows, mine))
    }

    /// What the key of a row has become.
    pub(crate) fn evolved_key(&self, batch: &RecordBatch, outcome: &Outcome, row: usize) -> Option<K> {
        self.key_values.read(&batch.slice(row, 1), "key", outcome.key).ok()?.pop()
    }

    /// Forgets keys of which a restore has left nothing.
    pub(crate) fn restored(&mut self) -> Result<(), Error> {
        self.keys.index();
        for slot in self.keys.slots() {
            self.release_if_empty(slot);
        }
        self.cursor.emptied.borrow_mut().clear();
        self.settle_spilled()
    }
}

fn hash_column(batch: &RecordBatch) -> Result<&UInt64Array, Error> {
    batch
        .column_by_name("hash")
        .and_then(|column| column.as_any().downcast_ref::<UInt64Array>())
        .ok_or_else(|| Error::snapshot("a chunk has no column 'hash' of type u64"))
}

/// That a key that was read has the hash that its row has. Whatever types may hide, such as a conversion of the job's own, a
/// record of this key would look for it where its hash is now, and find nothing.
fn is_as_stored<K: StateValue>(key: &K, stored: u64) -> Result<(), String> {
    match key_hash(key) {
        Ok(hash) if hash == stored => Ok(()),
        Ok(hash) => Err(format!(
            "key {} has the hash {hash:016x} in this program, and its row has {stored:016x}: the program writes the key \
             otherwise than the one that took the snapshot, though their types look the same. Give the type of the \
             key another shape, say a struct with a new field name, and turn old keys into new ones with \
             .migrate_key(…)",
            serde_json::to_string(key).unwrap_or_else(|_| "?".to_owned())
        )),
        Err(error) => Err(error.to_string()),
    }
}
