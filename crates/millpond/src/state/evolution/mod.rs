//! State of an older program taken up by a newer one: what is decided before anything runs, and how rows are then read.
//!
//! Decided on shapes ([`compare`]), by field name, and never by trying whether a value happens to decode. See
//! `docs/evolution.md` for the rules, and decision 15 for the reasons.

pub(crate) mod compare;
pub(crate) mod decide;

pub(crate) use decide::{Reading, Side, Sides, decide};
