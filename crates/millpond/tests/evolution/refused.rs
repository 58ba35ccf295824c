//! What is refused, and how it is said: the field, the old type, the new type, the way out. Nothing is written.

use millpond::{Data, StateDescriptor, UserError};
use serde::{Deserialize, Serialize};

use crate::support::{ask, entries, fails, fresh_store, is_refused, plain, write};

const WAY_OUT: &str = ".migrate(|old: OldType| …)";

fn value_refused<V0: Data + Sync, V: Data>(old: V0, reasons: &[&str]) {
    let reasons: Vec<&str> = ["state 'state/state'", WAY_OUT].into_iter().chain(reasons.iter().copied()).collect();
    is_refused::<u64, V0, u64, V>(&[(1, old)], |keys| keys, plain::<V>, &reasons);
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Old {
    count: i64,
    maybe: Option<i32>,
}

fn old() -> Old {
    Old { count: 1, maybe: None }
}

#[test]
fn numbers_that_would_lose_something() {
    value_refused::<_, i32>(1_i64, &["value was i64 and is now i32, which cannot hold every value of it"]);
    value_refused::<_, u64>(1_i32, &["value was i32 and is now u64"]);
    value_refused::<_, i64>(1_u64, &["value was u64 and is now i64"]);
    value_refused::<_, f64>(
        1_i32,
        &["value was i32 and is now f64; whole numbers become fractions only when told to"],
    );
    value_refused::<_, f32>(1_f64, &["value was f64 and is now f32, which is less exact"]);
    value_refused::<_, String>(1_i32, &["value was i32 and is now text"]);
    value_refused::<_, u32>('a', &["value was char and is now u32"]);
}

#[test]
fn a_number_inside() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct New {
        count: i16,
        maybe: Option<i32>,
    }
    value_refused::<_, Vec<New>>(vec![old()], &["value[].count was i64 and is now i16"]);
    value_refused::<_, Vec<(u8, New)>>(vec![(1_u8, old())], &["value[].1.count was i64 and is now i16"]);
}

#[test]
fn a_new_field_without_a_default() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct New {
        count: i64,
        maybe: Option<i32>,
        note: String,
    }
    value_refused::<_, New>(old(), &["value.note (text) is new", "#[serde(default)]", "#[serde(alias = \"…\")]"]);
}

#[test]
fn a_value_that_may_be_absent_without_a_default() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct New {
        count: i64,
        maybe: i32,
    }
    value_refused::<_, New>(old(), &["value.maybe was i32? and is now i32", "#[serde(default)]"]);
}

#[test]
fn a_field_that_is_gone_where_no_others_are_taken() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct New {
        count: i64,
    }
    value_refused::<_, New>(old(), &["value.maybe (i32?) is not a field any more", "deny_unknown_fields"]);
}

#[test]
fn two_fields_that_would_be_one() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct New {
        #[serde(alias = "count", default)]
        maybe: Option<i64>,
    }
    value_refused::<_, New>(old(), &["value.maybe", "value.count", "both names of the field 'maybe'"]);
}

#[test]
fn variants_that_are_gone_or_hold_something_else() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Before {
        A,
        B(i32),
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Gone {
        A,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Else {
        A(u8),
        B(String),
    }
    value_refused::<_, Gone>(Before::B(1), &["value<B> is not a variant any more", "#[serde(alias = \"B\")]"]);
    value_refused::<_, Else>(
        Before::A,
        &["value<A> held nothing and now holds u8", "value<B> was i32 and is now text"],
    );
}

#[test]
fn other_structures() {
    value_refused::<_, Vec<u8>>((1_u8, 2_u8), &["value was (u8, u8) and is now [u8]"]);
    value_refused::<_, (u8, u8, u8)>((1_u8, 2_u8), &["value was (u8, u8) and is now (u8, u8, u8)"]);
}

#[test]
fn a_migration_from_something_else_does_not_help() {
    is_refused::<u64, String, u64, u64>(
        &[(1, "a".to_owned())],
        |keys| keys,
        || StateDescriptor::new("state").migrate(|old: u32| u64::from(old)),
        &["value was text and is now u64"],
    );
}

#[test]
fn a_migration_that_fails_says_for_which_key() {
    let rows = [(7_u64, "seven".to_owned())];
    let failing = || {
        StateDescriptor::new("state")
            .try_migrate(|old: String| old.parse().map_err(|_| UserError::from(format!("'{old}' is no number"))))
    };
    let reasons = [
        "operator 'state', state 'state'",
        "key 7: column 'value': the migration from alloc::string::String failed: 'seven' is no number",
    ];
    fails::<_, _, u64, u64>(&rows, |keys| keys, failing, &reasons);
    let panicking = || StateDescriptor::new("state").migrate(|old: String| -> u64 { panic!("what is {old}?") });
    fails::<_, _, u64, u64>(
        &rows,
        |keys| keys,
        panicking,
        &["key 7: column 'value': the migration from alloc::string::String panicked: what is seven?"],
    );
}

#[test]
fn after_a_migration_that_fails_the_old_program_starts_again_from_the_same_snapshot() {
    let store = fresh_store();
    let rows: Vec<(u64, String)> =
        (0..50).map(|n| (n, if n == 33 { "?".to_owned() } else { n.to_string() })).collect();
    let from = write(&store, 2, &rows);
    let before = entries(&store);
    let failing = || StateDescriptor::new("state").try_migrate(|old: String| Ok(old.parse::<u64>()?));
    let error = ask::<u64, u64>(&store, 3, Some(&from), &[], |keys| keys, failing).expect_err("it must not start");
    let reasons = [
        "operator 'state', state 'state': key 33: column 'value'",
        "the migration from alloc::string::String failed: invalid digit",
        "it could not start",
        &format!("continue from {from}"),
    ];
    for reason in reasons {
        assert!(error.to_string().contains(reason), "expected '{reason}' in: {error}");
    }
    let after = entries(&store);
    assert_eq!(after[..before.len()], before, "the log was changed");
    let kinds: Vec<_> = after[before.len()..].iter().map(|entry| entry.body.kind()).collect();
    assert_eq!(kinds, ["start", "failure"]);
    // By its name alone.
    let keys: Vec<u64> = rows.iter().map(|(key, _)| *key).collect();
    let (mut found, _) = ask::<u64, String>(&store, 1, None, &keys, |keys| keys, plain::<String>).unwrap();
    found.sort();
    assert_eq!(found, rows.into_iter().map(|(key, value)| (key, Some(value))).collect::<Vec<_>>());
}
