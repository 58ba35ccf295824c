//! The queries of Nexmark, as jobs. Where SQL says a result that changes, the job says each change.

mod joins;
mod site;
mod stateless;
mod windows;

use std::time::Duration;

use clap::{Args, ValueEnum};
use millpond::{Env, Error, EventTime, Generator, Program, Stream, WatermarkStrategy};

use crate::tally::Tally;
use crate::work::nexmark::{Event, event};

const SPLITS: usize = 8;

/// Event time may be behind by a millisecond, so that records which happened at one moment are together.
const OUT_OF_ORDERNESS: Duration = Duration::from_millis(1);

/// How far one reader may be ahead of another: as long as a window is.
const DRIFT: Duration = Duration::from_secs(10);

/// Which query.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Query {
    /// Bids as they are
    Q0,
    /// Bids in another currency
    Q1,
    /// Bids on some auctions
    Q2,
    /// Who sells in some states, and what
    Q3,
    /// The average price of a category
    Q4,
    /// The auctions with the most bids in the last ten seconds
    Q5,
    /// The highest bids of each ten seconds
    Q7,
    /// Who came and opened an auction in the same ten seconds
    Q8,
    /// How many bids somebody made in one go
    Q11,
    /// How many bids somebody made, by the clock of the machine
    Q12,
}

#[derive(Args)]
pub struct Options {
    /// Which query
    #[arg(long, value_enum)]
    query: Query,
    /// Events to make [default: no end]
    #[arg(long)]
    records: Option<u64>,
    /// Events a second [default: as fast as they go]
    #[arg(long)]
    rate: Option<f64>,
}

fn define(env: &Env<'_>, options: &Options, tally: &Tally) -> Result<(), Error> {
    let events = events(env, options);
    match options.query {
        Query::Q0 => stateless::pass_through(events, tally),
        Query::Q1 => stateless::currency(events, tally),
        Query::Q2 => stateless::selection(events, tally),
        Query::Q3 => joins::local_items(events, tally),
        Query::Q4 => site::average_price(events, tally),
        Query::Q5 => windows::hot_items(events, tally),
        Query::Q7 => windows::highest_bids(events, tally),
        Query::Q8 => joins::new_sellers(events, tally),
        Query::Q11 => windows::user_sessions(events, tally),
        Query::Q12 => windows::bids_by_the_clock(events, tally),
    }
    Ok(())
}

fn events<'s>(env: &Env<'s>, options: &Options) -> Stream<'s, Event> {
    let events = Generator::new(options.records, SPLITS, event).rate(options.rate);
    let strategy = WatermarkStrategy::bounded_out_of_orderness(OUT_OF_ORDERNESS)
        .timestamps(|event: &Event| EventTime::from_millis(event.time()))
        .aligned_within(DRIFT);
    env.source(events, strategy).uid("events")
}

/// The program.
pub fn program() -> Program<Options> {
    let tally = Tally::start();
    let sink = tally.clone();
    Program::new("nexmark", move |env, options| define(env, options, &sink))
        .about("The queries of the Nexmark benchmark")
        .at_end(move |options: &Options, _| tally.outcome(options.records.unwrap_or(0)).print())
}
