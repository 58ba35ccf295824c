//! What a version puts out, computed from the numbers alone.

use serde_json::{Value, json};

use crate::scene::{FIRST, SECOND};

/// The keys of most versions.
pub(crate) fn key(number: u64) -> Value {
    json!(number % 12)
}

/// One record for each number of the second part: its key, and what `value` makes of the numbers of that key. It gets
/// those of the first part, and those of the second up to this one.
pub(crate) fn after_second(key: impl Fn(u64) -> Value, value: impl Fn(&[u64], &[u64]) -> Value) -> Vec<Value> {
    let of_key = |numbers: std::ops::Range<u64>, wanted: &Value| -> Vec<u64> {
        numbers.filter(|number| key(*number) == *wanted).collect()
    };
    let records = SECOND.map(|number| {
        let key = key(number);
        let (first, second) = (of_key(FIRST, &key), of_key(SECOND.start..number + 1, &key));
        assert!(!first.is_empty(), "key {key} has no state to be taken up");
        json!([key, value(&first, &second)])
    });
    records.collect()
}

/// The sum of all.
pub(crate) fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

/// The last one.
pub(crate) fn last(numbers: &[u64]) -> u64 {
    *numbers.last().unwrap()
}
