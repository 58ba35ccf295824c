//! Keys that become one: with a merge one row is made of theirs, without it they are named.

use std::collections::BTreeMap;

use millpond_snapshot::Store;
use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::edit::{Edit, MapRow, TimerRow, ValueRow};
use millpond_snapshot::hash::key_hash;
use millpond_snapshot::store::OpenMode;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::common::job;
use crate::fixture::{fixture, stop};
use crate::rows::{all, expected, totals};
use crate::{Total, edit_of, publish, state, uid};

type List = ValueRow<u64, Vec<u64>>;

fn joined(mut one: Vec<u64>, other: Vec<u64>) -> Vec<u64> {
    one.extend(other);
    one
}

async fn empty(name: &str) -> (Store, Edit) {
    let store = Store::open(&format!("memory://{name}"), OpenMode::CreateIfMissing).await.unwrap();
    let edit = Edit::of_nothing(&store, &job("m")).await.unwrap();
    (store, edit)
}

async fn lists(found: &millpond_snapshot::repository::Resolved) -> BTreeMap<u64, Vec<u64>> {
    #[derive(Deserialize)]
    struct Row {
        key: u64,
        value: Vec<u64>,
    }
    let rows: Vec<Row> = all(found, "op", "s").await;
    let count = rows.len();
    let lists: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key, row.value)).collect();
    assert_eq!(lists.len(), count, "a key appears twice");
    lists
}

/// Lists of one number under each of these keys, and what they are joined to when a key becomes its remainder and there
/// are others besides; done by hand.
fn by_hand(keys: &[u64], modulus: u64, added: &[(u64, u64)]) -> BTreeMap<u64, Vec<u64>> {
    let mut keys = keys.to_vec();
    // The order of a state.
    keys.sort_by_key(|key| key_hash(key).unwrap());
    let mut lists = BTreeMap::<u64, Vec<u64>>::new();
    for key in keys {
        lists.entry(key % modulus).or_default().push(key * 2);
    }
    for (key, value) in added {
        lists.entry(*key).or_default().push(*value);
    }
    lists
}

async fn merged(
    name: &str,
    keys: &[u64],
    modulus: u64,
    added: &[(u64, u64)],
    budget: usize,
) -> BTreeMap<u64, Vec<u64>> {
    let (store, mut edit) = empty(name).await;
    edit.sort_budget(budget);
    let rows = keys.iter().map(|key| List::new(*key, vec![key * 2]));
    edit.bootstrap(&uid("op"), &state("s")).unwrap().kind(StateKind::List).write(rows).await.unwrap();
    let written = edit
        .state::<List>(&uid("op"), &state("s"))
        .unwrap()
        .map(|row| List { key: row.key % modulus, ..row })
        .merge(joined)
        .write_with(added.iter().map(|(key, value)| List::new(*key, vec![*value])))
        .await
        .unwrap();
    let found = lists(&publish(&store, edit).await).await;
    assert_eq!((written.read, written.written), (keys.len() as u64, found.len() as u64));
    found
}

#[tokio::test]
async fn thousands_of_rows_become_one_across_files_in_the_order_in_which_they_came() {
    let keys: Vec<u64> = (0..20_000).map(|n| n * 31).collect();
    let added: Vec<(u64, u64)> = (0..10_000).map(|n| (n % 3, n)).collect();
    // A budget of nothing: each four thousand rows are a file; and one for all.
    for (modulus, budget) in [(1, 1), (3, 1), (701, 1), (19_999, 1), (3, usize::MAX)] {
        let found = merged(&format!("edit-merge-{modulus}-{budget}"), &keys, modulus, &added, budget).await;
        assert!(found.values().map(Vec::len).max().unwrap() > 3000);
        assert_eq!(found, by_hand(&keys, modulus, &added), "modulus {modulus}, budget {budget}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_rows_merge_as_by_hand(
        keys in prop::collection::btree_set(0u64..1000, 1..200),
        added in prop::collection::vec((0u64..50, 0u64..1000), 0..50),
        modulus in 1u64..60,
        budget in 1usize..20_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let keys: Vec<u64> = keys.into_iter().collect();
        let name = format!("edit-merge-any-{modulus}-{budget}-{}-{}", keys.len(), added.len());
        let found = runtime.block_on(merged(&name, &keys, modulus, &added, budget));
        prop_assert_eq!(found, by_hand(&keys, modulus, &added));
    }
}

#[tokio::test]
async fn without_a_merge_the_key_and_the_way_out_are_named() {
    let f = fixture("edit-merge-none").await;
    stop(&f.log).await;
    let (op, name) = (uid("sum"), state("total"));
    let mut edit = edit_of(&f).await;
    let one = |row: Total| Total { key: "all".to_owned(), ..row };
    let error = edit.state::<Total>(&op, &name).unwrap().map(one).write().await.unwrap_err().to_string();
    for part in ["sum/total", "two rows for \"all\"", "merge(|one, other| …)"] {
        assert!(error.contains(part), "expected '{part}' in: {error}");
    }
    let failing = edit.state::<Total>(&op, &name).unwrap().map(one);
    let failing = failing
        .try_merge(|one, other| Err(format!("{} and {} do not go together", one.min(other), one.max(other))));
    let error = failing.write().await.unwrap_err().to_string();
    for part in ["sum/total", "two rows of \"all\" do not make one", "do not go together"] {
        assert!(error.contains(part), "expected '{part}' in: {error}");
    }
    // The state is as it was.
    let written =
        edit.state::<Total>(&op, &name).unwrap().map(one).merge(|one, other| one + other).write().await.unwrap();
    assert_eq!((written.read, written.written), (3, 1));
    assert_eq!(totals(&publish(&f.store, edit).await, "sum", "total").await, expected([("all", 17)]));
}

#[tokio::test]
async fn entries_of_maps_merge_by_both_keys_and_live_as_long_as_either() {
    let (store, mut edit) = empty("edit-merge-maps").await;
    type Entry = MapRow<u64, String, u64>;
    let entry = |key, at: &str, value, expires_at| Entry { expires_at, ..Entry::new(key, at.to_owned(), value) };
    let entries = [
        entry(1, "x", 1, Some(10)),
        entry(3, "x", 2, Some(30)),
        entry(5, "x", 4, Some(20)),
        entry(1, "y", 8, Some(5)),
        entry(2, "x", 16, Some(7)),
        entry(4, "x", 32, None),
    ];
    let hour = std::time::Duration::from_secs(3600);
    edit.bootstrap(&uid("op"), &state("s")).unwrap().ttl(hour).write(entries).await.unwrap();
    let rows = edit.state::<Entry>(&uid("op"), &state("s")).unwrap();
    let written =
        rows.map(|row| Entry { key: row.key % 2, ..row }).merge(|one, other| one + other).write().await.unwrap();
    assert_eq!((written.read, written.written), (6, 3));
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct Row {
        key: u64,
        map_key: String,
        value: u64,
        expires_at: Option<i64>,
    }
    let mut rows: Vec<Row> = all(&publish(&store, edit).await, "op", "s").await;
    rows.sort();
    let row = |key, at: &str, value, expires_at| Row { key, map_key: at.to_owned(), value, expires_at };
    assert_eq!(rows, [row(0, "x", 48, None), row(1, "x", 7, Some(30)), row(1, "y", 8, Some(5))]);
}

#[tokio::test]
async fn a_timer_that_several_keys_had_is_one() {
    let (store, mut edit) = empty("edit-merge-timers").await;
    edit.sort_budget(1);
    // Ten thousand timers of a hundred keys, at ten moments.
    let timers = (0..1000u64).map(|n| TimerRow::new(n / 10, (n % 10) as i64));
    edit.bootstrap(&uid("op"), &state("event-timers")).unwrap().write(timers).await.unwrap();
    let rows = edit.state::<TimerRow<u64>>(&uid("op"), &state("event-timers")).unwrap();
    let written = rows.map(|timer| TimerRow { key: timer.key % 3, ..timer }).write().await.unwrap();
    assert_eq!((written.read, written.written), (1000, 30));
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct At {
        key: u64,
        timestamp: i64,
    }
    let mut rows: Vec<At> = all(&publish(&store, edit).await, "op", "event-timers").await;
    rows.sort();
    let expected: Vec<At> = (0..3).flat_map(|key| (0..10).map(move |timestamp| At { key, timestamp })).collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn so_are_rows_of_a_state_that_is_written_anew() {
    let (store, mut edit) = empty("edit-merge-bootstrap").await;
    edit.sort_budget(1);
    let rows = || (0..10_000u64).map(|n| Total::new(format!("k{}", n % 7), n));
    let refused = edit.bootstrap(&uid("op"), &state("s")).unwrap().write(rows()).await.unwrap_err().to_string();
    assert!(refused.contains("two rows for \"k") && refused.contains("merge("), "{refused}");
    let new = edit.bootstrap(&uid("op"), &state("s")).unwrap().merge(|one: u64, other| one.max(other));
    assert_eq!(new.write(rows()).await.unwrap(), 7);
    let expected =
        (0..7u64).map(|n| (format!("k{n}"), (0..10_000).filter(|m| m % 7 == n).max().unwrap())).collect();
    assert_eq!(totals(&publish(&store, edit).await, "op", "s").await, expected);
}

/// A key with a variant that answers to an old name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Bus,
    #[serde(alias = "Train")]
    Tram,
}

/// The same names, in other roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum OtherKind {
    Bus,
    #[serde(alias = "Tram")]
    Train,
}

#[tokio::test]
async fn which_names_of_variants_keys_are_written_with_is_noted_and_asked_for() {
    let (_, mut edit) = empty("edit-merge-renamed").await;
    let (op, values, maps) = (uid("op"), state("s"), state("m"));
    let rows = [ValueRow::new(Kind::Bus, 1u64), ValueRow::new(Kind::Tram, 2)];
    edit.bootstrap(&op, &values).unwrap().write(rows).await.unwrap();
    let rows = [MapRow::new(Kind::Bus, Kind::Tram, 1u64), MapRow::new(Kind::Bus, Kind::Bus, 2)];
    edit.bootstrap(&op, &maps).unwrap().write(rows).await.unwrap();
    // As a job with these types writes them.
    let key = millpond_snapshot::typed::key_column::<Kind>("key").unwrap();
    assert!(millpond_snapshot::typed::renamed(&key).is_some());
    let operator = edit.manifest().operator(&op).unwrap();
    for name in [&values, &maps] {
        let columns = operator.state(name).unwrap().key_schema.as_ref().unwrap().fields().clone();
        assert_eq!(columns[..], *std::slice::from_ref(&key), "{name}");
    }
    let map_key = operator.state(&maps).unwrap().map_key_schema.as_ref().unwrap().fields()[0].clone();
    assert_eq!(millpond_snapshot::typed::renamed(&map_key), millpond_snapshot::typed::renamed(&key));
    // So rows are read with these types, and not with others that look the same.
    edit.state::<ValueRow<Kind, u64>>(&op, &values).unwrap().map_values(|_, n| n + 1).write().await.unwrap();
    let error = edit.state::<ValueRow<OtherKind, u64>>(&op, &values).err().unwrap().to_string();
    for part in
        ["op/s", "<Bus, Train, Tram>", "read by other names than written", "give the types that the job has"]
    {
        assert!(error.contains(part), "expected '{part}' in: {error}");
    }
}
