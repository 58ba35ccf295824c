//! Keys: those that stay where they are, those that move, and those of which several become one.

use std::collections::BTreeMap;

use millpond::StateDescriptor;
use serde::{Deserialize, Serialize};

use crate::support::{becomes, is_refused, plain};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    city: String,
    zip: u16,
}

fn place(n: u64) -> Place {
    Place { city: format!("city {}", n % 10), zip: n as u16 }
}

fn places() -> Vec<(Place, u64)> {
    (0..200).map(|n| (place(n), n)).collect()
}

#[test]
fn numbers_in_keys_widen() {
    let rows: Vec<(i16, u64)> = (-100..100).map(|n| (n, (n + 100) as u64)).collect();
    let expected: Vec<(i64, u64)> = rows.iter().map(|(key, value)| (i64::from(*key), *value)).collect();
    becomes(&rows, |keys| keys, plain::<u64>, &expected);
}

#[test]
fn fields_of_keys_are_renamed() {
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Renamed {
        #[serde(alias = "city")]
        town: String,
        zip: u32,
    }
    let renamed = |n| Renamed { town: place(n).city, zip: n as u32 };
    let expected: Vec<_> = (0..200).map(|n| (renamed(n), n)).collect();
    becomes(&places(), |keys| keys, plain::<u64>, &expected);
}

#[test]
fn a_key_with_one_more_field_or_another_order_is_found_where_it_moves_to() {
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct More {
        zip: u16,
        #[serde(default)]
        street: String,
        city: Option<String>,
    }
    let more = |n| More { zip: n as u16, street: String::new(), city: Some(place(n).city) };
    let expected: Vec<_> = (0..200).map(|n| (more(n), n)).collect();
    becomes(&places(), |keys| keys, plain::<u64>, &expected);
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct City {
    city: String,
}

fn per_city() -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    places().into_iter().for_each(|(place, n)| *sums.entry(place.city).or_default() += n);
    sums
}

#[test]
fn keys_that_become_one_are_merged() {
    let expected: Vec<_> = per_city().into_iter().map(|(city, sum)| (City { city }, sum)).collect();
    let state = || StateDescriptor::new("state").merge(|a: u64, b: u64| a + b);
    becomes(&places(), |keys| keys, state, &expected);
}

#[test]
fn keys_are_migrated() {
    let expected: Vec<_> = per_city().into_iter().map(|(city, sum)| (city.len() as u64 + sum, sum)).collect();
    let mut by_city: BTreeMap<String, u64> = BTreeMap::new();
    by_city.extend(per_city());
    let sums = per_city();
    becomes(
        &places(),
        move |keys| {
            let sums = sums.clone();
            keys.migrate_key(move |old: Place| old.city.len() as u64 + sums[&old.city])
        },
        || StateDescriptor::new("state").merge(|a: u64, b: u64| a + b),
        &expected,
    );
}

#[test]
fn without_a_merge_both_keys_are_named() {
    let rows = vec![
        (Place { city: "Bern".to_owned(), zip: 3000 }, 1_u64),
        (Place { city: "Bern".to_owned(), zip: 3001 }, 2),
    ];
    let reasons = [
        "operator 'state', state 'state'",
        r#"key {"city":"Bern","zip":3000}"#,
        r#"key {"city":"Bern","zip":3001}"#,
        "become one and the same",
        ".merge(|a, b| …)",
    ];
    crate::support::fails::<_, _, City, u64>(&rows, |keys| keys, plain::<u64>, &reasons);
}

#[test]
fn a_key_of_another_type_is_refused_with_the_way_out() {
    is_refused::<_, _, u64, u64>(
        &[("a".to_owned(), 1_u64)],
        |keys| keys,
        plain::<u64>,
        &["state 'state/state'", "key was text and is now u64", ".migrate_key(…)"],
    );
}
