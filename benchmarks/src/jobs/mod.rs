//! The jobs on Millpond, written as a user would: on the public API, with the command line that every job has.

pub mod keyed_sum;
pub mod nexmark;
mod tally_sink;

use std::process::ExitCode;

/// Runs the job that the first argument names; the others are its command line.
pub fn main(arguments: &[String]) -> ExitCode {
    match arguments.first().map(String::as_str) {
        Some("keyed-sum") => keyed_sum::program().main_from(arguments.iter().map(Into::into)),
        Some("nexmark") => nexmark::program().main_from(arguments.iter().map(Into::into)),
        other => {
            eprintln!("there is no job {other:?}; there are keyed-sum and nexmark");
            ExitCode::FAILURE
        }
    }
}
