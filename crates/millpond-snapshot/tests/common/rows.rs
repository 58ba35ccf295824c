//! What a state holds, as text, read without the code that edits.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;

use millpond_snapshot::hash::HashRange;
use millpond_snapshot::repository::Resolved;
use serde::de::DeserializeOwned;

/// All rows of a state.
pub async fn all<R: DeserializeOwned>(snapshot: &Resolved, uid: &str, state: &str) -> Vec<R> {
    let mut reader = snapshot.read(&uid.parse().unwrap(), &state.parse().unwrap(), HashRange::FULL).unwrap();
    let mut rows = Vec::new();
    while let Some(more) = reader.next_rows::<R>().await.unwrap() {
        rows.extend(more);
    }
    rows
}

/// A value state from text to number.
pub async fn totals(snapshot: &Resolved, uid: &str, state: &str) -> BTreeMap<String, u64> {
    #[derive(serde::Deserialize)]
    struct Row {
        key: String,
        value: u64,
    }
    let rows: Vec<Row> = all(snapshot, uid, state).await;
    let count = rows.len();
    let map: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key, row.value)).collect();
    assert_eq!(map.len(), count, "a key appears twice");
    map
}

pub fn expected<'a>(rows: impl IntoIterator<Item = (&'a str, u64)>) -> BTreeMap<String, u64> {
    rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
