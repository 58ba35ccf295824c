//! Keys taken out of states.

use arrow_array::{ArrayRef, StringArray, UInt64Array};
use futures::stream;
use millpond_snapshot::edit::{Edit, TimerRow, ValueRow};
use millpond_snapshot::hash::{HashRange, key_hash};
use millpond_snapshot::repository::{Resolved, StateDiff, diff};
use millpond_snapshot::state::DiffCounts;
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Error, RecordBatch, Store};
use std::sync::Arc;

use crate::common::job;
use crate::rows::{all, expected, totals};
use crate::{Total, publish, state, uid};

fn keys(keys: &[&str]) -> RecordBatch {
    let hash: ArrayRef = Arc::new(UInt64Array::from_iter_values(keys.iter().map(|key| key_hash(*key).unwrap())));
    let key: ArrayRef = Arc::new(StringArray::from_iter_values(keys));
    RecordBatch::try_from_iter([("hash", hash), ("key", key)]).unwrap()
}

/// An operator with two states and a timer for each of many keys.
async fn many(store: &Store) -> Resolved {
    let mut edit = Edit::of_nothing(store, &job("j")).await.unwrap();
    let names = || (0..500u64).map(|n| (format!("k{n}"), n));
    let op = uid("op");
    let rows = names().map(|(key, n)| Total::new(key, n));
    edit.bootstrap(&op, &state("total")).unwrap().write(rows).await.unwrap();
    let rows = names().filter(|(_, n)| n % 2 == 0).map(|(key, n)| ValueRow::new(key, n));
    edit.bootstrap(&op, &state("even")).unwrap().write(rows).await.unwrap();
    let rows = names().flat_map(|(key, n)| [TimerRow::new(key.clone(), n as i64), TimerRow::new(key, 7)]);
    let timers = edit.bootstrap(&op, &state("event-timers")).unwrap();
    timers.write(rows.filter(|timer| timer.key != "k7")).await.unwrap();
    publish(store, edit).await
}

#[tokio::test]
async fn a_key_is_gone_from_all_states_and_timers_and_little_is_written() {
    let store = Store::open("memory://edit-keys", OpenMode::CreateIfMissing).await.unwrap();
    let before = many(&store).await;
    let mut edit = Edit::of(&before, &store, &job("j")).await.unwrap();
    edit.sort_budget(1);
    let doomed = [Ok(keys(&["k4", "k9", "no such key"])), Ok(keys(&["k400", "k4"]))];
    let removed = edit.remove_keys(&uid("op"), None, stream::iter(doomed)).await.unwrap();
    let removed: Vec<_> = removed.iter().map(|(id, rows)| (id.to_string(), *rows)).collect();
    let counts = [("op/total", 3), ("op/even", 2), ("op/event-timers", 6)];
    assert_eq!(removed, counts.map(|(id, rows)| (id.to_owned(), rows)));
    let after = publish(&store, edit).await;

    let doomed = ["k4", "k9", "k400"];
    let (then, now) = (totals(&before, "op", "total").await, totals(&after, "op", "total").await);
    let left = then.iter().map(|(key, n)| (key.as_str(), *n)).filter(|(key, _)| !doomed.contains(key));
    assert_eq!((then.len(), now), (500, expected(left)));
    let found = diff(&before, &after, |_, _| {}).await.unwrap();
    let removed = |removed, same| StateDiff::Rows(DiffCounts { removed, same, ..DiffCounts::default() });
    assert_eq!(
        found.common.into_values().collect::<Vec<_>>(),
        [removed(2, 248), removed(6, 992), removed(3, 497)],
        "in the order of their names: even, event-timers, total"
    );
    // The chunks of before are named again, and a small one for each state is new.
    let (old, new) = (&before.record().unwrap().manifest, after.record().unwrap());
    let of_before: Vec<_> = old.chunks().map(|chunk| chunk.hash).collect();
    assert!(of_before.iter().all(|hash| new.manifest.chunks().any(|chunk| chunk.hash == *hash)));
    assert_eq!(new.manifest.chunks().count(), 6);
}

#[tokio::test]
async fn one_state_alone_may_be_meant() {
    let store = Store::open("memory://edit-keys-one", OpenMode::CreateIfMissing).await.unwrap();
    let before = many(&store).await;
    let mut edit = Edit::of(&before, &store, &job("j")).await.unwrap();
    let doomed = stream::iter([Ok(keys(&["k4", "k9"]))]);
    let removed = edit.remove_keys(&uid("op"), Some(&state("even")), doomed).await.unwrap();
    assert_eq!(removed.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [1]);
    let after = publish(&store, edit).await;
    assert!(!totals(&after, "op", "even").await.contains_key("k4"));
    assert!(totals(&after, "op", "total").await.contains_key("k4"));
    // A state with tombstones is edited like any other.
    let mut edit = Edit::of(&after, &store, &job("j")).await.unwrap();
    let written =
        edit.state::<Total>(&uid("op"), &state("even")).unwrap().filter(|row| row.value < 10).write().await;
    assert_eq!(written.unwrap().read, 249);
    let last = publish(&store, edit).await;
    assert_eq!(totals(&last, "op", "even").await, expected([("k0", 0), ("k2", 2), ("k6", 6), ("k8", 8)]));
}

#[tokio::test]
async fn a_dry_run_counts_and_writes_nothing() {
    let store = Store::open("memory://edit-keys-dry", OpenMode::CreateIfMissing).await.unwrap();
    let before = many(&store).await;
    let objects = store.list(&"chunks".into()).await.unwrap().len();
    let mut edit = Edit::of(&before, &store, &job("j")).await.unwrap();
    edit.dry_run();
    let removed = edit.remove_keys(&uid("op"), None, stream::iter([Ok(keys(&["k4"]))])).await.unwrap();
    assert_eq!(removed.iter().map(|(_, rows)| rows).sum::<u64>(), 4);
    edit.state::<Total>(&uid("op"), &state("total")).unwrap().filter(|_| false).write().await.unwrap();
    assert_eq!(edit.changes().len(), 4);
    assert!(matches!(edit.publish(Default::default()).await, Err(Error::InvalidInput(_))));
    assert_eq!(store.list(&"chunks".into()).await.unwrap().len(), objects);
}

#[tokio::test]
async fn keys_of_another_type_are_refused() {
    let store = Store::open("memory://edit-keys-types", OpenMode::CreateIfMissing).await.unwrap();
    let before = many(&store).await;
    let mut edit = Edit::of(&before, &store, &job("j")).await.unwrap();
    let number: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
    let wrong = RecordBatch::try_from_iter([("hash", number.clone()), ("key", number.clone())]).unwrap();
    let error = edit.remove_keys(&uid("op"), None, stream::iter([Ok(wrong)])).await.unwrap_err();
    assert!(
        matches!(&error, Error::InvalidInput(text) if text.contains("Utf8") && text.contains("UInt64")),
        "{error}"
    );
    let wrong = RecordBatch::try_from_iter([("hash", number)]).unwrap();
    let error = edit.remove_keys(&uid("op"), None, stream::iter([Ok(wrong)])).await.unwrap_err();
    assert!(error.to_string().contains("key is missing"), "{error}");
    assert!(matches!(edit.remove_keys(&uid("x"), None, stream::empty()).await, Err(Error::NotFound(_))));
    let mut reader = before.read(&uid("op"), &state("total"), HashRange::FULL).unwrap();
    assert!(reader.next().await.unwrap().is_some());
    let _: Vec<serde_json::Value> = all(&before, "op", "even").await;
}
