//! Queries that look at one bid at a time.

use millpond::Stream;

use crate::jobs::tally_sink::TallySink;
use crate::tally::{Local, Tally, Wanted};
use crate::work::mix::row;
use crate::work::nexmark::{Event, check_bid};

/// Auction, bidder, price, time and the rest.
type Row = (i64, i64, i64, i64, String);

fn tally_rows(rows: Stream<'_, Row>, tally: &Tally) {
    let take = |(auction, bidder, price, time, extra): &Row, local: &mut Local| {
        local.take(check_bid([*auction, *bidder, *price, *time], extra));
    };
    rows.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}

/// Query 0.
pub(super) fn pass_through(events: Stream<'_, Event>, tally: &Tally) {
    let rows = events.flat_map_owned(|event| match event {
        Event::Bid(bid) => Some((bid.auction, bid.bidder, bid.price, bid.time, bid.extra)),
        _ => None,
    });
    tally_rows(rows, tally);
}

/// Query 1: a dollar is 0.908 euros; the price is in thousandths of a cent.
pub(super) fn currency(events: Stream<'_, Event>, tally: &Tally) {
    let rows = events.flat_map_owned(|event| match event {
        Event::Bid(bid) => Some((bid.auction, bid.bidder, bid.price * 908, bid.time, bid.extra)),
        _ => None,
    });
    tally_rows(rows, tally);
}

/// Query 2.
pub(super) fn selection(events: Stream<'_, Event>, tally: &Tally) {
    let rows = events.flat_map(|event| match event {
        Event::Bid(bid) if bid.auction % 123 == 0 => Some((bid.auction, bid.price)),
        _ => None,
    });
    let take = |(auction, price): &(i64, i64), local: &mut Local| {
        local.take(row(&[*auction as u64, *price as u64]));
    };
    rows.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}
