//! Queries that bring people and their auctions together.

use std::borrow::Cow;
use std::time::Duration;

use millpond::windows::{Tumbling, WindowResult};
use millpond::{KeyedContext, KeyedProcess, ListState, Stream, UserError, ValueState};
use serde::{Deserialize, Serialize};

use crate::jobs::tally_sink::TallySink;
use crate::tally::{Local, Tally, Wanted};
use crate::work::mix::{row, text};
use crate::work::nexmark::{Event, Person};

/// Where somebody lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seller {
    name: String,
    city: Cow<'static, str>,
    state: Cow<'static, str>,
}

/// Somebody, or an auction of theirs.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Item {
    Seller(i64, Seller),
    Auction { seller: i64, id: i64 },
}

/// Each auction with its seller, whichever of them comes first.
struct WithSeller {
    seller: ValueState<Seller>,
    waiting: ListState<i64>,
}

impl KeyedProcess<i64, Item> for WithSeller {
    type Out = (Seller, i64);
    type Side = ();

    fn process(
        &mut self,
        value: &Item,
        context: &mut KeyedContext<'_, i64, (Seller, i64), ()>,
    ) -> Result<(), UserError> {
        match value {
            Item::Seller(_, seller) => {
                for auction in self.waiting.get() {
                    context.emit((seller.clone(), auction));
                }
                self.waiting.clear();
                self.seller.set(seller.clone());
            }
            Item::Auction { id, .. } => match self.seller.get() {
                Some(seller) => context.emit((seller, *id)),
                None => self.waiting.add(*id),
            },
        }
        Ok(())
    }
}

/// Query 3: auctions of category 10 by sellers from Oregon, Idaho and California.
pub(super) fn local_items(events: Stream<'_, Event>, tally: &Tally) {
    let rows = events
        .flat_map_owned(|event| match event {
            Event::Person(person) if ["OR", "ID", "CA"].contains(&&*person.state) => {
                let Person { id, name, city, state, .. } = *person;
                Some(Item::Seller(id, Seller { name, city, state }))
            }
            Event::Auction(auction) if auction.category == 10 => {
                Some(Item::Auction { seller: auction.seller, id: auction.id })
            }
            _ => None,
        })
        .key_by(|record| match record {
            Item::Seller(id, _) => *id,
            Item::Auction { seller, .. } => *seller,
        })
        .process(|setup| WithSeller { seller: setup.value("seller"), waiting: setup.list("waiting") })
        .uid("items");
    let take = |(seller, auction): &(Seller, i64), local: &mut Local| {
        local.take(row(&[text(&seller.name), text(&seller.city), text(&seller.state), *auction as u64]));
    };
    rows.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}

/// Somebody who came, or an auction's seller.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Newcomer {
    Person(i64, String),
    Seller(i64),
}

/// Query 8.
pub(super) fn new_sellers(events: Stream<'_, Event>, tally: &Tally) {
    let both = events.flat_map_owned(|event| match event {
        Event::Person(person) => Some(Newcomer::Person(person.id, person.name)),
        Event::Auction(auction) => Some(Newcomer::Seller(auction.seller)),
        Event::Bid(_) => None,
    });
    let people = both.clone().flat_map_owned(|newcomer| match newcomer {
        Newcomer::Person(id, name) => Some((id, name)),
        Newcomer::Seller(_) => None,
    });
    let sellers = both.flat_map(|newcomer| match newcomer {
        Newcomer::Seller(id) => Some(*id),
        Newcomer::Person(..) => None,
    });
    let rows: Stream<'_, WindowResult<i64, String>> = people
        .key_by(|(id, _)| *id)
        .join(sellers.key_by(|id| *id))
        .window(Tumbling::of(Duration::from_secs(10)))
        .co_group(|_, _, people, sellers| {
            let sells = !sellers.is_empty();
            Ok(people.first().filter(|_| sells).map(|(_, name)| name.clone()))
        })
        .uid("new-sellers");
    let take = |found: &WindowResult<i64, String>, local: &mut Local| {
        local.take(row(&[found.key as u64, text(&found.value), found.window.start.as_millis() as u64]));
    };
    rows.sink(TallySink::new(tally, Wanted::default(), take)).uid("tally");
}
