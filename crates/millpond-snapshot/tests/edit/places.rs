//! Where the result may stand, and what keeps it whole there.

use millpond_snapshot::edit::{Edit, Publish};
use millpond_snapshot::log::{EntryBody, JobLog};
use millpond_snapshot::repository::{
    CollectOptions, RemoveOptions, collect, export, jobs, protected, release, remove, resolve, verify,
};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Error, Sequence, Store};

use crate::common::{entry, job, start};
use crate::fixture::{append, fixture, id, now, stop};
use crate::rows::{expected, totals};
use crate::{Total, edit_of, publish, state, uid};

#[tokio::test]
async fn an_edit_does_not_end_a_run() {
    let f = fixture("edit-live").await;
    let found = resolve(&f.store, "flights@4").await.unwrap();
    let refused = Edit::of(&found, &f.store, &job("flights")).await.err().unwrap();
    assert!(matches!(&refused, Error::Conflict(text) if text.contains("flights")), "{refused}");
    // Another name will do.
    let mut edit = Edit::of(&found, &f.store, &job("flights-b")).await.unwrap();
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    let edited = publish(&f.store, edit).await;
    assert_eq!(edited.entry.id().to_string(), "flights-b@1");
    assert_eq!(edited.entry.stems_from(), None, "another job's history is not its own");
    // The run goes on.
    append(&f.log, entry(5, 1, EntryBody::Failure { operator: None, reason: "x".into(), restart: true })).await;
}

#[tokio::test]
async fn a_run_that_began_meanwhile_is_not_ended_either() {
    let f = fixture("edit-race").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    append(&f.log, start(6)).await;
    let refused = edit.publish(Publish::default()).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    append(&f.log, entry(7, 6, EntryBody::Cancel { retained: true })).await;
    assert_eq!(f.log.sequences().await.unwrap().last(), Some(&Sequence(7)));

    // A run that has come and gone is no hindrance.
    let mut edit = edit_of(&f).await;
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    append(&f.log, start(8)).await;
    append(&f.log, entry(9, 8, EntryBody::Cancel { retained: true })).await;
    assert_eq!(publish(&f.store, edit).await.entry.id(), id(10));
}

#[tokio::test]
async fn the_job_whose_snapshot_was_edited_cannot_take_the_chunks_away() {
    let f = fixture("edit-fork").await;
    let found = resolve(&f.store, "flights@2").await.unwrap();
    let mut edit = Edit::of(&found, &f.store, &job("fork")).await.unwrap();
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    let edited = publish(&f.store, edit).await;
    assert!(protected(&f.store, &job("flights")).await.unwrap().contains_key(&Sequence(2)));
    // Should it go all the same, the chunks stay: they are named.
    let removed = f.log.read(Sequence(2)).await.unwrap().unwrap();
    let remaining = [3, 4].map(Sequence);
    let mut left = Vec::new();
    for sequence in remaining {
        left.push(f.log.read(sequence).await.unwrap().unwrap());
    }
    left.retain(|entry| entry.sequence == Sequence(4));
    release(&f.store, &job("flights"), &[removed], &left[..0]).await.unwrap();
    collect(&f.store, now()).await.unwrap();
    assert_eq!(verify(std::slice::from_ref(&edited), |_, _| {}).await.unwrap().problems, []);
    assert_eq!(totals(&edited, "sums", "total").await, expected([("a", 10), ("b", 2), ("c", 3)]));
}

#[tokio::test]
async fn an_edited_snapshot_outlives_what_was_edited() {
    let f = fixture("edit-outlives").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    edit.state::<Total>(&uid("sum"), &state("total")).unwrap().filter(|row| row.key == "a").write().await.unwrap();
    let edited = publish(&f.store, edit).await;
    for sequence in [2, 3, 4] {
        remove(&f.store, &id(sequence), RemoveOptions::default()).await.unwrap();
    }
    let gone = collect(&f.store, now()).await.unwrap();
    assert_eq!(gone.deleted.len(), 4, "what only the others named");
    assert_eq!(totals(&edited, "sum", "total").await, expected([("a", 10)]));
    // And it is itself removed like any other, once another is newest.
    remove(&f.store, &edited.entry.id(), RemoveOptions::default()).await.unwrap();
    assert_eq!(collect(&f.store, now()).await.unwrap().deleted.len(), 1);
}

#[tokio::test]
async fn another_store_gets_what_it_needs_and_no_more() {
    let f = fixture("edit-from").await;
    let to = Store::open("memory://edit-to", OpenMode::CreateIfMissing).await.unwrap();
    let found = resolve(&f.store, "flights@4").await.unwrap();
    let mut edit = Edit::of(&found, &to, &job("flights")).await.unwrap();
    edit.state::<Total>(&uid("sum"), &state("total")).unwrap().map_values(|_, n| n + 1).write().await.unwrap();
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    let edited = publish(&to, edit).await;
    assert_eq!(totals(&edited, "sums", "total").await, expected([("a", 11), ("c", 4), ("d", 5)]));
    let record = edited.record().unwrap();
    assert_eq!(record.parent, None);
    assert_eq!(record.copied_from.as_ref().map(|from| from.id.clone()), Some(id(4)));

    // What is deleted is not copied.
    let other = Store::open("memory://edit-to-less", OpenMode::CreateIfMissing).await.unwrap();
    let mut edit = Edit::of(&found, &other, &job("flights")).await.unwrap();
    edit.delete_operator(&uid("sum")).unwrap();
    publish(&other, edit).await;
    assert!(other.list(&"chunks".into()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_exported_directory_can_be_edited_into_a_store() {
    let f = fixture("edit-export").await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out").to_str().unwrap().to_owned();
    export(&resolve(&f.store, "flights@4").await.unwrap(), &path, |_, _| {}).await.unwrap();
    let to = Store::open("memory://edit-export-to", OpenMode::CreateIfMissing).await.unwrap();
    let found = resolve(&to, &path).await.unwrap();
    let mut edit = Edit::of(&found, &to, &job("restored")).await.unwrap();
    edit.rename_state(&uid("sum"), &state("total"), &state("minutes")).unwrap();
    let edited = publish(&to, edit).await;
    assert_eq!(edited.entry.id().to_string(), "restored@1");
    assert_eq!(totals(&edited, "sum", "minutes").await, expected([("a", 10), ("c", 3), ("d", 4)]));
}

#[tokio::test]
async fn collection_beside_an_edit_leaves_it_alone_within_the_grace_period() {
    let f = fixture("edit-gc").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    edit.state::<Total>(&uid("sum"), &state("total")).unwrap().map_values(|_, n| n + 1).write().await.unwrap();
    let young = collect(&f.store, CollectOptions::default()).await.unwrap();
    assert_eq!((young.deleted.len(), young.young.0), (0, 1));
    publish(&f.store, edit).await;

    // Without a grace period the chunk is gone, and the edit says so and publishes nothing.
    let mut edit = edit_of(&f).await;
    edit.state::<Total>(&uid("sum"), &state("total")).unwrap().map_values(|_, n| n + 2).write().await.unwrap();
    assert_eq!(collect(&f.store, now()).await.unwrap().deleted.len(), 1);
    let error = edit.publish(Publish::default()).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(_)), "{error}");
    let all = jobs(&f.store).await.unwrap();
    assert_eq!(all[0].snapshots().map(|entry| entry.sequence.0).collect::<Vec<_>>(), [2, 3, 4, 6]);
    assert!(JobLog::open(&f.store, &job("flights")).read(Sequence(7)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_snapshot_that_was_removed_meanwhile_is_not_named_again() {
    let f = fixture("edit-removed").await;
    stop(&f.log).await;
    let mut edit = edit_of(&f).await;
    edit.rename_operator(&uid("sum"), &uid("sums")).unwrap();
    remove(&f.store, &id(4), RemoveOptions::default()).await.unwrap();
    let error = edit.publish(Publish::default()).await.unwrap_err();
    assert!(matches!(&error, Error::Conflict(text) if text.contains("flights@4")), "{error}");
}
