//! Stores of snapshots: looking into them, keeping what matters, carrying it elsewhere, cleaning up.
//!
//! No job needs to run. Each command is a file, thin over `millpond_snapshot::repository`: it asks, and puts the
//! answer into words or JSON.

mod answer;
mod collect;
mod command;
mod copy;
mod diff;
mod edit;
mod export;
mod graph;
mod list;
mod marks;
mod place;
mod positions;
mod query;
mod remove;
mod rows;
mod show;
mod summary;
mod tags;
mod thin;
mod tree;
mod types;
mod verify;
mod words;

pub(crate) use command::Command;
