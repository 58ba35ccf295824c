//! Event-time timers: a tumbling window made by hand.

use std::collections::BTreeMap;

use crate::buckets::{BUCKET, Buckets};
use crate::harness::{COUNT, recovers};
use crate::source::in_order;

#[test]
fn a_timer_fires_once_with_all_that_was_before_it() {
    let mut sums = BTreeMap::<(u64, u64), u64>::new();
    for number in 0..COUNT {
        *sums.entry((number % 7, number / BUCKET * BUCKET)).or_default() += number;
    }
    recovers(
        1,
        |env, numbers, ledger| {
            env.source(numbers, in_order())
                .uid("numbers")
                // Seven keys: each gets numbers from every split, so the watermark is a minimum.
                .key_by(|number| number % 7)
                .process(|setup| Buckets { sums: setup.map("sums") })
                .uid("buckets")
                .sink(ledger.sink())
                .uid("ledger");
        },
        sums.into_iter().map(|((key, start), sum)| (key, start, sum)).collect(),
    );
}
