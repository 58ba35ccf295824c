//! What a loop over the records leaves behind. It shares nothing with the engine, and nothing with the program but the
//! constants: it goes through the records one by one and keeps maps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::input::{COUNT, amount, is_left, key};
use crate::program::{BLOCK, BUCKET, Line, WINDOW};
use crate::source::SPLITS;

/// How far each split has been read: the first number of it that has not.
pub(crate) type Cut = [u64; SPLITS as usize];

/// The cut before the number `limit`.
pub(crate) fn cut_at(limit: u64) -> Cut {
    std::array::from_fn(|split| (0..).map(|n| n * SPLITS + split as u64).find(|n| *n >= limit).unwrap_or(limit))
}

/// Which version of the program has processed what: each up to a cut, from the one before on.
pub(crate) type History = Vec<(Cut, usize)>;

/// What is known at the end of a history.
#[derive(Default)]
pub(crate) struct Expected {
    /// All output, but for the bundles: what is in which depends on who reads what.
    pub(crate) lines: Vec<Line>,
    /// The numbers that have been processed.
    pub(crate) numbers: Vec<u64>,
    /// The rows of each keyed state that is not empty, by `uid/state`.
    pub(crate) states: BTreeMap<String, Vec<Value>>,
}

#[derive(Default)]
struct OfKey {
    count: u64,
    sum: i64,
    greatest: i64,
    before: u64,
    obsolete: i64,
    fresh: i64,
    buckets: BTreeMap<u64, i64>,
    windows: BTreeMap<u64, i64>,
    left: Vec<u64>,
    right: Vec<u64>,
}

/// The version that processed `number`, if one has.
fn version_of(history: &History, number: u64) -> Option<usize> {
    history.iter().find(|(cut, _)| cut[(number % SPLITS) as usize] > number).map(|(_, version)| *version)
}

/// What the records of `history` amount to. `now` is the version that has the state last; `ended` if the input has.
pub(crate) fn expected(history: &History, now: usize, ended: bool) -> Expected {
    let mut expected = Expected::default();
    let mut keys = BTreeMap::<u64, OfKey>::new();
    for number in 0..COUNT {
        let Some(version) = version_of(history, number) else { continue };
        expected.numbers.push(number);
        let key = key(&number);
        let of = keys.entry(key).or_default();
        let lines = &mut expected.lines;
        let mut say = |who: &str, what: Vec<i64>| lines.push((who.to_owned(), key, what));
        let amount = i64::from(amount(number));
        if version < 3 {
            of.before += 1;
        }
        of.count += 1;
        of.sum += amount;
        if version >= 1 {
            of.greatest = of.greatest.max(amount);
        }
        say("total", vec![of.count as i64, of.sum, of.greatest]);
        say("seen", vec![of.count as i64, if version < 3 { 0 } else { of.before as i64 }]);
        if version < 2 {
            of.obsolete += 1;
            say("obsolete", vec![of.obsolete]);
        } else {
            of.fresh += 1;
            say("fresh", vec![of.fresh]);
        }
        *of.buckets.entry(number / BUCKET).or_default() += 1;
        *of.windows.entry(number / WINDOW * WINDOW).or_default() += amount;
        let (own, other) = if is_left(&number) { (&mut of.left, &of.right) } else { (&mut of.right, &of.left) };
        own.push(number);
        for other in other.iter().filter(|other| *other / BLOCK == number / BLOCK) {
            let (left, right) = if is_left(&number) { (number, *other) } else { (*other, number) };
            say("pair", vec![left as i64, right as i64]);
        }
    }
    let watermark = if ended { i64::MAX } else { watermark(&expected.numbers) };
    for (key, of) in keys {
        expected.end(key, of, watermark, now);
    }
    expected.lines.sort();
    expected.states.values_mut().for_each(|rows| rows.sort_by_key(ToString::to_string));
    expected
}

/// The least over the splits of the greatest time, less one; nothing before each has one.
fn watermark(numbers: &[u64]) -> i64 {
    let greatest = |split| numbers.iter().filter(|number| *number % SPLITS == split).max();
    (0..SPLITS)
        .map(|split| greatest(split).map_or(i64::MIN, |number| *number as i64 - 1))
        .min()
        .unwrap_or(i64::MIN)
}

impl Expected {
    /// What is over by `watermark` has been put out, and the rest is state.
    fn end(&mut self, key: u64, of: OfKey, watermark: i64, now: usize) {
        let mut row = |state: &str, row: Value| self.states.entry(state.to_owned()).or_default().push(row);
        let value = |value: Value| json!({ "key": key, "value": value });
        row(
            "totals/folded",
            value(match now {
                0 => json!({ "sum": of.sum, "count": of.count }),
                1 => json!({ "count": of.count, "sum": of.sum, "greatest": of.greatest }),
                _ => json!({ "greatest": of.greatest, "total": of.sum, "count": of.count }),
            }),
        );
        row(
            "visits/seen",
            value(match now {
                0..3 => json!(of.count),
                _ => json!({ "count": of.count, "before": of.before }),
            }),
        );
        if now < 2 {
            row("obsolete/count", value(json!(of.obsolete)));
        } else if of.fresh > 0 {
            row("fresh/count", value(json!(of.fresh)));
        }
        for (side, numbers) in [("pairs/left", of.left), ("pairs/right", of.right)] {
            if !numbers.is_empty() {
                row(side, value(json!(numbers)));
            }
        }
        for (bucket, count) in of.buckets {
            let end = ((bucket + 1) * BUCKET) as i64;
            if end <= watermark {
                self.lines.push(("bucket".to_owned(), key, vec![bucket as i64, count]));
            } else {
                row("visits/buckets", json!({ "key": key, "map_key": bucket, "value": count }));
                row("visits/event-timers", json!({ "key": key, "timestamp": end }));
            }
        }
        for (start, sum) in of.windows {
            let end = (start + WINDOW) as i64;
            if end - 1 <= watermark {
                self.lines.push(("window".to_owned(), key, vec![start as i64, sum]));
            } else {
                let window = json!({ "start": start, "end": end });
                row("windows/windows", json!({ "key": key, "map_key": window, "value": sum }));
                row("windows/event-timers", json!({ "key": key, "timestamp": end - 1 }));
            }
        }
    }
}
