//! Renoir: a stream on each thread, divided by key, with a state for each key. No snapshot, no recovery.

use renoir::{RuntimeConfig, StreamContext};

use super::{Options, Shape};
use crate::tally::{Tally, Wanted};
use crate::work::keyed_sum::{Totals, check_pair, check_totals, pair, payment};

pub fn run(options: &Options) {
    let tally = Tally::start();
    let (records, keys) = (options.records, options.keys());
    let config = match RuntimeConfig::local(options.parallelism as u64) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("renoir: {error}");
            return;
        }
    };
    let env = StreamContext::new(config);
    let indexes = env.stream_par_iter(move |first, step| (first..records).step_by(step as usize));
    let local = Shared(tally.clone());
    match options.shape {
        Shape::Numbers => indexes
            .map(move |index| pair(index, keys))
            .group_by(|(key, _)| *key)
            .rich_map({
                let mut sum = 0;
                move |(_, (_, value))| {
                    sum += value;
                    sum
                }
            })
            .for_each(local.taking(|(key, sum)| check_pair(key, sum))),
        Shape::Texts => indexes
            .map(move |index| payment(index, keys))
            .group_by(|payment| payment.account.clone())
            .rich_map({
                let mut totals = Totals::default();
                move |(_, payment)| {
                    totals.add(&payment.paid);
                    totals.clone()
                }
            })
            .for_each(local.taking(|(account, totals): (String, Totals)| check_totals(&account, &totals))),
    }
    env.execute_blocking();
    tally.outcome(records).print();
}

/// What all threads add to.
struct Shared(Tally);

impl Shared {
    fn taking<T>(self, check: impl Fn(T) -> u64 + Clone + Send) -> impl FnMut(T) + Clone + Send {
        let mut local = Cloned(self.0.local(Wanted::default()), self.0);
        move |row| local.take(check(row))
    }
}

/// Renoir clones a function for each thread: each clone counts for itself.
struct Cloned(crate::tally::Local, Tally);

impl Cloned {
    fn take(&mut self, check: u64) {
        self.0.take(check);
    }
}

impl Clone for Cloned {
    fn clone(&self) -> Self {
        Cloned(self.1.local(Wanted::default()), self.1.clone())
    }
}
