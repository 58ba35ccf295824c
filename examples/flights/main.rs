//! Counts departures from New York: so far by carrier, and hour by hour by origin.
//!
//! ```text
//! cargo run --release --example flights -- run
//! ```
//!
//! The input is in the order in which flights really left, so by their schedule, which is event time here, it is out of
//! order by up to 19 hours. Results are JSON Lines; a file is there once the snapshot that it belongs to is, so it is
//! whole, and nothing is in two of them, whatever happens to the job.

mod flight;
mod results;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millpond::windows::Tumbling;
use millpond::{Env, Error, FileSink, Files, Program, WatermarkStrategy};

use flight::{Flight, Totals};
use results::{CarrierTotals, OriginHour};

/// January 2013; see the README beside it.
const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013-01.csv");

/// What this job can be told, besides what every job can.
#[derive(Args, Clone, Debug)]
struct Options {
    /// A CSV file, or a directory of them, with the columns of the bundled data (may be repeated) [default: the
    /// bundled data]
    #[arg(long, value_name = "FILE|DIR")]
    input: Vec<PathBuf>,
    /// Where results go; what earlier runs of this job left there and this one does not go on from is hidden
    #[arg(long, value_name = "DIR", default_value = "flights-output")]
    output: PathBuf,
    /// Read on when the files grow and when new ones appear, until the job is stopped
    #[arg(long)]
    follow: bool,
    /// Read no faster than this, all workers together
    #[arg(long, value_name = "RECORDS_PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// By how much a departure may stand behind one that was scheduled later
    #[arg(long, value_name = "DURATION", default_value = "48h", value_parser = humantime::parse_duration)]
    out_of_orderness: Duration,
}

/// The job.
fn flights(env: &Env<'_>, options: &Options) -> Result<(), Error> {
    let files =
        Files::csv::<Flight>(inputs(options)).only([".csv", ".csv.gz"]).follow(options.follow).rate(options.rate);
    let departures = WatermarkStrategy::bounded_out_of_orderness(options.out_of_orderness);
    let flights = env.source(files, departures.timestamps(Flight::scheduled)).uid("flights");

    flights
        .clone()
        .key_by(|flight| flight.carrier.clone())
        .fold(Totals::add)
        .uid("carrier-totals")
        .map(CarrierTotals::new)
        .sink(output(options, "carriers"))
        .uid("carriers");

    flights
        .key_by(|flight| flight.origin.clone())
        .window(Tumbling::of(Duration::from_secs(3600)))
        .fold(Totals::add)
        .uid("hourly-origins")
        .map(OriginHour::new)
        .sink(output(options, "hourly"))
        .uid("hourly");
    Ok(())
}

/// What was asked for, or else the bundled data.
fn inputs(options: &Options) -> Vec<PathBuf> {
    if options.input.is_empty() { vec![BUNDLED.into()] } else { options.input.clone() }
}

/// Where one of the two results goes.
fn output(options: &Options, folder: &str) -> FileSink {
    FileSink::json_lines(options.output.join(folder)).follow_history(true)
}

/// More than none, and finite.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a number of records a second, more than 0".to_owned()),
    }
}

fn main() -> ExitCode {
    Program::new("flights", flights)
        .about("Counts departures from New York by carrier, and by origin and hour")
        .at_end(|options: &Options, _| {
            // A closed standard output takes nothing away from the results.
            let _ = results::show(&options.output, std::io::stdout());
        })
        .main()
}
