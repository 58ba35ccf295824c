//! The key changes: keys that stay where they are, that move, that become one.

use serde_json::{Value, json};

use crate::change::Then::{FailsOnRows, GoesOn, Refused};
use crate::change::{Change, from};
use crate::expected::{after_second, sum};

/// What a plan says where keys may become one and nobody says what becomes of their values.
const MAY_FAIL: &str = "key: if two rows become one, the start fails: the state says no .merge(|a, b| …)";

/// The sum of the numbers of each key.
fn sums(key: impl Fn(u64) -> Value) -> Vec<Value> {
    after_second(key, |first, second| json!(sum(first) + sum(second)))
}

fn city(number: u64) -> String {
    format!("city {}", number % 4)
}

#[test]
fn numbers() {
    let key = |number: u64| json!(number as i64 % 12 - 6);
    from(
        "by-number",
        sums(key),
        vec![Change { to: "by-wide-number", says: &["key: i16 → i64 (widened)"], then: GoesOn(sums(key)) }],
    );
}

#[test]
fn structs() {
    from(
        "by-place",
        sums(|number| json!({ "city": city(number), "zip": number % 12 })),
        vec![
            Change {
                to: "by-town",
                says: &["key.city: renamed to town", "key.zip: u16 → u32 (widened)"],
                then: GoesOn(sums(|number| json!({ "town": city(number), "zip": number % 12 }))),
            },
            Change {
                to: "by-address",
                says: &["key.street: added, default", "key.city: text → text? (may be absent now)"],
                then: GoesOn(sums(|number| json!({ "zip": number % 12, "street": "", "city": city(number) }))),
            },
            Change {
                to: "by-city",
                says: &["key.zip: removed, was u16"],
                then: GoesOn(sums(|number| json!({ "city": city(number) }))),
            },
            Change {
                to: "by-city-unmerged",
                says: &["key.zip: removed, was u16", MAY_FAIL],
                then: FailsOnRows(&[
                    "operator 'kept', state 'sum'",
                    r#"key {"city":"city "#,
                    "become one and the same",
                    ".merge(|a, b| …)",
                ]),
            },
            Change {
                to: "by-code",
                says: &["key: by the migration from versions::keys::Place"],
                then: GoesOn(sums(|number| json!(city(number).bytes().map(u64::from).sum::<u64>()))),
            },
            Change {
                to: "by-code-unmerged",
                says: &["key: by the migration from versions::keys::Place", MAY_FAIL],
                then: FailsOnRows(&[
                    "operator 'kept', state 'sum'",
                    "become one and the same",
                    ".merge(|a, b| …)",
                ]),
            },
            Change {
                to: "by-code-unmigrated",
                says: &["key was {city: text, zip: u16} and is now u64", ".migrate_key(…)"],
                then: Refused,
            },
        ],
    );
}

#[test]
fn variants() {
    let by_parity = |names: [&'static str; 2]| move |number: u64| json!(names[number as usize % 2]);
    from(
        "by-kind",
        sums(by_parity(["Bus", "Train"])),
        vec![Change {
            to: "by-kind-renamed",
            says: &["key: variants are written under other names than before"],
            then: GoesOn(sums(by_parity(["Bus", "Tram"]))),
        }],
    );
}
