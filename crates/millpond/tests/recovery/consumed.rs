//! Functions that consume their record: it is moved on and never copied, and what fails names the moment of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millpond::{Collect, Job, RestartStrategy, RunOptions};
use serde::{Deserialize, Serialize};

use crate::failing::options;
use crate::source::{Gate, Numbers, in_order};

const COUNT: u64 = 3000;

/// How often a text was copied.
static COPIES: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Text(String);

impl Clone for Text {
    fn clone(&self) -> Self {
        COPIES.fetch_add(1, Ordering::Relaxed);
        Text(self.0.clone())
    }
}

#[test]
fn a_record_that_is_consumed_is_not_copied_on_its_way() {
    let (out, gate) = (Collect::<(String, u64)>::new(), Gate::default());
    gate.open(COUNT);
    let sink = out.clone();
    let job = Job::new("consumed", move |env| {
        env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order())
            .uid("numbers")
            .map(|number| (Text(format!("text {number}")), *number))
            .map_owned(|(text, number)| (number % 7, text, number))
            // None of some, and two of others.
            .flat_map_owned(|(group, text, number)| match group {
                0 => vec![],
                1 => vec![(Text(String::new()), number), (text, number)],
                _ => vec![(text, number)],
            })
            .key_by_owned(|(text, number)| (format!("of {}", number % 5), text))
            .fold(|length: &mut u64, text| *length += text.0.len() as u64)
            .uid("lengths")
            .sink(sink.sink())
            .uid("out");
        Ok(())
    });
    job.run(options("consumed", RestartStrategy::None)).unwrap();

    let mut expected = BTreeMap::<String, u64>::new();
    for number in (0..COUNT).filter(|number| number % 7 != 0) {
        *expected.entry(format!("of {}", number % 5)).or_default() += format!("text {number}").len() as u64;
    }
    let mut found = BTreeMap::<String, u64>::new();
    let rows = out.items();
    assert_eq!(
        rows.len() as u64,
        (0..COUNT).map(|number| [0, 2, 1, 1, 1, 1, 1][number as usize % 7]).sum::<u64>()
    );
    for (key, length) in rows {
        let greatest = found.entry(key).or_default();
        *greatest = length.max(*greatest);
    }
    assert_eq!(found, expected);
    assert_eq!(COPIES.load(Ordering::Relaxed), 0);
}

#[test]
fn what_fails_on_a_record_that_it_consumed_names_the_moment() {
    for kind in ["map", "flat_map", "key_by"] {
        let (gate, attempts) = (Gate::default(), Arc::new(AtomicU64::new(0)));
        gate.open(COUNT);
        let failed = Arc::clone(&attempts);
        let job = Job::new("fragile", move |env| {
            let failed = Arc::clone(&failed);
            let check = move |number: u64| {
                if number == 1500 {
                    failed.fetch_add(1, Ordering::Relaxed);
                    panic!("no such airport")
                }
                number
            };
            let numbers = env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order()).uid("numbers");
            let keyed = match kind {
                "map" => numbers.map_owned(check).key_by(|number| number % 3),
                "flat_map" => numbers.flat_map_owned(move |number| [check(number)]).key_by(|number| number % 3),
                _ => numbers.key_by_owned(move |number| (number % 3, check(number))),
            };
            keyed.fold(|sum: &mut u64, number| *sum += number).uid("sums").sink(Collect::new().sink()).uid("out");
            Ok(())
        });
        // It is not known to be the same record each time, so all attempts are made.
        let again = RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_millis(1) };
        let options = RunOptions { checkpoint_interval: Duration::ZERO, ..options(kind, again) };
        let message = job.run(options).unwrap_err().to_string();
        let operator = if kind == "key_by" { "numbers" } else { kind };
        for part in [operator, "no such airport", "on a record of 1970-01-01T00:00:01.5Z"] {
            assert!(message.contains(part), "no '{part}' in: {message}");
        }
        assert_eq!(attempts.load(Ordering::Relaxed), 4, "{message}");
    }
}
