//! Changes that write nothing but a log entry.

use std::collections::BTreeMap;

use millpond_snapshot::Error;
use millpond_snapshot::edit::{Edit, Publish};
use millpond_snapshot::log::{ContinueDecision, EntryBody};
use millpond_snapshot::repository::{Descent, diff, jobs, lineage, resolve};
use millpond_snapshot::store::layout;

use crate::common::job;
use crate::fixture::{Fixture, fixture, id, stop};
use crate::rows::{expected, totals};
use crate::{edit_of, publish, state, uid};

async fn objects(f: &Fixture) -> Vec<String> {
    let mut listed: Vec<_> =
        f.store.list(&layout::objects()).await.unwrap().iter().map(|object| object.path.to_string()).collect();
    listed.sort();
    listed
}

#[tokio::test]
async fn a_rename_is_one_log_entry() {
    let f = fixture("edit-rename").await;
    stop(&f.log).await;
    let before = objects(&f).await;
    let parent = f.log.read(id(4).sequence).await.unwrap().unwrap();

    let mut edit = edit_of(&f).await;
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    edit.rename_state(&uid("sums"), &state("total"), &state("minutes")).unwrap();
    let edited = publish(&f.store, edit).await;

    assert_eq!(objects(&f).await, before, "no chunk is written");
    assert_eq!(f.log.read(id(4).sequence).await.unwrap().unwrap(), parent, "the original is as it was");
    assert_eq!(edited.entry.id(), id(6));
    let record = edited.record().unwrap();
    assert_eq!((record.parent.clone(), record.bytes_new), (Some(id(4)), 0));
    assert_eq!(record.bytes_total, parent.snapshot().unwrap().bytes_total);
    let changes = ["operator sum renamed to sums", "state sums/total renamed to minutes"];
    assert_eq!(record.edited.as_ref().unwrap().changes, changes);
    assert_eq!(record.reason, format!("edited: {}", changes.join("; ")));
    assert_eq!(
        totals(&edited, "sums", "minutes").await,
        totals(&resolve(&f.store, "flights@4").await.unwrap(), "sum", "total").await
    );

    let found = resolve(&f.store, "flights@4").await.unwrap();
    let difference = diff(&found, &edited, |_, _| {}).await.unwrap();
    let names =
        |ids: &[millpond_snapshot::repository::StateId]| ids.iter().map(|i| i.to_string()).collect::<Vec<_>>();
    assert_eq!(
        (names(&difference.removed), names(&difference.added)),
        (vec!["sum/total".to_owned()], vec!["sums/minutes".to_owned()])
    );
}

#[tokio::test]
async fn an_edit_belongs_to_no_run_and_its_origin_is_told() {
    let f = fixture("edit-no-run").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    let options = Publish {
        reason: Some("sum is now called sums".to_owned()),
        requested_by: Some("ada".to_owned()),
        tag: Some("renamed".parse().unwrap()),
    };
    let published = edit.publish(options).await.unwrap();
    let found = resolve(&f.store, "flights#renamed").await.unwrap();
    assert_eq!(found.entry.id(), published.id);
    assert!(matches!(found.entry.body, EntryBody::Savepoint(_)) && !found.entry.belongs_to_run());
    assert_eq!(found.entry.stems_from().map(|run| run.0), Some(1));
    // Started without being told, the job begins anew, as it would have without the edit.
    assert_eq!(f.log.plan_start().await.unwrap(), (ContinueDecision::Fresh, id(7).sequence));
    let jobs = jobs(&f.store).await.unwrap();
    assert!(!jobs[0].is_unfinished());
    let edges = lineage(&jobs);
    let edge = edges.iter().find(|edge| edge.to == published.id).unwrap();
    assert_eq!((edge.from.as_str(), edge.descent), ("flights@4", Descent::Edit));

    // An edit of an edit goes on from the same run.
    let mut again = Edit::of(&found, &f.store, &job("flights")).await.unwrap();
    again.rename_operator(&uid("sums"), &uid("sum")).unwrap();
    let again = publish(&f.store, again).await;
    assert_eq!(again.entry.stems_from().map(|run| run.0), Some(1));
}

#[tokio::test]
async fn what_is_deleted_is_not_named() {
    let f = fixture("edit-delete").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    edit.bootstrap::<crate::Total>(&uid("other"), &state("count")).unwrap().write([]).await.unwrap();
    edit.delete_state(&uid("sum"), &state("total")).unwrap();
    let edited = publish(&f.store, edit).await;
    let manifest = &edited.record().unwrap().manifest;
    assert_eq!((manifest.chunks().count(), manifest.states().count()), (0, 1));

    let mut edit = edit_of(&f).await;
    edit.delete_operator(&uid("sum")).unwrap();
    let edited = publish(&f.store, edit).await;
    assert!(edited.record().unwrap().manifest.operators.is_empty());
}

#[tokio::test]
async fn names_that_are_not_there_or_taken_are_told() {
    let f = fixture("edit-wrong-names").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    let error = edit.rename_operator(&uid("some"), &uid("sums")).unwrap_err();
    assert!(matches!(&error, Error::NotFound(text) if text.contains("some") && text.contains("sum")), "{error}");
    let error = edit.rename_state(&uid("sum"), &state("totals"), &state("x")).unwrap_err();
    assert!(matches!(&error, Error::NotFound(text) if text.contains("sum/totals")), "{error}");
    let error = edit.rename_state(&uid("sum"), &state("total"), &state("total")).unwrap_err();
    assert!(matches!(error, Error::Conflict(_)), "{error}");
    assert!(matches!(edit.delete_operator(&uid("x")), Err(Error::NotFound(_))));
    assert!(edit.changes().is_empty());
    let error = edit.publish(Publish::default()).await.unwrap_err();
    assert!(matches!(error, Error::InvalidInput(_)), "{error}");
    assert_eq!(
        totals(&resolve(&f.store, "flights@latest").await.unwrap(), "sum", "total").await,
        expected([("a", 10), ("c", 3), ("d", 4)])
    );
    let logs: BTreeMap<_, _> =
        jobs(&f.store).await.unwrap().into_iter().map(|j| (j.job, j.entries.len())).collect();
    assert_eq!(logs, BTreeMap::from([(job("flights"), 5)]));
}
