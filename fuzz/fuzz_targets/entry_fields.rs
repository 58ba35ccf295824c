//! The manifest behind the JSON: of a valid entry, single values are exchanged for others, so that what is refused is
//! refused for what it says and not for its syntax.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use millpond_fuzz::{SNAPSHOT, read_or_refused};
use millpond_snapshot::log::Entry;
use serde_json::Value;

static VALID: LazyLock<Value> = LazyLock::new(|| serde_json::from_slice(SNAPSHOT).unwrap());

// Pairs of a place and what stands there from then on: `place as u16, length as u8, JSON or else text`.
fuzz_target!(|input: &[u8]| {
    let mut entry = VALID.clone();
    let mut left = input;
    while let [low, high, length, rest @ ..] = left {
        let (content, after) = rest.split_at(rest.len().min(usize::from(*length)));
        let value = serde_json::from_slice(content)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(content).into_owned()));
        let mut place = usize::from(u16::from_le_bytes([*low, *high])) % count(&entry);
        *find(&mut entry, &mut place).expect("it is one of those that were counted") = value;
        left = after;
    }
    let bytes = serde_json::to_vec(&entry).unwrap();
    if let Some(entry) = read_or_refused(Entry::parse("entry", &bytes)) {
        let written = serde_json::to_vec(&entry).unwrap();
        assert_eq!(Entry::parse("entry", &written).unwrap(), entry);
    }
});

/// The values in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The value at a place in that order.
fn find<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, place)),
        Value::Object(fields) => fields.values_mut().find_map(|field| find(field, place)),
        _ => None,
    }
}
