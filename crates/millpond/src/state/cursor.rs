//! Where the stores of a subtask hear at which key it is.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use super::slot_table::Slot;
use super::stretches::Stretches;
use super::tracker::Spot;
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
    #[inline]
    pub(super) fn spot(&self) -> Spot {
        self.stretches.get().spot(self.hash.get())
    }
    /// Moves to a key. Its hash counts only while a snapshot is copied.
    #[inline]
    pub(super) fn select(&self, slot: Slot, hash: u64) {
        self.slot.set(slot);
        self.hash.set(hash);
    }
    #[inline]
    pub(super) fn stretches(&self) -> Stretches {
        self.stretches.get()
    }
    /// Says what the snapshot is divided into whose copy begins.
    pub(super) fn set_stretches(&self, stretches: Stretches) {
        self.stretches.set(stretches);
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
    #[inline]
    pub(super) fn has_tombstone(&self, slot: Slot) -> bool {
        self.tombstoned.borrow().contains(&slot)
    }
    pub(super) fn forget_tombstones(&self) {
        self.tombstoned.borrow_mut().clear();
    }
    #[inline]
    pub(super) fn has_emptied(&self) -> bool {
        !self.emptied.borrow().is_empty()
    }
    /// The slots that may have nothing left, each perhaps more than once.
    pub(super) fn take_emptied(&self) -> Vec<Slot> {
        self.emptied.take()
    }
    /// Takes the list back, for its room. Nothing has been emptied meanwhile.
    pub(super) fn give_back(&self, emptied: Vec<Slot>) {
        self.emptied.replace(emptied);
    }
    pub(super) fn forget_emptied(&self) {
        self.emptied.borrow_mut().clear();
    }
}
