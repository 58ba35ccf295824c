//! What comes out, by definition: all records are there before the first question is asked.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::support::{Event, event};

/// Records by key and window.
pub(crate) type Windows<'a> = BTreeMap<(u8, i64, i64), Vec<&'a Event>>;

/// The windows of `size` that begin at a multiple of `slide`.
pub(crate) fn sliding(events: &[Event], size: i64, slide: i64, offset: i64) -> Windows<'_> {
    let mut windows = Windows::new();
    for event in events {
        for start in event.at - size + 1..=event.at {
            if (start - offset) % slide == 0 {
                windows.entry((event.key, start, start + size)).or_default().push(event);
            }
        }
    }
    windows
}

/// The bursts of records less than `gap` apart.
pub(crate) fn sessions(events: &[Event], gap: i64) -> Windows<'_> {
    let mut sorted: Vec<&Event> = events.iter().collect();
    sorted.sort_by_key(|event| (event.key, event.at));
    let mut windows: Vec<((u8, i64, i64), Vec<_>)> = Vec::new();
    for event in sorted {
        match windows.last_mut() {
            Some(((key, _, end), records)) if *key == event.key && event.at < *end => {
                *end = event.at + gap;
                records.push(event);
            }
            _ => windows.push(((event.key, event.at, event.at + gap), vec![event])),
        }
    }
    windows.into_iter().collect()
}

/// What `result` makes of each window, sorted.
pub(crate) fn results<V: Ord>(windows: &Windows<'_>, result: impl Fn(&[&Event]) -> V) -> Vec<(u8, i64, i64, V)> {
    windows.iter().map(|((key, start, end), records)| (*key, *start, *end, result(records))).collect()
}

/// Records of a few keys as time goes on, out of order by a little or by a lot, or not at all.
pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (0_u8..4, 0_i64..8, 0_i64..400, -9_i64..10);
    let disorder = prop_oneof![Just(1_i64), 2_i64..40, Just(400)];
    (prop::collection::vec(one, 1..120), disorder).prop_map(|(records, disorder)| {
        let mut now = -150;
        let mut next = |(key, step, behind, value)| {
            now += step;
            event(key, now - behind % disorder, value)
        };
        records.into_iter().map(&mut next).collect()
    })
}

/// Few cases, because each is a number of whole jobs.
pub(crate) fn few(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() }
}
