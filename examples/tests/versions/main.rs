//! Old program, new program, snapshot in between: for each change to a program, what `check` says of it, and that `run`
//! does just that. Real processes of a program in many [versions](../program/main.rs); what they put out is compared with
//! what the numbers amount to by hand.
//!
//! * [`scene`]: a directory with a store, an input and an output; the programs that are run in it.
//! * [`change`]: from one version to another: what is asked, what must come of it.
//! * [`expected`]: what a version puts out, from the numbers alone.
//! * the rest: the changes, by what changes.

mod change;
mod expected;
mod scene;

mod keys;
mod kinds;
mod nested;
mod operators;
mod refused;
mod stopped;
mod values;
mod variants;

#[allow(dead_code, reason = "shared with the tests of another example")]
#[path = "../flights/support/mod.rs"]
mod support;
