//! `millpond snapshots edit`

mod command;
mod keys;
mod names;
mod report;

pub(super) use command::Edit;
