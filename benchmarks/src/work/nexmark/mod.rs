//! The auction site of the Nexmark benchmark: people who come, auctions that they open, bids that they make.
//!
//! Proportions and parameters are those of the standard generator: of 50 events 1 is a person, 3 are auctions and 46 are
//! bids; 10,000 events happen in a second of event time; half of the bids go to a hot auction, three quarters are made by a
//! hot bidder, three quarters of the auctions are a hot seller's; an event has about 200, 500 and 100 bytes. What an event
//! is follows from its number alone, so that any number of splits, in Rust and in Java, make the same events; numbers are
//! whole throughout, since no two languages have the same logarithm.

mod channels;
mod generator;
mod model;
mod random;

pub use generator::event;
pub use model::{Auction, Bid, Event, Person, check_bid};
