//! State: what operators remember, and how it gets into a snapshot and back.
//!
//! * [`descriptor`]: how a state is declared, and what a plan knows of it.
//! * [`keys`]: one [table](slot_table) an operator from key to *slot*; each record is looked up once, whatever states it
//!   touches.
//! * [`tracker`]: which entries changed in which epoch. A freeze is a mark, not a copy. [`walk`]: how everything is copied, in [`stretches`].
//! * [`value`], [`map`], [`timers`]: the [stores](store), each indexed by slot, which hear from a [`cursor`] at which key the
//!   operator is. Lists, reducing and aggregating states are
//!   values with a hand to hold them ([`handles`]).
//! * [`slabs`]: a list that grows without moving what it has; the stores and what is copied of them are made of it.
//! * [`calendar`]: when timers are due, and whose they are.
//! * [`sorted`]: a sorted map that mostly has a few entries: what a map state has of a key.
//! * [`operator`]: state of an operator that belongs to no key.
//! * [`rows`]: frozen rows on their way into a chunk, and their [`order`] there; [`codec`]: between Rust values and Arrow columns.
//! * [`keyed`]: all the keyed states of one subtask together: freeze, copy in slices, restore.
//! * [`evolution`]: state of an older program: what fits, what is read how.
//! * [`spill`]: keys on disk, if there are more than memory holds.
//! * [`setup`]: what a process function declares its states with.

mod calendar;
pub(crate) mod codec;
pub(crate) mod cursor;
pub(crate) mod descriptor;
pub(crate) mod evolution;
pub(crate) mod handles;
pub(crate) mod keyed;
pub(crate) mod keys;
pub(crate) mod map;
pub(crate) mod operator;
pub(crate) mod order;
pub(crate) mod rows;
pub(crate) mod setup;
pub(crate) mod slabs;
pub(crate) mod slot_table;
pub(crate) mod sorted;
pub(crate) mod spill;
pub(crate) mod store;
mod stretches;
pub(crate) mod timers;
#[cfg(test)]
mod timers_tests;
pub(crate) mod tracker;
pub(crate) mod value;
mod walk;
