//! One thread and one hash map: no exchange, no snapshot, no failure. What the machine does at its plainest.

use hashbrown::HashMap;

use super::{Options, Shape};
use crate::tally::{Tally, Wanted};
use crate::work::keyed_sum::{Totals, check_pair, check_totals, pair, payment};

pub fn run(options: &Options) {
    let tally = Tally::start();
    let mut local = tally.local(Wanted::default());
    let keys = options.keys();
    match options.shape {
        Shape::Numbers => {
            let mut sums: HashMap<u64, u64> = HashMap::new();
            for index in 0..options.records {
                let (key, value) = pair(index, keys);
                let sum = sums.entry(key).or_default();
                *sum += value;
                local.take(check_pair(key, *sum));
            }
        }
        Shape::Texts => {
            let mut accounts: HashMap<String, Totals> = HashMap::new();
            for index in 0..options.records {
                let payment = payment(index, keys);
                let totals = accounts.entry_ref(&payment.account).or_default();
                totals.add(&payment.paid);
                local.take(check_totals(&payment.account, totals));
            }
        }
    }
    drop(local);
    tally.outcome(options.records).print();
}
