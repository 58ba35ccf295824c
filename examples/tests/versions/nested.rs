//! What changes stands inside: in a struct, in a list, in a map.

use serde_json::{Map, Value, json};

use crate::change::Then::{GoesOn, Refused};
use crate::change::{Change, from};
use crate::expected::{after_second, key};

/// What is kept of numbers, each as `inner` writes it. It also gets whether the number was there before.
fn nested(inner: impl Fn(u64, bool) -> Value) -> Vec<Value> {
    after_second(key, |first, second| {
        let old = first.iter().map(|number| (*number, inner(*number, true)));
        let all: Vec<(u64, Value)> =
            old.chain(second.iter().map(|number| (*number, inner(*number, false)))).collect();
        let by_name: Map<String, Value> =
            all.iter().map(|(number, inner)| (format!("n{number}"), inner.clone())).collect();
        let list: Vec<&Value> = all.iter().map(|(_, inner)| inner).collect();
        json!({ "last": list[0], "all": list, "by_name": by_name })
    })
}

#[test]
fn structs_in_structs_lists_and_maps() {
    from(
        "nested",
        nested(|number, _| json!({ "count": number, "label": number.to_string() })),
        vec![
            Change {
                to: "nested-changed",
                says: &[
                    "value.last.label: renamed to name",
                    "value.last.new: added, default",
                    "value.all[].count: i32 → i64 (widened)",
                    "value.all[].label: renamed to name",
                    "value.by_name{}.count: i32 → i64 (widened)",
                    "value.by_name{}.new: added, default",
                ],
                then: GoesOn(nested(
                    |number, old| json!({ "name": number.to_string(), "count": number, "new": !old }),
                )),
            },
            Change {
                to: "nested-broken",
                says: &[
                    "value.last.count was i32 and is now text",
                    "value.all[].count was i32 and is now text",
                    "value.by_name{}.count was i32 and is now text",
                ],
                then: Refused,
            },
        ],
    );
}
