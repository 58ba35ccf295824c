//! Operators and states come, go and are called something else.

use serde_json::{Value, json};

use crate::change::Then::{GoesOn, WithFlags, WithOtherFlags};
use crate::change::{Change, from};
use crate::expected::{after_second, key, sum};

/// Records of what is called `name`: the key, and what `number` makes of the numbers of it.
fn named(name: &str, number: impl Fn(&[u64], &[u64]) -> u64) -> Vec<Value> {
    let records = after_second(key, |first, second| json!(number(first, second)));
    records.into_iter().map(|record| json!([name, record[0], record[1]])).collect()
}

fn sums() -> Vec<Value> {
    named("sum", |first, second| sum(first) + sum(second))
}

fn counts() -> Vec<Value> {
    named("count", |first, second| (first.len() + second.len()) as u64)
}

#[test]
fn an_operator_with_another_uid_is_proposed_and_not_guessed() {
    from(
        "one",
        sums(),
        vec![Change {
            to: "one-of-another-uid",
            says: &[
                "state 'kept/sum' of the snapshot (12 rows) is taken by no operator of this program",
                "'kept' may be what is now called 'held'",
                "--map 'kept=held'",
            ],
            then: WithFlags("--map 'kept=held'", sums()),
        }],
    );
}

#[test]
fn so_is_one_whose_derived_uid_is_another() {
    // What the uids are is frozen with the format.
    const FLAG: &str = "--map 'sum-78eacb6da16c5cc3=sum-ea8c80b0738e7f50'";
    from(
        "derived",
        sums(),
        vec![Change {
            to: "derived-behind-a-filter",
            says: &["is taken by no operator of this program", "may be what is now called", FLAG],
            then: WithFlags(FLAG, sums()),
        }],
    );
}

#[test]
fn an_operator_that_is_new_starts_empty_and_is_said_to() {
    let new = named("count", |_, second| second.len() as u64);
    from(
        "one",
        sums(),
        vec![Change {
            to: "two",
            says: &["counted", "new, empty"],
            then: GoesOn(sums().into_iter().chain(new).collect()),
        }],
    );
}

#[test]
fn an_operator_that_is_gone_takes_nothing_along_unless_told_to() {
    let gone = |then| Change {
        to: "one",
        says: &["state 'counted/count' of the snapshot (12 rows) is taken by no operator of this program"],
        then,
    };
    from(
        "two",
        sums().into_iter().chain(counts()).collect(),
        vec![
            gone(WithFlags("--drop 'counted'", sums())),
            gone(WithOtherFlags { named: "--drop 'counted'", given: "-n", puts_out: sums() }),
        ],
    );
}

#[test]
fn so_is_a_state_that_is_gone() {
    let gone = |then| Change {
        to: "one-state",
        says: &["state 'kept/count' of the snapshot (12 rows) is taken by no operator of this program"],
        then,
    };
    from(
        "two-states",
        sums().into_iter().chain(counts()).collect(),
        vec![
            gone(WithFlags("--drop 'kept/count'", sums())),
            gone(WithOtherFlags { named: "--drop 'kept/count'", given: "-n", puts_out: sums() }),
        ],
    );
}

#[test]
fn a_state_that_is_new_starts_empty_and_is_said_to() {
    let new = named("count", |_, second| second.len() as u64);
    from(
        "one-state",
        sums(),
        vec![Change {
            to: "two-states",
            says: &["count", "new, empty"],
            then: GoesOn(sums().into_iter().chain(new).collect()),
        }],
    );
}
