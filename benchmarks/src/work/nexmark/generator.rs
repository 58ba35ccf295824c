//! The event with a number.

use std::borrow::Cow;
use std::hint::select_unpredictable;
use std::sync::LazyLock;

use super::channels::some_channel;
use super::model::{Auction, Bid, Event, Person};
use super::random::Random;

/// Of so many events …
const TOTAL: i64 = 50;
/// … so many are persons, and so many auctions; the rest are bids.
const PERSONS: i64 = 1;
const AUCTIONS: i64 = 3;

const FIRST_PERSON: i64 = 1000;
const FIRST_AUCTION: i64 = 1000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: i64 = 5;
/// Ids that are used although nobody has them yet.
const LEAD: i64 = 10;
const ACTIVE_PEOPLE: i64 = 1000;
const AUCTIONS_IN_FLIGHT: i64 = 100;
/// Of so many choices all but one are hot.
const HOT_AUCTIONS: i64 = 2;
const HOT_SELLERS: i64 = 4;
const HOT_BIDDERS: i64 = 4;
/// A hot one stays so for so many ids.
const HOT_FOR: i64 = 100;

/// 2015-07-15T00:00:00Z.
const BEGINNING: i64 = 1_436_918_400_000;
/// Ten thousand events a second.
const EVENTS_PER_MILLISECOND: i64 = 10;

const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];

/// The numbers of four digits, one behind the other.
static NUMBERS: LazyLock<String> = LazyLock::new(|| (0..10_000).map(|number| format!("{number:04}")).collect());

/// The event with a number, from 0.
pub fn event(number: u64) -> Event {
    let n = number as i64;
    let mut random = Random::of(number);
    match n % TOTAL {
        place if place < PERSONS => Event::Person(Box::new(person(n, &mut random))),
        place if place < PERSONS + AUCTIONS => Event::Auction(Box::new(auction(n, &mut random))),
        _ => Event::Bid(bid(n, &mut random)),
    }
}

fn time(n: i64) -> i64 {
    BEGINNING + n / EVENTS_PER_MILLISECOND
}

/// How many persons there are after event `n`, less one.
fn last_person(n: i64) -> i64 {
    n / TOTAL * PERSONS + (n % TOTAL).min(PERSONS - 1)
}

/// How many auctions there are after event `n`, less one; less than none before the first.
fn last_auction(n: i64) -> i64 {
    let within = (n % TOTAL - PERSONS).clamp(-1, AUCTIONS - 1);
    n / TOTAL * AUCTIONS + within
}

/// Somebody who came lately, or will soon.
fn some_person(n: i64, random: &mut Random) -> i64 {
    let people = last_person(n) + 1;
    let active = people.min(ACTIVE_PEOPLE);
    people - active + random.below(active + LEAD)
}

fn person(n: i64, random: &mut Random) -> Person {
    let name = [random.one_of(&FIRST_NAMES), " ", random.one_of(&LAST_NAMES)].concat();
    let email = [random.letters(7), "@", random.letters(5), ".com"].concat();
    let credit_card = credit_card(random);
    let (city, state) = (Cow::from(random.one_of(&CITIES)), Cow::from(random.one_of(&STATES)));
    let size = 8 + name.len() + email.len() + credit_card.len() + city.len() + state.len();
    let extra = random.extra(size as i64, 200);
    Person { id: FIRST_PERSON + last_person(n), name, email, credit_card, city, state, time: time(n), extra }
}

fn credit_card(random: &mut Random) -> String {
    let numbers = [0; 4].map(|_| &NUMBERS[4 * random.below(10_000) as usize..][..4]);
    numbers.join(" ")
}

fn auction(n: i64, random: &mut Random) -> Auction {
    let seller = match random.below(HOT_SELLERS) {
        0 => some_person(n, random),
        _ => last_person(n) / HOT_FOR * HOT_FOR,
    };
    let category = FIRST_CATEGORY + random.below(CATEGORIES);
    let initial_bid = random.price();
    let reserve = initial_bid + random.price();
    let length = 3 + random.below(17);
    let item = random.letters(length).to_owned();
    let length = 3 + random.below(97);
    let description = random.letters(length).to_owned();
    // So that about as many are open as there should be.
    let horizon = time(n + AUCTIONS_IN_FLIGHT * TOTAL / AUCTIONS) - time(n);
    let expires = time(n) + 1 + random.below((2 * horizon).max(1));
    let extra = random.extra((8 * 6 + item.len() + description.len()) as i64, 500);
    Auction {
        id: FIRST_AUCTION + last_auction(n),
        item,
        description,
        initial_bid,
        reserve,
        time: time(n),
        expires,
        seller: FIRST_PERSON + seller,
        category,
        extra,
    }
}

fn bid(n: i64, random: &mut Random) -> Bid {
    // Whether it is a hot one nobody can foresee: to make both costs less than to guess wrong.
    let last = last_auction(n);
    let is_hot = random.below(HOT_AUCTIONS) > 0;
    let least = (last - AUCTIONS_IN_FLIGHT).max(0);
    let some_auction = least + random.below(last - least + 1 + LEAD);
    let auction = select_unpredictable(is_hot, last / HOT_FOR * HOT_FOR, some_auction);
    let is_hot = random.below(HOT_BIDDERS) > 0;
    let some_bidder = some_person(n, random);
    let bidder = select_unpredictable(is_hot, last_person(n) / HOT_FOR * HOT_FOR + 1, some_bidder);
    let price = random.price();
    let (channel, url) = some_channel(random);
    let extra = random.extra(8 * 4, 100);
    Bid {
        auction: FIRST_AUCTION + auction,
        bidder: FIRST_PERSON + bidder,
        price,
        channel: channel.into(),
        url: url.into(),
        time: time(n),
        extra,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_fifty_events_one_is_a_person_and_three_are_auctions() {
        let kinds: Vec<u8> = (0..50)
            .map(|n| match event(n) {
                Event::Person(_) => b'p',
                Event::Auction(_) => b'a',
                Event::Bid(_) => b'b',
            })
            .collect();
        assert_eq!(&kinds[..5], b"paaab");
        assert_eq!(kinds.iter().filter(|kind| **kind == b'b').count(), 46);
    }

    #[test]
    fn ids_count_up() {
        let ids: Vec<i64> = (0..200)
            .filter_map(|n| match event(n) {
                Event::Auction(auction) => Some(auction.id),
                _ => None,
            })
            .collect();
        assert_eq!(ids, (1000..1012).collect::<Vec<_>>());
    }

    #[test]
    fn most_bids_go_to_auctions_that_exist() {
        let mut known = std::collections::HashSet::new();
        let (mut bids, mut hits) = (0, 0);
        for n in 0..100_000 {
            match event(n) {
                Event::Auction(auction) => drop(known.insert(auction.id)),
                Event::Bid(bid) => {
                    bids += 1;
                    hits += u32::from(known.contains(&bid.auction));
                }
                Event::Person(_) => {}
            }
        }
        assert_eq!(bids, 92_000);
        assert!(hits > 80_000 && hits < bids, "{hits}");
    }
}
