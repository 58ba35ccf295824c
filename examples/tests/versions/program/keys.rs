//! The key changes: keys that stay where they are, that move, that become one.

use millpond::{Key, KeyedStream, StateDescriptor, TypedDescriptor};
use serde::{Deserialize, Serialize};

use crate::{Define, KEYS, Scene};

pub(crate) const ALL: &[(&str, Define)] = &[
    ("by-number", |scene| sums(scene, scene.numbers().key_by(|number| (number % KEYS) as i16 - 6))),
    ("by-wide-number", |scene| sums(scene, scene.numbers().key_by(|number| (number % KEYS) as i64 - 6))),
    ("by-place", |scene| sums(scene, scene.numbers().key_by(|number| Place::of(*number)))),
    ("by-town", |scene| sums(scene, scene.numbers().key_by(|number| Town::of(*number)))),
    ("by-address", |scene| sums(scene, scene.numbers().key_by(|number| Address::of(*number)))),
    ("by-city", |scene| merged_sums(scene, scene.numbers().key_by(|number| City::of(*number)))),
    ("by-city-unmerged", |scene| sums(scene, scene.numbers().key_by(|number| City::of(*number)))),
    ("by-code", |scene| merged_sums(scene, by_code(scene).migrate_key(|old: Place| Code::of_city(&old.city)))),
    ("by-code-unmerged", |scene| sums(scene, by_code(scene).migrate_key(|old: Place| Code::of_city(&old.city)))),
    ("by-code-unmigrated", |scene| sums(scene, by_code(scene))),
    ("by-kind", |scene| sums(scene, scene.numbers().key_by(|number| kinds::Kind::of(*number)))),
    ("by-kind-renamed", |scene| sums(scene, scene.numbers().key_by(|number| renamed_kinds::Kind::of(*number)))),
];

/// The sum of the numbers of each key, where each key stays one.
fn sums<'s, K: Key>(scene: &Scene<'_, 's>, numbers: KeyedStream<'s, K, u64>) {
    scene.fold(numbers, "sum", |sum: &mut u64, number| *sum += number);
}

/// The same where several become one.
fn merged_sums<'s, K: Key>(scene: &Scene<'_, 's>, numbers: KeyedStream<'s, K, u64>) {
    let state: TypedDescriptor<u64> = StateDescriptor::new("sum").merge(|one: u64, other: u64| one + other);
    scene.fold(numbers, state, |sum: &mut u64, number| *sum += number);
}

fn by_code<'s>(scene: &Scene<'_, 's>) -> KeyedStream<'s, Code, u64> {
    scene.numbers().key_by(|number| Code::of_city(&Place::of(*number).city))
}

/// Twelve places in four cities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    city: String,
    zip: u16,
}

impl Place {
    fn of(number: u64) -> Self {
        Place { city: format!("city {}", number % 4), zip: (number % KEYS) as u16 }
    }
}

/// A field of another name, and a wider one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Town {
    #[serde(alias = "city")]
    town: String,
    zip: u32,
}

impl Town {
    fn of(number: u64) -> Self {
        let Place { city, zip } = Place::of(number);
        Town { town: city, zip: u32::from(zip) }
    }
}

/// Another order, one field more, and one that may be absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Address {
    zip: u16,
    #[serde(default)]
    street: String,
    city: Option<String>,
}

impl Address {
    fn of(number: u64) -> Self {
        let Place { city, zip } = Place::of(number);
        Address { zip, street: String::new(), city: Some(city) }
    }
}

/// A field less: three places become one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct City {
    city: String,
}

impl City {
    fn of(number: u64) -> Self {
        City { city: Place::of(number).city }
    }
}

/// Something else, that a place has to be turned into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Code(u64);

impl Code {
    fn of_city(city: &str) -> Self {
        Code(city.bytes().map(u64::from).sum())
    }
}

mod kinds {
    use super::*;
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(super) enum Kind {
        Bus,
        Train,
    }
    impl Kind {
        pub(super) fn of(number: u64) -> Self {
            if number.is_multiple_of(2) { Kind::Bus } else { Kind::Train }
        }
    }
}

mod renamed_kinds {
    use super::*;
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(super) enum Kind {
        Bus,
        #[serde(alias = "Train")]
        Tram,
    }
    impl Kind {
        pub(super) fn of(number: u64) -> Self {
            if number.is_multiple_of(2) { Kind::Bus } else { Kind::Tram }
        }
    }
}
