//! States of each kind: what is in them changes, and once the kind itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::change::Then::{GoesOn, Refused};
use crate::change::{Change, from};
use crate::expected::{after_second, key, last};

/// All numbers of a key; those of the second part as `new` writes them.
fn lists(new: impl Fn(u64) -> u64) -> Vec<Value> {
    after_second(key, |first, second| {
        json!(first.iter().copied().chain(second.iter().map(|number| new(*number))).collect::<Vec<_>>())
    })
}

fn plain(number: u64) -> u64 {
    number
}

fn wide(number: u64) -> u64 {
    number << 32
}

#[test]
fn values_that_become_something_else() {
    from(
        "value",
        lists(plain),
        vec![
            Change {
                to: "map",
                says: &["state 'kept/numbers'", "it was of kind value and is now of kind map", "another name"],
                then: Refused,
            },
            Change {
                to: "list",
                says: &["state 'kept/numbers'", "it was of kind value and is now of kind list", "another name"],
                then: Refused,
            },
        ],
    );
}

#[test]
fn elements_of_lists() {
    from(
        "list",
        lists(plain),
        vec![Change { to: "list-wide", says: &["value[]: i32 → i64 (widened)"], then: GoesOn(lists(wide)) }],
    );
}

#[test]
fn keys_and_values_of_maps() {
    let maps = |finger: &'static str, right: &'static str, new: fn(u64) -> u64| {
        after_second(key, move |first, second| {
            let mut map = BTreeMap::new();
            let entries =
                first.iter().map(|n| (*n, *n)).chain(second.iter().map(|number| (*number, new(*number))));
            for (number, value) in entries {
                let hand = number / 12;
                map.insert((hand % 3, hand % 2), value);
            }
            let side = |parity: u64| if parity == 0 { "Left" } else { right };
            map.into_iter()
                .map(|((digit, parity), value)| json!([{ finger: digit, "side": side(parity) }, value]))
                .collect()
        })
    };
    from(
        "map",
        maps("finger", "Right", plain),
        vec![Change {
            to: "map-wide",
            says: &[
                "map_key.finger: renamed to digit",
                "map_key.finger: i16 → i64 (widened)",
                "map_key: variants are written under other names than before",
                "value: i32 → i64 (widened)",
            ],
            then: GoesOn(maps("digit", "Dexter", wide)),
        }],
    );
}

#[test]
fn what_is_reduced() {
    let greatest = |new: fn(u64) -> u64| {
        after_second(key, move |first, second| json!(*first.iter().max().unwrap().max(&new(last(second)))))
    };
    from(
        "greatest",
        greatest(plain),
        vec![Change {
            to: "greatest-wide", says: &["value: i32 → i64 (widened)"], then: GoesOn(greatest(wide))
        }],
    );
}
