//! The keyed running sum.

use clap::{Args, ValueEnum};
use millpond::{Env, Error, Generator, Program, WatermarkStrategy};

use super::tally_sink::TallySink;
use crate::outcome::Tally;
use crate::work::keyed_sum::{Totals, check_pair, check_totals, pair, payment};

/// Splits of the generator; more than any run has workers.
const SPLITS: usize = 8;

/// What a record looks like.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shape {
    /// A number and a number.
    Numbers,
    /// A text and a struct.
    Texts,
}

#[derive(Args)]
pub struct Options {
    /// Records to make [default: no end]
    #[arg(long)]
    records: Option<u64>,
    /// Keys among them
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// What they look like
    #[arg(long, value_enum, default_value = "numbers")]
    shape: Shape,
    /// Records a second [default: as fast as they go]
    #[arg(long)]
    rate: Option<f64>,
}

fn define(env: &Env<'_>, options: &Options, tally: &Tally) -> Result<(), Error> {
    let keys = options.keys;
    match options.shape {
        Shape::Numbers => {
            let records = Generator::new(options.records, SPLITS, move |index| pair(index, keys)).rate(options.rate);
            env.source(records, WatermarkStrategy::none())
                .uid("records")
                .key_by(|(key, _)| *key)
                .sum(|(_, value)| *value)
                .uid("sum")
                .sink(TallySink::new(tally, |(key, sum): &(u64, u64)| check_pair(*key, *sum)))
                .uid("tally");
        }
        Shape::Texts => {
            let records =
                Generator::new(options.records, SPLITS, move |index| payment(index, keys)).rate(options.rate);
            env.source(records, WatermarkStrategy::none())
                .uid("records")
                .key_by(|payment| payment.account.clone())
                .fold(Totals::add)
                .uid("totals")
                .sink(TallySink::new(tally, |(account, totals): &(String, Totals)| check_totals(account, totals)))
                .uid("tally");
        }
    }
    Ok(())
}

/// The program.
pub fn program() -> Program<Options> {
    let tally = Tally::start();
    let sink = tally.clone();
    Program::new("keyed-sum", move |env, options| define(env, options, &sink))
        .about("For each record, what all records of its key come to so far")
        .at_end(move |options: &Options, _| tally.outcome(options.records.unwrap_or(0)).print())
}
