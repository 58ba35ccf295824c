//! State of an older program taken up by a newer one: what is decided before anything runs, and how rows are then read.
//!
//! Decided on shapes ([`compare`]), by field name, and never by trying whether a value happens to decode. Rows are then
//! read as was decided ([`values`]), and written whole in the first snapshot after: all chunks of a state have the same
//! columns. See `docs/evolution.md` for the rules, and decision 15 for the reasons.

pub(crate) mod compare;
pub(crate) mod decide;
pub(crate) mod descriptors;
pub(crate) mod forms;
pub(crate) mod values;

pub(crate) use decide::{Outcome, Side, Sides, decide};
pub(crate) use values::{Evolving, Trouble, Values};
