//! Values: what becomes of fields that are new, gone, renamed, wider, optional; wherever they stand.

use std::collections::BTreeMap;

use millpond::{Data, StateDescriptor, TypedDescriptor};
use serde::{Deserialize, Serialize};

use crate::support::{becomes, plain};

/// What the values of 100 keys become.
fn values<V0: Data + Sync, V: Data>(
    old: impl Fn(u64) -> V0,
    state: impl Fn() -> TypedDescriptor<V> + Clone + Send + Sync + 'static,
    new: impl Fn(u64) -> V,
) {
    let rows: Vec<(u64, V0)> = (0..100).map(|n| (n, old(n))).collect();
    let expected: Vec<(u64, V)> = (0..100).map(|n| (n, new(n))).collect();
    becomes(&rows, |keys| keys, state, &expected);
}

/// Types as they were.
mod old {
    use super::*;
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Reading {
        pub(super) count: i32,
        pub(super) mean: f32,
        pub(super) gone: String,
        pub(super) was: u8,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Station {
        pub(super) readings: Vec<Reading>,
        pub(super) by_name: BTreeMap<String, Reading>,
        pub(super) pair: (i8, Option<Reading>),
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Maybe {
        pub(super) a: i32,
        pub(super) b: Option<i32>,
        pub(super) list: Vec<Inner>,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Inner {
        pub(super) c: Option<u8>,
        pub(super) d: char,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) enum Plain {
        A,
        B,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) enum Holding {
        Nothing,
        Number(i32),
        Named { x: u8 },
    }
}

/// The same types, as they are now.
mod new {
    use super::*;
    fn one() -> f64 {
        1.0
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Reading {
        #[serde(alias = "was")]
        pub(super) is: u16,
        pub(super) count: i64,
        pub(super) mean: f64,
        pub(super) note: Option<String>,
        #[serde(default = "one")]
        pub(super) weight: f64,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Station {
        pub(super) pair: (i16, Option<Reading>),
        pub(super) readings: Vec<Reading>,
        pub(super) by_name: BTreeMap<String, Reading>,
    }
    fn seven() -> i64 {
        7
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Maybe {
        pub(super) a: Option<i32>,
        #[serde(default = "seven")]
        pub(super) b: i64,
        pub(super) list: Vec<Inner>,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Inner {
        #[serde(default)]
        pub(super) c: u8,
        pub(super) d: char,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) enum Plain {
        C,
        A,
        B,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) enum Holding {
        Nothing,
        Number(i64),
        More(String),
        Named {
            x: u8,
            #[serde(default)]
            y: i8,
        },
    }
}

fn old_reading(n: u64) -> old::Reading {
    old::Reading { count: n as i32 - 50, mean: n as f32 / 4.0, gone: format!("gone {n}"), was: n as u8 }
}

fn new_reading(n: u64) -> new::Reading {
    new::Reading { is: n as u16, count: n as i64 - 50, mean: n as f64 / 4.0, note: None, weight: 1.0 }
}

#[test]
fn fields_are_added_removed_renamed_and_widened() {
    values(old_reading, plain::<new::Reading>, new_reading);
}

#[test]
fn so_are_those_of_structs_in_lists_maps_tuples_and_options() {
    let names = |n: u64| (0..n % 3).map(|i| format!("{i}"));
    values(
        |n| old::Station {
            readings: (0..n % 4).map(old_reading).collect(),
            by_name: names(n).map(|name| (name, old_reading(n))).collect(),
            pair: (-(n as i8), (n % 2 == 0).then(|| old_reading(n))),
        },
        plain::<new::Station>,
        |n| new::Station {
            readings: (0..n % 4).map(new_reading).collect(),
            by_name: names(n).map(|name| (name, new_reading(n))).collect(),
            pair: (-(n as i16), (n % 2 == 0).then(|| new_reading(n))),
        },
    );
}

#[test]
fn what_was_required_may_be_absent_and_what_was_absent_takes_the_default() {
    let letter = |n: u64| char::from(b'a' + (n % 26) as u8);
    values(
        |n| old::Maybe {
            a: n as i32,
            b: (n % 3 == 0).then_some(n as i32),
            list: (0..n % 3).map(|i| old::Inner { c: (i == 0).then_some(9), d: letter(n) }).collect(),
        },
        plain::<new::Maybe>,
        |n| new::Maybe {
            a: Some(n as i32),
            b: if n % 3 == 0 { n as i64 } else { 7 },
            list: (0..n % 3).map(|i| new::Inner { c: if i == 0 { 9 } else { 0 }, d: letter(n) }).collect(),
        },
    );
}

#[test]
fn variants_are_added() {
    values(
        |n| if n % 2 == 0 { old::Plain::A } else { old::Plain::B },
        plain::<new::Plain>,
        |n| if n % 2 == 0 { new::Plain::A } else { new::Plain::B },
    );
}

#[test]
fn so_they_are_where_they_hold_something_and_what_they_hold_changes_too() {
    values(
        |n| match n % 3 {
            0 => old::Holding::Nothing,
            1 => old::Holding::Number(n as i32),
            _ => old::Holding::Named { x: n as u8 },
        },
        plain::<new::Holding>,
        |n| match n % 3 {
            0 => new::Holding::Nothing,
            1 => new::Holding::Number(n as i64),
            _ => new::Holding::Named { x: n as u8, y: 0 },
        },
    );
}

#[test]
fn an_enum_that_begins_to_hold_something_takes_up_the_names() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Later {
        A,
        B,
        Held(u8),
    }
    let _ = Later::Held(1);
    values(
        |n| (n, if n % 2 == 0 { old::Plain::A } else { old::Plain::B }),
        plain::<(u64, Later)>,
        |n| (n, if n % 2 == 0 { Later::A } else { Later::B }),
    );
}

#[test]
fn unsigned_numbers_fit_into_wider_signed_ones() {
    values(|n| n as u32 + u32::MAX / 2, plain::<i64>, |n| n as i64 + i64::from(u32::MAX / 2));
    values(|n| n as u8, plain::<Option<u64>>, Some);
}

#[test]
fn what_no_rule_covers_is_migrated() {
    values(
        |n| n as i32,
        || StateDescriptor::new("state").migrate(|old: i32| f64::from(old) / 2.0),
        |n| n as f64 / 2.0,
    );
}

#[test]
fn of_several_migrations_the_one_whose_type_is_there_is_taken() {
    let state = || {
        StateDescriptor::new("state")
            .migrate(|old: String| vec![old])
            .migrate(|old: u64| vec![format!("number {old}")])
            .try_migrate(|old: (u8, String)| Ok(vec![old.1; usize::from(old.0)]))
    };
    values(|n| format!("text {n}"), state, |n| vec![format!("text {n}")]);
    values(|n| n, state, |n| vec![format!("number {n}")]);
    values(|n| ((n % 3) as u8, "x".to_owned()), state, |n| vec!["x".to_owned(); (n % 3) as usize]);
}

#[test]
fn a_migration_comes_before_the_rules() {
    // i32 → i64 would do by itself; the function says more.
    values(
        |n| n as i32,
        || StateDescriptor::new("state").migrate(|old: i32| i64::from(old) * 10),
        |n| n as i64 * 10,
    );
}
