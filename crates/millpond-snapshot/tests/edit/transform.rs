//! Rows of a state, read, changed and written.

use std::collections::BTreeMap;

use millpond_snapshot::Error;
use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::edit::{Edit, MapRow, Publish, TimerRow, ValueRow};
use millpond_snapshot::repository::{StateDiff, diff, resolve};
use millpond_snapshot::state::DiffCounts;
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{OperatorUid, StateName, Store};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::common::job;
use crate::fixture::{fixture, stop};
use crate::rows::{all, expected, totals};
use crate::{Total, edit_of, publish, state, uid};

fn sum_total() -> (OperatorUid, StateName) {
    (uid("sum"), state("total"))
}

#[tokio::test]
async fn rows_are_changed_and_the_difference_is_just_that() {
    let f = fixture("edit-map").await;
    stop(&f.log).await;
    let (sum, total) = sum_total();
    let mut edit = edit_of(&f).await;
    let written = edit
        .state::<Total>(&sum, &total)
        .unwrap()
        .filter(|row| row.key != "c")
        .map_values(|key, value| if key == "a" { value + 1 } else { value })
        .write()
        .await
        .unwrap();
    assert_eq!((written.read, written.written), (3, 2));
    let edited = publish(&f.store, edit).await;
    assert_eq!(totals(&edited, "sum", "total").await, expected([("a", 11), ("d", 4)]));
    let parent = resolve(&f.store, "flights@4").await.unwrap();
    assert_eq!(totals(&parent, "sum", "total").await, expected([("a", 10), ("c", 3), ("d", 4)]));
    let found = diff(&parent, &edited, |_, _| {}).await.unwrap();
    let counts = DiffCounts { added: 0, removed: 1, changed: 1, same: 1 };
    assert_eq!(found.common.into_values().collect::<Vec<_>>(), [StateDiff::Rows(counts)]);
}

#[tokio::test]
async fn keys_and_types_may_change() {
    let f = fixture("edit-types").await;
    stop(&f.log).await;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stats {
        sum: f64,
        note: Option<String>,
    }
    let (sum, total) = sum_total();
    let mut edit = edit_of(&f).await;
    let rows = edit.state::<Total>(&sum, &total).unwrap();
    let rows = rows.flat_map(|row| {
        let number = u32::from(row.key.as_bytes()[0]);
        [number, number + 1000].map(|key| ValueRow::new(key, Stats { sum: row.value as f64, note: None }))
    });
    let written = rows.write_with([ValueRow::new(7, Stats { sum: 0.5, note: Some("new".into()) })]).await.unwrap();
    assert_eq!((written.read, written.written), (3, 7));
    let edited = publish(&f.store, edit).await;
    #[derive(Deserialize)]
    struct Row {
        key: u32,
        value: Stats,
    }
    let rows: Vec<Row> = all(&edited, "sum", "total").await;
    let found: BTreeMap<u32, f64> = rows.iter().map(|row| (row.key, row.value.sum)).collect();
    let values = [(97, 10.0), (99, 3.0), (100, 4.0), (1097, 10.0), (1099, 3.0), (1100, 4.0), (7, 0.5)];
    assert_eq!(found, BTreeMap::from(values));
    assert_eq!(rows.iter().filter(|row| row.value.note.is_some()).count(), 1);
}

#[tokio::test]
async fn two_rows_of_one_key_are_refused_by_name_and_nothing_changes() {
    let f = fixture("edit-twice").await;
    stop(&f.log).await;
    let (sum, total) = sum_total();
    let mut edit = edit_of(&f).await;
    let error =
        edit.state::<Total>(&sum, &total).unwrap().map(|row| Total { key: "z".into(), ..row }).write().await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, Error::InvalidInput(text) if text.contains("sum/total") && text.contains("\"z\"")),
        "{error}"
    );
    let added =
        edit.state::<Total>(&sum, &total).unwrap().write_with([Total::new("a".into(), 1)]).await.unwrap_err();
    assert!(added.to_string().contains("\"a\""), "{added}");
    edit.state::<Total>(&sum, &total).unwrap().write_with([Total::new("b".into(), 1)]).await.unwrap();
    let edited = publish(&f.store, edit).await;
    assert_eq!(totals(&edited, "sum", "total").await, expected([("a", 10), ("b", 1), ("c", 3), ("d", 4)]));
}

#[tokio::test]
async fn other_types_and_kinds_than_the_state_has_are_refused() {
    let f = fixture("edit-wrong").await;
    stop(&f.log).await;
    let (sum, total) = sum_total();
    let mut edit = edit_of(&f).await;
    let error = edit.state::<ValueRow<u64, u64>>(&sum, &total).err().unwrap();
    assert!(
        matches!(&error, Error::InvalidInput(text) if text.contains("key Utf8") && text.contains("key UInt64")),
        "{error}"
    );
    let error = edit.state::<MapRow<String, u8, u64>>(&sum, &total).err().unwrap();
    assert!(matches!(&error, Error::InvalidInput(text) if text.contains("value state")), "{error}");
    let failing = edit.state::<Total>(&sum, &total).unwrap().try_flat_map(|row| match row.key.as_str() {
        "c" => Err("not this one"),
        _ => Ok([row]),
    });
    let error = failing.write().await.unwrap_err();
    assert!(error.to_string().contains("sum/total: the row of \"c\": not this one"), "{error}");
    let timers = edit.state::<Total>(&sum, &total).unwrap().map(|row| TimerRow::new(row.key, 0)).write().await;
    assert!(matches!(timers, Err(Error::InvalidInput(_))));
}

#[tokio::test]
async fn maps_lists_timers_and_expiry_survive_a_round_trip() {
    let store = Store::open("memory://edit-kinds", OpenMode::CreateIfMissing).await.unwrap();
    let name = job("kinds");
    let op = uid("op");
    let mut edit = Edit::of_nothing(&store, &name).await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let entries = [(1u64, "x", 5i32), (1, "y", 6), (2, "x", 7)];
    let entries =
        entries.map(|(key, at, value)| MapRow { expires_at: Some(900), ..MapRow::new(key, at.to_owned(), value) });
    edit.bootstrap(&op, &state("map")).unwrap().ttl(hour).write(entries.clone()).await.unwrap();
    let lists = [ValueRow::new(2u64, vec![1u8, 2]), ValueRow::new(1, vec![])];
    edit.bootstrap(&op, &state("list")).unwrap().kind(StateKind::List).write(lists).await.unwrap();
    let timers = [(1u64, 30i64), (1, 10), (2, 20)].map(|(key, at)| TimerRow::new(key, at));
    edit.bootstrap(&op, &state("event-timers")).unwrap().write(timers).await.unwrap();
    let first = publish(&store, edit).await;
    assert_eq!(first.entry.id().to_string(), "kinds@1");

    let mut edit = Edit::of(&first, &store, &name).await.unwrap();
    type Entry = MapRow<u64, String, i32>;
    edit.state::<Entry>(&op, &state("map")).unwrap().map_values(|_, _, value| value * 10).write().await.unwrap();
    edit.state::<ValueRow<u64, Vec<u8>>>(&op, &state("list"))
        .unwrap()
        .map_values(|_, mut list| {
            list.push(9);
            list
        })
        .write()
        .await
        .unwrap();
    edit.state::<TimerRow<u64>>(&op, &state("event-timers"))
        .unwrap()
        .map(|timer| TimerRow { timestamp: timer.timestamp + 5, ..timer })
        .write()
        .await
        .unwrap();
    let second = publish(&store, edit).await;
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct MapEntry {
        key: u64,
        map_key: String,
        value: i32,
        expires_at: Option<i64>,
    }
    let mut rows: Vec<MapEntry> = all(&second, "op", "map").await;
    rows.sort();
    let entry = |key, at: &str, value| MapEntry { key, map_key: at.to_owned(), value, expires_at: Some(900) };
    assert_eq!(rows, [entry(1, "x", 50), entry(1, "y", 60), entry(2, "x", 70)]);
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct List {
        key: u64,
        value: Vec<u8>,
    }
    let mut rows: Vec<List> = all(&second, "op", "list").await;
    rows.sort();
    assert_eq!(rows, [List { key: 1, value: vec![9] }, List { key: 2, value: vec![1, 2, 9] }]);
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct At {
        key: u64,
        timestamp: i64,
    }
    let mut rows: Vec<At> = all(&second, "op", "event-timers").await;
    rows.sort();
    assert_eq!(rows, [(1, 15), (1, 35), (2, 25)].map(|(key, timestamp)| At { key, timestamp }));
}

#[tokio::test]
async fn keys_of_an_operator_are_of_one_type() {
    let store = Store::open("memory://edit-key-types", OpenMode::CreateIfMissing).await.unwrap();
    let mut edit = Edit::of_nothing(&store, &job("types")).await.unwrap();
    edit.bootstrap(&uid("op"), &state("a")).unwrap().write([ValueRow::new(1u64, 1u8)]).await.unwrap();
    edit.bootstrap(&uid("op"), &state("b")).unwrap().write([ValueRow::new("x".to_owned(), 1u8)]).await.unwrap();
    let error = edit.publish(Publish::default()).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidInput(text) if text.contains("operator op")), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Any rows, in any order, through files of a few rows each: as a map does it.
    #[test]
    fn a_change_of_keys_is_what_a_map_makes_of_it(
        content in prop::collection::btree_map("[a-f]{1,4}", 0u64..1000, 0..300),
        modulus in 1u64..40,
        budget in 1usize..20_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let address = format!("memory://edit-prop-{modulus}-{budget}-{}", content.len());
            let store = Store::open(&address, OpenMode::CreateIfMissing).await.unwrap();
            let mut edit = Edit::of_nothing(&store, &job("p")).await.unwrap();
            edit.sort_budget(budget);
            let rows = content.iter().rev().map(|(key, value)| ValueRow::new(key.clone(), *value));
            edit.bootstrap(&uid("op"), &state("s")).unwrap().write(rows).await.unwrap();
            let changed = edit.state::<Total>(&uid("op"), &state("s")).unwrap();
            let changed = changed.filter(|row| row.value % modulus != 0).map(|row| Total {
                key: format!("{}{}", row.key.len(), row.key),
                ..row
            });
            changed.write().await.unwrap();
            let found = publish(&store, edit).await;
            let expected: BTreeMap<String, u64> = content
                .iter()
                .filter(|(_, value)| *value % modulus != 0)
                .map(|(key, value)| (format!("{}{key}", key.len()), *value))
                .collect();
            assert_eq!(totals(&found, "op", "s").await, expected);
        });
    }
}
