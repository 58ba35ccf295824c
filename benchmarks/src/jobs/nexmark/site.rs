//! Query 4: what auctions of a category end at, on the average. An auction ends when event time says so; its price is that
//! of the highest bid made while it was open.

use millpond::{EventTime, KeyedContext, KeyedProcess, ListState, Stream, Timer, UserError, ValueState};
use serde::{Deserialize, Serialize};

use crate::jobs::tally_sink::TallySink;
use crate::tally::{Local, Tally, Wanted};
use crate::work::mix::row;
use crate::work::nexmark::Event;

/// What happens at an auction.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Deed {
    Opened { auction: i64, category: i64, time: i64, expires: i64 },
    Bid { auction: i64, time: i64, price: i64 },
}

/// An auction that is open.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    category: i64,
    time: i64,
    expires: i64,
    highest: Option<i64>,
}

impl Open {
    /// Whether a bid is the highest so far of those that were made in time.
    fn is_topped(&self, time: i64, price: i64) -> bool {
        (self.time..=self.expires).contains(&time) && self.highest < Some(price)
    }

    fn bid(&mut self, time: i64, price: i64) {
        if self.is_topped(time, price) {
            self.highest = Some(price);
        }
    }
}

/// Finds what an auction ends at.
struct Ending {
    open: ValueState<Open>,
    /// Bids that came before their auction: time and price. Once event time has come to them it will not come any more.
    early: ListState<(i64, i64)>,
}

impl KeyedProcess<i64, Deed> for Ending {
    /// Category and price.
    type Out = (i64, i64);
    type Side = ();

    fn process(
        &mut self,
        deed: &Deed,
        context: &mut KeyedContext<'_, i64, (i64, i64), ()>,
    ) -> Result<(), UserError> {
        match *deed {
            Deed::Opened { category, time, expires, .. } => {
                let mut open = Open { category, time, expires, highest: None };
                self.early.with(|bids| bids.iter().for_each(|(time, price)| open.bid(*time, *price)));
                self.early.clear();
                self.open.set(open);
                context.set_event_timer(EventTime::from_millis(expires));
            }
            Deed::Bid { time, price, .. } => {
                match self.open.with(|open| open.map(|open| open.is_topped(time, price))) {
                    // Most bids change nothing.
                    Some(false) => {}
                    Some(true) => {
                        self.open.update_present(|open| open.bid(time, price));
                    }
                    None => {
                        self.early.add((time, price));
                        context.set_event_timer(EventTime::from_millis(time));
                    }
                }
            }
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        timer: Timer,
        context: &mut KeyedContext<'_, i64, (i64, i64), ()>,
    ) -> Result<(), UserError> {
        let now = timer.time.as_millis();
        match self.open.get() {
            Some(open) if open.expires <= now => {
                if let Some(price) = open.highest {
                    context.emit((open.category, price));
                }
                self.open.clear();
            }
            Some(_) => {}
            None => {
                let left = self.early.with(|bids| bids.iter().filter(|(time, _)| *time > now).copied().collect());
                self.early.set(left);
            }
        }
        Ok(())
    }
}

/// Query 4.
pub(super) fn average_price(events: Stream<'_, Event>, tally: &Tally) {
    let averages = events
        .flat_map(|event| match event {
            Event::Auction(auction) => Some(Deed::Opened {
                auction: auction.id,
                category: auction.category,
                time: auction.time,
                expires: auction.expires,
            }),
            Event::Bid(bid) => Some(Deed::Bid { auction: bid.auction, time: bid.time, price: bid.price }),
            Event::Person(_) => None,
        })
        .key_by(|deed| match deed {
            Deed::Opened { auction, .. } | Deed::Bid { auction, .. } => *auction,
        })
        .process(|setup| Ending { open: setup.value("open"), early: setup.list("early") })
        .uid("endings")
        .key_by(|(category, _)| *category)
        .fold(|(count, total): &mut (i64, i64), (_, price)| {
            *count += 1;
            *total += price;
        })
        .uid("averages")
        .map(|(category, (count, total))| (*category, *count, total / count));
    let take = |(category, count, average): &(i64, i64, i64), local: &mut Local| {
        local.take_latest(*category as u64, row(&[*category as u64, *count as u64, *average as u64]));
    };
    averages.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}
