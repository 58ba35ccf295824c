//! The job of the guide, without the rule that its versions differ in.
//!
//! ```text
//! flights/*.csv ──▶ source 'flights' ──▶ by carrier ──▶ fold 'by-carrier' ──▶ files 'results'
//! ```

#[allow(dead_code, reason = "shared with another example, which needs all of it")]
#[path = "../flights/flight.rs"]
mod flight;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use millpond::{Data, Env, Error, FileSink, Files, Program, WatermarkStrategy};
use serde::{Deserialize, Serialize};

pub(crate) use flight::Flight;

/// What this job can be told, besides what every job can.
#[derive(Args, Clone, Debug)]
struct Options {
    /// A directory of CSV files with the columns of examples/data/flights-2013-01.csv; new files, and what is appended to
    /// them, are read until the job is stopped
    #[arg(long, value_name = "DIR", default_value = "flights")]
    input: PathBuf,
    /// Where the files were when the snapshot was taken, if they stand elsewhere now
    #[arg(long, value_name = "DIR")]
    moved_from: Option<PathBuf>,
    /// Where results go
    #[arg(long, value_name = "DIR", default_value = "delays-output")]
    output: PathBuf,
    /// From how many minutes on a departure is late
    #[arg(long, value_name = "MINUTES", default_value_t = 15, allow_negative_numbers = true)]
    late_after: i32,
}

/// What a version counts of a carrier: the state of the job.
pub(crate) trait Count: Data + Default {
    /// Counts a flight; a departure is late from `late_after` minutes on.
    fn add(&mut self, flight: &Flight, late_after: i32);
}

/// A line of the output: what is known of a carrier so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line<C> {
    carrier: String,
    #[serde(flatten)]
    count: C,
}

/// The job. The uids are how the next version finds the state of this one.
fn delays<C: Count>(env: &Env<'_>, options: &Options) -> Result<(), Error> {
    let late_after = options.late_after;
    let mut files = Files::csv::<Flight>([&options.input]).only([".csv"]).follow(true);
    if let Some(before) = &options.moved_from {
        files = files.moved(before, &options.input);
    }
    env.source(files, WatermarkStrategy::none())
        .uid("flights")
        .key_by(|flight| flight.carrier.clone())
        .fold(move |count: &mut C, flight| count.add(flight, late_after))
        .uid("by-carrier")
        .map_owned(|(carrier, count)| Line { carrier, count })
        .sink(FileSink::json_lines(&options.output).follow_history(true))
        .uid("results");
    Ok(())
}

/// The program of a version. All have the same name: they are one job, that goes on.
pub(crate) fn main<C: Count>() -> ExitCode {
    Program::new("delays", delays::<C>).about("Counts late departures from New York by carrier").main()
}
