//! What every keyed state does for the operator that has it.

use std::cell::RefCell;
use std::rc::Rc;

use arrow_array::RecordBatch;

use super::descriptor::StateDeclaration;
use super::evolution::{Outcome, Trouble};
use super::rows::Rows;
use super::slabs::Slabs;
use super::slot_table::{Slot, Stop};
use super::spill::part::SpilledRows;
use super::spill::row::Victims;
use super::tracker::Extent;
use crate::error::Error;

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
