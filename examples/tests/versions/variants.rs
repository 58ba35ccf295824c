//! Enums are kept, and their variants change. Both old variants are in use.

use serde_json::{Value, json};

use crate::change::Then::{GoesOn, Refused};
use crate::change::{Change, from};
use crate::expected::{after_second, key};

/// A list of what `old` makes of the first numbers, and `new` of the second.
fn lists(old: impl Fn(u64) -> Value, new: impl Fn(u64) -> Value) -> Vec<Value> {
    after_second(key, |first, second| {
        let old = first.iter().map(|number| old(*number));
        old.chain(second.iter().map(|number| new(*number))).collect()
    })
}

#[test]
fn variants_that_hold_nothing() {
    let by_parity = |names: [&'static str; 2]| move |number: u64| json!(names[number as usize % 2]);
    let mood = by_parity(["Up", "Down"]);
    from(
        "mood",
        lists(mood, mood),
        vec![
            Change {
                to: "mood-added",
                says: &["value[]: variants added: Sideways"],
                then: GoesOn(lists(mood, |number| json!(["Sideways", "Up", "Down"][number as usize % 3]))),
            },
            Change {
                to: "mood-renamed",
                says: &["value[]: variants added: Low"],
                then: GoesOn(lists(by_parity(["Up", "Low"]), by_parity(["Up", "Low"]))),
            },
            Change {
                to: "mood-removed",
                says: &[
                    "value[]<Down> is not a variant any more, and there may be values of it",
                    "#[serde(alias = \"Down\")]",
                ],
                then: Refused,
            },
        ],
    );
}

#[test]
fn variants_that_hold_something() {
    let event = |number: u64| match number / 12 % 3 {
        0 => json!("Nothing"),
        1 => json!({ "Number": number }),
        _ => json!({ "Named": { "x": number } }),
    };
    let taken_up = |number: u64| match number / 12 % 3 {
        2 => json!({ "Named": { "x": number, "y": 0 } }),
        _ => event(number),
    };
    let new = |number: u64| match number % 4 {
        0 => json!("Nothing"),
        1 => json!({ "Number": number }),
        2 => json!({ "Named": { "x": 1000, "y": -1 } }),
        _ => json!({ "More": number.to_string() }),
    };
    from(
        "event",
        lists(event, event),
        vec![Change {
            to: "event-added",
            says: &[
                "value[]<Number>: i32 → i64 (widened)",
                "value[]<Named>.x: u8 → u16 (widened)",
                "value[]<Named>.y: added, default",
                "value[]: variants added: More",
            ],
            then: GoesOn(lists(taken_up, new)),
        }],
    );
}
