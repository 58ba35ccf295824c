//! An edit that ends anywhere: all of it is there, or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millpond_snapshot::Store;
use millpond_snapshot::edit::{Edit, Publish};
use millpond_snapshot::repository::{collect, jobs, resolve, verify};
use millpond_snapshot::store::OpenMode;
use object_store::memory::InMemory;

use crate::common::job;
use crate::faulty::{Fault, Faulty};
use crate::fixture::now;
use crate::rows::{expected, totals};
use crate::{Total, state, uid};

async fn origin(store: &Store) {
    let mut edit = Edit::of_nothing(store, &job("j")).await.unwrap();
    let rows = (0..50u64).map(|n| Total::new(format!("k{n}"), n));
    edit.bootstrap(&uid("op"), &state("s")).unwrap().write(rows).await.unwrap();
    assert_eq!(edit.publish(Publish::default()).await.unwrap().id.to_string(), "j@1");
}

/// Edits under another name, so that a fork record is written too.
async fn edit(store: &Store) -> millpond_snapshot::Result<()> {
    let found = resolve(store, "j@1").await?;
    let mut edit = Edit::of(&found, store, &job("other")).await?;
    edit.state::<Total>(&uid("op"), &state("s"))?.filter(|row| row.value < 10).write().await?;
    let rows = [Total::new("x".to_owned(), 1)];
    edit.bootstrap(&uid("op"), &state("t"))?.write(rows).await?;
    let tag = Some("t".parse().unwrap());
    edit.publish(Publish { tag, ..Publish::default() }).await?;
    Ok(())
}

/// Lets operation `at` meet a fault, and those after it too if the process is to be gone from then on.
async fn broken(at: usize, fault: Fault, gone: bool) -> (Store, bool, usize) {
    let objects = Arc::new(InMemory::new());
    let plain = Store::over(objects.clone(), "memory://plain");
    plain.check_marker(OpenMode::CreateIfMissing).await.unwrap();
    origin(&plain).await;
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let faulty = Faulty::new(objects, move |operation| {
        let number = seen.fetch_add(1, Ordering::SeqCst);
        let hit = number == at || (gone && number > at);
        match (hit, operation) {
            (true, "put") => {
                if gone && number > at {
                    Fault::Before
                } else {
                    fault
                }
            }
            (true, _) if gone => Fault::Before,
            _ => Fault::None,
        }
    });
    let done = edit(&Store::over(Arc::new(faulty), "memory://faulty")).await.is_ok();
    (plain, done, count.load(Ordering::SeqCst))
}

#[tokio::test]
async fn killed_anywhere_all_of_it_is_there_or_nothing() {
    let (mut there, mut nothing, mut at) = (0, 0, 0);
    loop {
        let mut operations = 0;
        for (fault, gone) in [(Fault::Before, true), (Fault::After, true), (Fault::After, false)] {
            let (store, done, seen) = broken(at, fault, gone).await;
            operations = seen;
            let all = jobs(&store).await.unwrap();
            let edited: Vec<_> =
                all.iter().filter(|j| j.job == job("other")).flat_map(|j| j.snapshots()).collect();
            assert!(!done || edited.len() == 1, "operation {at}, {fault:?}: said to be there");
            collect(&store, now()).await.unwrap();
            let origin = resolve(&store, "j@1").await.unwrap();
            assert_eq!(totals(&origin, "op", "s").await.len(), 50);
            let objects = store.list(&"chunks".into()).await.unwrap().len();
            if edited.is_empty() {
                nothing += 1;
                assert_eq!(objects, 1, "operation {at}, {fault:?}: garbage stays");
                continue;
            }
            there += 1;
            assert_eq!((edited.len(), objects), (1, 3), "operation {at}, {fault:?}");
            let found = resolve(&store, "other@1").await.unwrap();
            assert_eq!(verify(&[origin, found.clone()], |_, _| {}).await.unwrap().problems, []);
            let names: Vec<String> = (0..10).map(|n| format!("k{n}")).collect();
            let rows = names.iter().enumerate().map(|(n, name)| (name.as_str(), n as u64));
            assert_eq!(totals(&found, "op", "s").await, expected(rows));
        }
        at += 1;
        if at >= operations {
            break;
        }
    }
    assert!(there > 3 && nothing > 10, "{there} were published and {nothing} not, of {at} operations");
}
