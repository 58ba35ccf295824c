//! A struct is kept, and its fields change.

use serde_json::{Value, json};

use crate::change::Then::{GoesOn, Refused};
use crate::change::{Change, from};
use crate::expected::{after_second, key, last, sum};

/// What the plain version keeps, as it is after the second part.
fn total(first: &[u64], second: &[u64]) -> Value {
    let sum = sum(first) + sum(second);
    json!({ "sum": sum, "mean": sum as f64 / 4.0, "label": format!("n{}", last(second)) })
}

/// The same, with a change to it.
fn totals(change: impl Fn(&mut Value, &[u64], &[u64])) -> Vec<Value> {
    after_second(key, |first, second| {
        let mut total = total(first, second);
        change(&mut total, first, second);
        total
    })
}

fn without(total: &mut Value, field: &str) -> Value {
    total.as_object_mut().unwrap().remove(field).unwrap()
}

#[test]
fn fields_of_a_struct() {
    from(
        "total",
        totals(|_, _, _| {}),
        vec![
            Change {
                to: "total-added",
                says: &["value.weight: added, default"],
                then: GoesOn(totals(|total, _, second| total["weight"] = json!(7 + second.len()))),
            },
            Change {
                to: "total-added-required",
                says: &["value.weight (i64) is new", "#[serde(default)]", "#[serde(alias = \"…\")]"],
                then: Refused,
            },
            Change {
                to: "total-removed",
                says: &["value.label: removed, was text"],
                then: GoesOn(totals(|total, _, _| drop(without(total, "label")))),
            },
            Change {
                to: "total-renamed",
                says: &["value.sum: renamed to amount"],
                then: GoesOn(totals(|total, _, _| total["amount"] = without(total, "sum"))),
            },
            Change {
                to: "total-renamed-bare",
                says: &[
                    "value.sum: removed, was i32; if it is called amount now, say #[serde(alias = \"sum\")]",
                    "value.amount: added, default",
                ],
                then: GoesOn(totals(|total, _, second| {
                    without(total, "sum");
                    total["amount"] = json!(sum(second));
                })),
            },
            Change {
                to: "total-widened",
                says: &["value.sum: i32 → i64 (widened)", "value.mean: f32 → f64 (widened)"],
                then: GoesOn(totals(|total, first, second| {
                    total["sum"] = json!(sum(first) + (sum(second) << 32));
                })),
            },
            Change {
                to: "total-narrowed",
                says: &["value.sum was i32 and is now i16, which cannot hold every value of it"],
                then: Refused,
            },
            Change {
                to: "total-fraction",
                says: &[
                    "value.sum was i32 and is now f64; whole numbers become fractions only when told to",
                    ".migrate(|old: OldType| …)",
                ],
                then: Refused,
            },
            Change {
                to: "total-fraction-migrated",
                says: &["value: by the migration from versions::values::total::Total"],
                then: GoesOn(totals(|total, first, second| {
                    total["sum"] = json!(sum(first) as f64 * 1.5 + sum(second) as f64 / 2.0);
                })),
            },
            Change {
                to: "total-optional",
                says: &[
                    "value.sum: i32 → i32? (may be absent now)",
                    "value.label: text → text? (may be absent now)",
                ],
                then: GoesOn(totals(|total, first, _| total["label"] = json!(format!("n{}", last(first))))),
            },
        ],
    );
}

#[test]
fn fields_that_some_have() {
    let maybe = |absent: u64, adds_odd: bool| {
        after_second(key, move |first, second| {
            let even = last(second).is_multiple_of(2);
            let before = if even { sum(first) } else { absent };
            let added = if even || adds_odd { sum(second) } else { 0 };
            json!({ "sum": before + added, "seen": first.len() + second.len() })
        })
    };
    let mut unchanged = maybe(0, false);
    for record in &mut unchanged {
        if record[1]["sum"] == 0 {
            record[1]["sum"] = Value::Null;
        }
    }
    // 0 is a key of even numbers, and its sum is not 0.
    assert_eq!(unchanged.iter().filter(|record| record[1]["sum"].is_null()).count(), 6);
    from(
        "maybe",
        unchanged,
        vec![
            Change {
                to: "maybe-default",
                says: &["value.sum: i32? → i32 (absent ones take the default)"],
                then: GoesOn(maybe(7, true)),
            },
            Change {
                to: "maybe-required",
                says: &["value.sum was i32? and is now i32", "#[serde(default)]"],
                then: Refused,
            },
        ],
    );
}
