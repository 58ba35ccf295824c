//! Queries over windows.

use std::time::Duration;

use millpond::windows::{Session, Sliding, Tumbling, WindowResult};
use millpond::{Aggregate, Stream};
use serde::{Deserialize, Serialize};

use crate::jobs::tally_sink::TallySink;
use crate::tally::{Local, Tally, Wanted};
use crate::work::mix::row;
use crate::work::nexmark::{Bid, Event, check_bid};

const TEN_SECONDS: Duration = Duration::from_secs(10);
const TWO_SECONDS: Duration = Duration::from_secs(2);
/// Flink has records ten seconds apart in one session, we only those that are less than the gap apart.
const SESSION_GAP: Duration = Duration::from_millis(10_001);

/// Those that reach the greatest value, all of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Greatest<T> {
    value: i64,
    holders: Vec<T>,
}

impl<T: Clone> Greatest<T> {
    fn offer(&mut self, value: i64, holder: impl FnOnce() -> T) {
        if value > self.value {
            (self.value, self.holders) = (value, vec![holder()]);
        } else if value == self.value {
            self.holders.push(holder());
        }
    }

    fn merge(&mut self, other: &Greatest<T>) {
        for holder in &other.holders {
            self.offer(other.value, || holder.clone());
        }
    }
}

/// Those that reach the greatest of the values that `Of` reads.
struct GreatestOf;

/// How often an auction was bid on in a window.
type Counted = WindowResult<i64, u64>;

impl Aggregate<Counted> for GreatestOf {
    type Accumulator = Greatest<i64>;
    type Output = Greatest<i64>;

    fn create(&self) -> Greatest<i64> {
        Greatest::default()
    }
    fn add(&self, greatest: &mut Greatest<i64>, counted: &Counted) {
        greatest.offer(counted.value as i64, || counted.key);
    }
    fn merge(&self, greatest: &mut Greatest<i64>, other: &Greatest<i64>) {
        greatest.merge(other);
    }
    fn result(&self, greatest: &Greatest<i64>) -> Greatest<i64> {
        greatest.clone()
    }
}

/// Query 5.
pub(super) fn hot_items(events: Stream<'_, Event>, tally: &Tally) {
    let hottest = events
        .flat_map(|event| match event {
            Event::Bid(bid) => Some(bid.auction),
            _ => None,
        })
        .key_by(|auction| *auction)
        .window(Sliding::of(TEN_SECONDS, TWO_SECONDS))
        .count()
        .uid("counts")
        // The results of one window are all within the last slide of it.
        .key_by(|counted| counted.window.end.as_millis())
        .window(Tumbling::of(TWO_SECONDS))
        .aggregate(GreatestOf)
        .uid("hottest");
    let take = |found: &WindowResult<i64, Greatest<i64>>, local: &mut Local| {
        for auction in &found.value.holders {
            local.take(row(&[found.key as u64, *auction as u64, found.value.value as u64]));
        }
    };
    hottest.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}

/// A bid, but for its price.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bidding {
    auction: i64,
    bidder: i64,
    time: i64,
    extra: String,
}

type Offer = (i64, Bidding);

impl Aggregate<Offer> for GreatestOf {
    type Accumulator = Greatest<Bidding>;
    type Output = Greatest<Bidding>;

    fn create(&self) -> Greatest<Bidding> {
        Greatest { value: 0, holders: Vec::new() }
    }
    fn add(&self, greatest: &mut Greatest<Bidding>, (price, bidding): &Offer) {
        greatest.offer(*price, || bidding.clone());
    }
    fn merge(&self, greatest: &mut Greatest<Bidding>, other: &Greatest<Bidding>) {
        greatest.merge(other);
    }
    fn result(&self, greatest: &Greatest<Bidding>) -> Greatest<Bidding> {
        greatest.clone()
    }
}

type HighestOfAuction = WindowResult<i64, Greatest<Bidding>>;

impl Aggregate<HighestOfAuction> for GreatestOf {
    type Accumulator = Greatest<Bidding>;
    type Output = Greatest<Bidding>;

    fn create(&self) -> Greatest<Bidding> {
        Greatest { value: 0, holders: Vec::new() }
    }
    fn add(&self, greatest: &mut Greatest<Bidding>, of_auction: &HighestOfAuction) {
        greatest.merge(&of_auction.value);
    }
    fn merge(&self, greatest: &mut Greatest<Bidding>, other: &Greatest<Bidding>) {
        greatest.merge(other);
    }
    fn result(&self, greatest: &Greatest<Bidding>) -> Greatest<Bidding> {
        greatest.clone()
    }
}

/// Query 7: first of each auction, so that the work is divided, and then of all.
pub(super) fn highest_bids(events: Stream<'_, Event>, tally: &Tally) {
    let highest = events
        .flat_map_owned(|event| match event {
            Event::Bid(Bid { auction, bidder, price, time, extra, .. }) => {
                Some((price, Bidding { auction, bidder, time, extra }))
            }
            _ => None,
        })
        .key_by(|(_, bidding)| bidding.auction)
        .window(Tumbling::of(TEN_SECONDS))
        .aggregate(GreatestOf)
        .uid("highest-of-auction")
        .key_by(|of_auction: &HighestOfAuction| of_auction.window.end.as_millis())
        .window(Tumbling::of(TEN_SECONDS))
        .aggregate(GreatestOf)
        .uid("highest");
    let take = |found: &WindowResult<i64, Greatest<Bidding>>, local: &mut Local| {
        for Bidding { auction, bidder, time, extra } in &found.value.holders {
            local.take(check_bid([found.value.value, *auction, *bidder, *time], extra));
        }
    };
    highest.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}

fn bidders<'s>(events: Stream<'s, Event>) -> Stream<'s, i64> {
    events.flat_map(|event| match event {
        Event::Bid(bid) => Some(bid.bidder),
        _ => None,
    })
}

/// Query 11.
pub(super) fn user_sessions(events: Stream<'_, Event>, tally: &Tally) {
    let sessions =
        bidders(events).key_by(|bidder| *bidder).window(Session::gap(SESSION_GAP)).count().uid("sessions");
    let take = |session: &WindowResult<i64, u64>, local: &mut Local| {
        let (first, last) = (session.window.start, session.window.end.saturating_sub(SESSION_GAP));
        let times = [first.as_millis() as u64, last.as_millis() as u64];
        local.take(row(&[session.key as u64, session.value, times[0], times[1]]));
    };
    sessions.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}

/// Query 12. Which window a bid is in depends on when it is read, so that only the sums of a bidder can be checked.
pub(super) fn bids_by_the_clock(events: Stream<'_, Event>, tally: &Tally) {
    let counts = bidders(events)
        .key_by(|bidder| *bidder)
        .window(Tumbling::of(TEN_SECONDS).processing_time())
        .count()
        .uid("counts");
    let take = |counted: &WindowResult<i64, u64>, local: &mut Local| {
        local.take_for(counted.value, row(&[counted.key as u64]).wrapping_mul(counted.value));
    };
    counts.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}
