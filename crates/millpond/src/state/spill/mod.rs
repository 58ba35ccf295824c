//! State larger than memory: where keys go that have not been needed for a while.
//!
//! The stores of an operator hold the *resident* keys, as they do when all state is in memory. With
//! `--state-backend disk` a key that has not been used lately is *evicted*: all that its states have is written to one
//! *row* on disk, and its slot is free. When a record or a timer wants the key, it is *faulted in*, into a slot of its
//! own. What user code sees is the same either way.
//!
//! ```text
//!   batch ──▶ fault in the keys of the batch ──▶ process, as in memory ──▶ evict, if too many are resident
//!                     ▲                                                        │ a batch of victims, sorted
//!                     └────────────── rows, by hash and key ◀──────────────────┤
//!                                                                              │ those that have changed
//!                          a delta of the next snapshot ◀── list of changes ◀──┘
//! ```
//!
//! Rows stand in a sorted table on disk ([`table`]), whose leaves are overwritten in place. A snapshot wants what has changed since the last one, also of keys that were evicted since: that
//! stands, in addition, in a list ([`changes`]) that is set aside at a freeze and read by the writer thread ([`part`]).
//! Changes that are resident follow in a chunk of their own, which counts after it.
//!
//! * [`row`], [`pack`]: what a row says, and how.
//! * [`keyed`]: eviction and faulting in, for all the states of a subtask; [`evicted`]: what it has on disk; [`residents`]: who is evicted, and when.
//! * [`timers`]: timers of evicted keys, by time.
//! * [`leaf`], [`index`], [`extents`]: what a table is made of.
//! * [`backend`], [`scratch`]: what the options ask for; the directory. It is scratch: nothing in it is needed after a crash.

pub(crate) mod backend;
pub(crate) mod changes;
pub(crate) mod evicted;
pub(crate) mod extents;
pub(crate) mod index;
pub(crate) mod keyed;
pub(crate) mod leaf;
pub(crate) mod pack;
pub(crate) mod part;
pub(crate) mod residents;
pub(crate) mod row;
pub(crate) mod scratch;
pub(crate) mod table;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
pub(crate) mod timers;
