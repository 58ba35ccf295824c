//! New snapshots made from old ones, and from nothing.

mod bootstrap;
#[path = "../common/mod.rs"]
mod common;
mod crashes;
#[path = "../common/faulty.rs"]
mod faulty;
#[path = "../common/fixture.rs"]
mod fixture;
mod keys;
mod merging;
mod names;
mod places;
#[path = "../common/rows.rs"]
mod rows;
mod transform;

use millpond_snapshot::edit::{Edit, Publish, ValueRow};
use millpond_snapshot::repository::{Resolved, resolve, verify};
use millpond_snapshot::{OperatorUid, StateName, Store};

/// Rows of the state that the fixture has.
type Total = ValueRow<String, u64>;

fn uid(text: &str) -> OperatorUid {
    text.parse().unwrap()
}

fn state(text: &str) -> StateName {
    text.parse().unwrap()
}

/// An edit of the fixture's savepoint, whose job has been stopped.
async fn edit_of(f: &fixture::Fixture) -> Edit {
    let found = resolve(&f.store, "flights@4").await.unwrap();
    Edit::of(&found, &f.store, &common::job("flights")).await.unwrap()
}

/// Publishes, and reads back what is there, which must be whole.
async fn publish(store: &Store, edit: Edit) -> Resolved {
    let published = edit.publish(Publish::default()).await.unwrap();
    let found = resolve(store, &published.id.to_string()).await.unwrap();
    assert_eq!(verify(std::slice::from_ref(&found), |_, _| {}).await.unwrap().problems, []);
    found
}
