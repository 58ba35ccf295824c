//! The same jobs, written by hand on other ground.

pub mod bids;
pub mod plain_loop;
#[cfg(feature = "renoir")]
pub mod renoir;
pub mod timely;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::work::keyed_sum::Keys;

/// Whose ground.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Peer {
    /// One thread, one hash map.
    Loop,
    /// Query 0 of Nexmark, a loop on each thread.
    Bids,
    /// Timely dataflow without anything.
    Timely,
    /// The renoir crate.
    Renoir,
}

/// The keyed running sum on somebody else's ground, or query 0 of Nexmark.
#[derive(Parser)]
pub struct Options {
    #[arg(value_enum)]
    peer: Peer,
    /// Records to make
    #[arg(long)]
    records: u64,
    /// Keys among them; bids have their own
    #[arg(long, required_if_eq_any([("peer", "loop"), ("peer", "timely"), ("peer", "renoir")]))]
    keys: Option<u64>,
    /// What they look like
    #[arg(long, value_enum, default_value = "numbers")]
    shape: Shape,
    /// Threads
    #[arg(short, long, default_value_t = 2)]
    parallelism: usize,
}

impl Options {
    fn keys(&self) -> Keys {
        let keys = self.keys.unwrap_or_default();
        Keys { all: keys, hot: keys }
    }
}

/// What a record looks like.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shape {
    /// A number and a number.
    Numbers,
    /// A text and a struct.
    Texts,
}

/// Runs the peer that the first argument names.
pub fn main(arguments: &[String]) -> ExitCode {
    let options = Options::parse_from(std::iter::once("peer".to_owned()).chain(arguments.iter().cloned()));
    match options.peer {
        Peer::Loop => plain_loop::run(&options),
        Peer::Bids => bids::run(&options),
        Peer::Timely => timely::run(&options),
        #[cfg(feature = "renoir")]
        Peer::Renoir => renoir::run(&options),
        #[cfg(not(feature = "renoir"))]
        Peer::Renoir => {
            eprintln!("this binary was built without the feature 'renoir'");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
