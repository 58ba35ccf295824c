//! The commands, and the runtime that they share.

use clap::Subcommand;
use tokio::runtime::Builder;

use super::{collect, copy, diff, edit, export, graph, list, query, remove, show, tags, thin, verify};
use crate::failure::Failure;

/// What can be done with a store of snapshots; the help of each stands with it.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "list")]
    Ls(list::List),
    Show(show::Show),
    Diff(diff::Diff),
    Query(query::Query),
    Graph(graph::Graph),
    Tag(tags::Tag),
    Untag(tags::Untag),
    Pin(tags::Pin),
    Unpin(tags::Unpin),
    Verify(verify::Verify),
    Export(export::Export),
    Copy(copy::Copy),
    Edit(edit::Edit),
    Rm(remove::Remove),
    Thin(thin::Thin),
    Gc(collect::Collect),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        Builder::new_multi_thread().enable_all().build().map_err(Failure::Threads)?.block_on(async {
            match self {
                Command::Ls(command) => command.run().await,
                Command::Show(command) => command.run().await,
                Command::Diff(command) => command.run().await,
                Command::Query(command) => command.run().await,
                Command::Graph(command) => command.run().await,
                Command::Tag(command) => command.run().await,
                Command::Untag(command) => command.run().await,
                Command::Pin(command) => command.run().await,
                Command::Unpin(command) => command.run().await,
                Command::Verify(command) => command.run().await,
                Command::Export(command) => command.run().await,
                Command::Copy(command) => command.run().await,
                Command::Edit(command) => command.run().await,
                Command::Rm(command) => command.run().await,
                Command::Thin(command) => command.run().await,
                Command::Gc(command) => command.run().await,
            }
        })
    }
}
