//! `millpond snapshots …`, as a process, on stores that the library made.

mod carrying;
mod cleaning;
mod editing;
mod keeping;
mod killed;
mod looking;
mod querying;
mod support;
