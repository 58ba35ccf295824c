//! State for what never ran.

use std::collections::BTreeMap;

use millpond_snapshot::Error;
use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::edit::{Edit, Publish, ValueRow};
use millpond_snapshot::log::ContinueDecision;
use millpond_snapshot::log::JobLog;
use millpond_snapshot::repository::jobs;
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Sequence, Store};
use serde::Deserialize;

use crate::common::job;
use crate::fixture::{fixture, stop};
use crate::{Total, edit_of, publish, state, uid};

#[tokio::test]
async fn more_rows_than_are_held_in_any_order() {
    let store = Store::open("memory://bootstrap-many", OpenMode::CreateIfMissing).await.unwrap();
    let name = job("new");
    let mut edit = Edit::of_nothing(&store, &name).await.unwrap();
    edit.sort_budget(256 * 1024);
    let count = 60_000u64;
    let rows = (0..count).map(|n| ValueRow::new((n * 7919) % count, i64::try_from(n).unwrap() - 5));
    let written = edit.bootstrap(&uid("profiles"), &state("profile")).unwrap().write(rows).await.unwrap();
    assert_eq!(written, count);
    let found = publish(&store, edit).await;
    #[derive(Deserialize)]
    struct Row {
        key: u64,
        value: i64,
    }
    let rows: Vec<Row> = crate::rows::all(&found, "profiles", "profile").await;
    assert_eq!(rows.len() as u64, count);
    let found: BTreeMap<u64, i64> = rows.into_iter().map(|row| (row.key, row.value)).collect();
    let expected: BTreeMap<u64, i64> =
        (0..count).map(|n| ((n * 7919) % count, i64::try_from(n).unwrap() - 5)).collect();
    assert_eq!(found, expected);
    // It belongs to no run: a job of that name begins from it only if it is told to.
    let (decision, next) = JobLog::open(&store, &name).plan_start().await.unwrap();
    assert_eq!((decision, next), (ContinueDecision::Fresh, Sequence(2)));
    assert!(!jobs(&store).await.unwrap()[0].is_unfinished());
}

#[tokio::test]
async fn the_state_is_described_as_the_engine_describes_it() {
    let store = Store::open("memory://bootstrap-schema", OpenMode::CreateIfMissing).await.unwrap();
    let mut edit = Edit::of_nothing(&store, &job("new")).await.unwrap();
    let rows = [ValueRow { expires_at: Some(5), ..ValueRow::new("a".to_owned(), 1.5) }];
    let new = edit.bootstrap(&uid("op"), &state("s")).unwrap();
    new.kind(StateKind::Reducing).ttl(std::time::Duration::from_secs(60)).write(rows).await.unwrap();
    edit.bootstrap_list(&uid("op"), &state("l"), StateKind::OperatorUnion, &[3u8, 4]).unwrap();
    edit.bootstrap_broadcast(&uid("rules"), &state("rules"), &[("x".to_owned(), 1u32)]).unwrap();
    let found = publish(&store, edit).await;
    let manifest = serde_json::to_value(&found.record().unwrap().manifest).unwrap();
    let s = &manifest["operators"][0]["states"][0];
    assert_eq!(manifest["operators"][0]["uid_source"], "given");
    assert_eq!((&s["kind"], &s["ttl_ms"]), (&"reducing".into(), &60_000.into()));
    assert_eq!(s["key_schema"][0]["data_type"], "Utf8");
    assert_eq!(s["value_schema"], serde_json::json!([{ "name": "value", "data_type": "F64" }]));
    assert_eq!(manifest["operators"][0]["states"][1]["rows_inline"], serde_json::json!([3, 4]));
    assert_eq!(manifest["operators"][1]["states"][0]["rows_inline"], serde_json::json!([["x", 1]]));

    let mut edit = Edit::of(&found, &store, &job("new")).await.unwrap();
    let mut rules: Vec<(String, u32)> = edit.operator_rows(&uid("rules"), &state("rules")).unwrap();
    rules.push(("y".to_owned(), 2));
    edit.set_operator_rows(&uid("rules"), &state("rules"), &rules).unwrap();
    let error = edit.operator_rows::<String>(&uid("op"), &state("l")).unwrap_err();
    assert!(error.to_string().contains("op/l: row 3"), "{error}");
    let error = edit.operator_rows::<u8>(&uid("op"), &state("s")).unwrap_err();
    assert!(matches!(error, Error::InvalidInput(_)), "{error}");
    let again = publish(&store, edit).await;
    let manifest = serde_json::to_value(&again.record().unwrap().manifest).unwrap();
    assert_eq!(manifest["operators"][1]["states"][0]["rows_inline"], serde_json::json!([["x", 1], ["y", 2]]));
}

#[tokio::test]
async fn a_state_that_is_there_and_rows_that_cannot_be_are_refused() {
    let f = fixture("bootstrap-wrong").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    assert!(matches!(edit.bootstrap::<Total>(&uid("sum"), &state("total")), Err(Error::Conflict(_))));
    let rows = ["a", "b", "a"].map(|key| Total::new(key.to_owned(), 1));
    let error = edit.bootstrap(&uid("new"), &state("s")).unwrap().write(rows).await.unwrap_err();
    assert!(
        matches!(&error, Error::InvalidInput(text) if text.contains("new/s") && text.contains("\"a\"")),
        "{error}"
    );
    let rows = [Ok(Total::new("a".to_owned(), 1)), Err("line 2 has no total")];
    let error = edit.bootstrap(&uid("new"), &state("s")).unwrap().try_write(rows).await.unwrap_err();
    assert!(error.to_string().contains("new/s: row 2 cannot be read: line 2 has no total"), "{error}");
    let float_keys = [ValueRow::new(1.5, 1u8)];
    let error = edit.bootstrap(&uid("new"), &state("s")).unwrap().write(float_keys).await.unwrap_err();
    assert!(matches!(error, Error::InvalidInput(_)), "{error}");
    let expiring = [ValueRow { expires_at: Some(1), ..Total::new("a".to_owned(), 1) }];
    let error = edit.bootstrap(&uid("new"), &state("s")).unwrap().write(expiring).await.unwrap_err();
    assert!(error.to_string().contains("time to live"), "{error}");
    assert!(edit.manifest().operator(&uid("new")).is_none());
    assert!(matches!(edit.publish(Publish::default()).await, Err(Error::InvalidInput(_))));
}
