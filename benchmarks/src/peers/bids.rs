//! Query 0 of Nexmark, a loop on each thread: no engine. What is left is the making of events, which each query has in it.

use super::Options;
use crate::tally::{Tally, Wanted};
use crate::work::nexmark::{Event, check_bid, event};

pub fn run(options: &Options) {
    let tally = Tally::start();
    std::thread::scope(|scope| {
        for first in 0..options.parallelism {
            let mut local = tally.local(Wanted::default());
            scope.spawn(move || {
                for number in (first as u64..options.records).step_by(options.parallelism) {
                    if let Event::Bid(bid) = event(number) {
                        local.take(check_bid([bid.auction, bid.bidder, bid.price, bid.time], &bid.extra));
                    }
                }
            });
        }
    });
    tally.outcome(options.records).print();
}
