//! What the job of the guide should have counted, and what it did: loops over lines, without the engine.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Flights, late ones, cancelled ones.
pub(crate) type Counts = (u64, u64, u64);
pub(crate) type ByCarrier = BTreeMap<String, Counts>;

/// From how many minutes on a departure is late, unless told otherwise.
pub(crate) const LATE: i64 = 15;

/// What is to be counted of a flight: its delay, or that it was cancelled, gives (late, cancelled).
pub(crate) type Rule = fn(Option<i64>) -> (bool, bool);

/// The first version: nothing of cancelled flights.
pub(crate) fn first(delay: Option<i64>) -> (bool, bool) {
    (delay.is_some_and(|minutes| minutes >= LATE), false)
}

/// The second version, with its bug.
pub(crate) fn second(delay: Option<i64>) -> (bool, bool) {
    (delay.is_none_or(|minutes| minutes >= LATE), delay.is_none())
}

/// The third version.
pub(crate) fn third(delay: Option<i64>) -> (bool, bool) {
    (delay.is_some_and(|minutes| minutes >= LATE), delay.is_none())
}

/// The flights of some days of January, counted by one rule, and then those of other days by another, and so on.
pub(crate) fn counted(parts: &[(std::ops::RangeInclusive<u32>, Rule)]) -> ByCarrier {
    let path = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("data/flights-2013-01.csv");
    let csv = std::fs::read_to_string(path).unwrap();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (day, delay, carrier) = (column("day"), column("dep_delay"), column("carrier"));
    let mut counts = ByCarrier::new();
    for row in lines {
        for (days, rule) in parts {
            if days.contains(&row[day].parse().unwrap()) {
                let (late, cancelled) = rule(row[delay].parse().ok());
                let count = counts.entry(row[carrier].to_owned()).or_default();
                *count = (count.0 + 1, count.1 + u64::from(late), count.2 + u64::from(cancelled));
            }
        }
    }
    assert!(counts.len() > 10, "an oracle over nothing proves nothing");
    counts
}

/// The committed lines in a folder of results, each carrier's in the order of its flights.
fn lines(folder: &Path) -> BTreeMap<String, Vec<Counts>> {
    let mut carriers = BTreeMap::<String, Vec<Counts>>::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let number = |field: &str| line[field].as_u64();
            // The first version does not say how many were cancelled.
            let counts = (number("flights").unwrap(), number("late").unwrap(), number("cancelled").unwrap_or(0));
            carriers.entry(line["carrier"].as_str().unwrap().to_owned()).or_default().push(counts);
        }
    }
    carriers.values_mut().for_each(|lines| lines.sort_unstable());
    carriers
}

/// What a folder of results comes to must be `expected`; and there must be one line for each flight behind those of
/// `before`, none missing and none twice.
pub(crate) fn assert_results(folder: &Path, before: &ByCarrier, expected: &ByCarrier) {
    let lines = lines(folder);
    assert!(!lines.is_empty(), "{} has no results", folder.display());
    let last =
        lines.iter().map(|(carrier, lines)| (carrier.clone(), lines[lines.len() - 1])).collect::<ByCarrier>();
    assert_eq!(&last, expected, "the last line of each carrier in {}", folder.display());
    for (carrier, lines) in &lines {
        let numbers: Vec<u64> = lines.iter().map(|counts| counts.0).collect();
        let begin = before.get(carrier).map_or(0, |counts| counts.0);
        let all: Vec<u64> = (begin + 1..=expected[carrier].0).collect();
        assert_eq!(numbers, all, "the lines of carrier {carrier} in {}", folder.display());
    }
}
