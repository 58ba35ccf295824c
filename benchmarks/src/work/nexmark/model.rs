//! What happens on an auction site. Times are in milliseconds since 1970, prices in cents.
//!
//! Texts of which there are few are shared, as they are in Java, where a text is a reference. Nine events of ten are bids: the
//! other two are boxed, so that a bid is not moved in the room that a person would need.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::work::mix::{row, text};

/// Somebody comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub credit_card: String,
    pub city: Cow<'static, str>,
    pub state: Cow<'static, str>,
    pub time: i64,
    pub extra: String,
}

/// Somebody opens an auction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auction {
    pub id: i64,
    pub item: String,
    pub description: String,
    pub initial_bid: i64,
    pub reserve: i64,
    pub time: i64,
    pub expires: i64,
    pub seller: i64,
    pub category: i64,
    pub extra: String,
}

/// Somebody bids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    pub auction: i64,
    pub bidder: i64,
    pub price: i64,
    pub channel: Cow<'static, str>,
    pub url: Cow<'static, str>,
    pub time: i64,
    pub extra: String,
}

/// One of the three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    Person(Box<Person>),
    Auction(Box<Auction>),
    Bid(Bid),
}

impl Event {
    /// When it happened.
    #[inline]
    pub fn time(&self) -> i64 {
        match self {
            Event::Person(person) => person.time,
            Event::Auction(auction) => auction.time,
            Event::Bid(bid) => bid.time,
        }
    }
}

/// The check of a row about a bid: of some of its numbers, in the order in which the row has them, and of the rest.
#[inline]
pub fn check_bid(numbers: [i64; 4], extra: &str) -> u64 {
    let [a, b, c, d] = numbers.map(|number| number as u64);
    row(&[a, b, c, d, text(extra)])
}
