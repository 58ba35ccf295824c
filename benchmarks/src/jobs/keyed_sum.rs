//! The keyed running sum.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use millpond::{Env, Error, FileSink, Generator, Program, Stream, WatermarkStrategy};

use super::tally_sink::TallySink;
use crate::latency::now_micros;
use crate::tally::{Local, Tally, Wanted};
use crate::work::keyed_sum::{Keys, Totals, check_pair, check_totals, pair, payment};

/// Splits of the generator; more than any run has workers.
const SPLITS: usize = 8;

/// What a record looks like.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shape {
    /// A number and a number.
    Numbers,
    /// A text and a struct.
    Texts,
    /// A number and when the record was made.
    Stamped,
}

#[derive(Args)]
pub struct Options {
    /// Records to make [default: no end]
    #[arg(long)]
    records: Option<u64>,
    /// Keys among them
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Once each key was there, only so many are [default: all]
    #[arg(long)]
    hot: Option<u64>,
    /// What they look like
    #[arg(long, value_enum, default_value = "numbers")]
    shape: Shape,
    /// Records a second [default: as fast as they go]
    #[arg(long)]
    rate: Option<f64>,
    /// Say when the first row has come out
    #[arg(long)]
    say_first: bool,
    /// Measure standstills once so many rows have come out
    #[arg(long)]
    stalls_after: Option<u64>,
    /// Write the rows of one key in a thousand here
    #[arg(long)]
    output: Option<PathBuf>,
}

impl Options {
    fn keys(&self) -> Keys {
        Keys { all: self.keys, hot: self.hot.unwrap_or(self.keys) }
    }

    fn tally<F>(&self, tally: &Tally, take: F) -> TallySink<F> {
        TallySink::new(tally, Wanted { first: self.say_first, stalls_after: self.stalls_after }, take)
    }
}

fn define(env: &Env<'_>, options: &Options, tally: &Tally) -> Result<(), Error> {
    let keys = options.keys();
    match options.shape {
        Shape::Numbers => {
            let sums = sums(env, options, move |index| pair(index, keys));
            match &options.output {
                None => sums
                    .sink(options.tally(tally, |(key, sum): &(u64, u64), local: &mut Local| {
                        local.take(check_pair(*key, *sum));
                    }))
                    .uid("tally"),
                Some(directory) => {
                    sums.filter(|(key, _)| key % 1000 == 0).sink(FileSink::json_lines(directory)).uid("files")
                }
            };
        }
        Shape::Stamped => {
            let records = Generator::new(options.records, SPLITS, move |index| (keys.at(index), now_micros()));
            env.source(records.rate(options.rate), WatermarkStrategy::none())
                .uid("records")
                .key_by(|(key, _)| *key)
                .process_fn(|setup| {
                    let count = setup.value::<u64>("count");
                    move |(key, made): &(u64, u64), context| {
                        let count = count.update(|count| {
                            *count += 1;
                            *count
                        });
                        context.emit((*key, count, *made));
                        Ok(())
                    }
                })
                .uid("counts")
                .sink(options.tally(tally, |(key, count, made): &(u64, u64, u64), local: &mut Local| {
                    local.take_stamped(check_pair(*key, *count), *made);
                }))
                .uid("tally");
        }
        Shape::Texts => {
            let records = Generator::new(options.records, SPLITS, move |index| payment(index, keys));
            env.source(records.rate(options.rate), WatermarkStrategy::none())
                .uid("records")
                .key_by_owned(|payment| (payment.account, payment.paid))
                .fold(Totals::add)
                .uid("totals")
                .sink(options.tally(tally, |(account, totals): &(String, Totals), local: &mut Local| {
                    local.take(check_totals(account, totals));
                }))
                .uid("tally");
        }
    }
    Ok(())
}

fn sums<'s>(
    env: &Env<'s>,
    options: &Options,
    make: impl Fn(u64) -> (u64, u64) + Clone + Send + 'static,
) -> Stream<'s, (u64, u64)> {
    let records = Generator::new(options.records, SPLITS, make).rate(options.rate);
    env.source(records, WatermarkStrategy::none())
        .uid("records")
        .key_by(|(key, _)| *key)
        .sum(|(_, value)| *value)
        .uid("sum")
}

/// The program.
pub fn program() -> Program<Options> {
    let tally = Tally::start();
    let sink = tally.clone();
    Program::new("keyed-sum", move |env, options| define(env, options, &sink))
        .about("For each record, what all records of its key come to so far")
        .at_end(move |options: &Options, _| tally.outcome(options.records.unwrap_or(0)).print())
}
