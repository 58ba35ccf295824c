//! What every store must do, asked of each kind of store.
//!
//! The S3 test needs a server, and the feature `cloud`, which is on when the whole workspace is built. CI starts moto from
//! PyPI for it; by hand:
//!
//! ```text
//! moto_server -p 5555 &
//! curl -X PUT http://127.0.0.1:5555/millpond-test
//! export AWS_ENDPOINT=http://127.0.0.1:5555 AWS_ALLOW_HTTP=true AWS_REGION=us-east-1
//! export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x MILLPOND_TEST_STORE=s3://millpond-test
//! cargo test --workspace --test conformance -- --include-ignored
//! ```

mod common;

use bytes::Bytes;
use common::{encode, entry, job, record, start};
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{AppendOutcome, EntryBody, JobLog};
use millpond_snapshot::repository::{CollectOptions, RemoveOptions, collect, copy, remove, resolve, verify};
use millpond_snapshot::store::{OpenMode, PutOutcome, layout};
use millpond_snapshot::{Error, Store};
use object_store::path::Path;

#[tokio::test]
async fn a_store_is_not_made_where_no_directory_is() {
    let directory = tempfile::tempdir().unwrap();
    let address = directory.path().join("not-mounted/store");
    let refused = Store::open(address.to_str().unwrap(), OpenMode::CreateIfMissing).await.unwrap_err();
    assert!(matches!(&refused, Error::NotFound(message) if message.contains("not-mounted")), "{refused}");
    assert!(!directory.path().join("not-mounted").exists());
}

#[tokio::test]
async fn a_file_where_a_directory_should_be_is_an_error_and_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().to_str().unwrap(), OpenMode::CreateIfMissing).await.unwrap();
    std::fs::write(directory.path().join("chunks"), "in the way").unwrap();
    let put = store.put_if_absent(&Path::from("chunks/ab/x.parquet"), Bytes::from_static(b"rows")).await;
    assert!(put.is_err(), "{put:?}");
}

/// Runs the whole suite on a store that does not exist yet.
async fn conforms(address: &str) {
    let missing = Store::open(address, OpenMode::Existing).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound(_)), "{missing}");
    let store = Store::open(address, OpenMode::CreateIfMissing).await.unwrap();
    Store::open(address, OpenMode::CreateIfMissing).await.unwrap();
    Store::open(address, OpenMode::Existing).await.unwrap();
    objects(&store).await;
    rivals(&store).await;
    snapshots(&store, address).await;
}

async fn objects(store: &Store) {
    let path = Path::from("jobs/a/log/x.json");
    assert_eq!(store.get(&path, 100).await.unwrap(), None);
    assert_eq!(store.info(&path).await.unwrap(), None);
    assert_eq!(store.get_range(&path, 0, 1).await.unwrap(), None);
    let content = Bytes::from_static(b"0123456789");
    assert_eq!(store.put_if_absent(&path, content.clone()).await.unwrap(), PutOutcome::Created);
    assert_eq!(store.put_if_absent(&path, "other".into()).await.unwrap(), PutOutcome::Exists);
    assert_eq!(store.get(&path, 10).await.unwrap(), Some(content));
    let large = store.get(&path, 9).await.unwrap_err();
    assert!(matches!(&large, Error::Corrupt { field, .. } if field == "size"), "{large}");
    for (offset, length, expected) in [(2, 3, Some("234")), (8, 9, Some("89")), (10, 1, None), (u64::MAX, 2, None)]
    {
        let found = store.get_range(&path, offset, length).await.unwrap();
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{offset} {length}");
    }
    let info = store.info(&path).await.unwrap().unwrap();
    assert_eq!((&info.path, info.bytes), (&path, 10));
    let listed: Vec<_> = store.list(&Path::from("jobs")).await.unwrap().into_iter().map(|o| o.path).collect();
    assert_eq!(listed, std::slice::from_ref(&path));
    assert_eq!(store.list_directories(&layout::jobs()).await.unwrap(), ["a"]);
    assert!(store.list(&Path::from("nothing")).await.unwrap().is_empty());
    assert!(store.list_directories(&Path::from("nothing")).await.unwrap().is_empty());
    store.delete(&path).await.unwrap();
    store.delete(&path).await.unwrap();
    assert_eq!(store.get(&path, 10).await.unwrap(), None);
}

/// Of many that create one object at once, one does, and all read what it wrote.
async fn rivals(store: &Store) {
    let path = Path::from("jobs/rivals/log/x.json");
    let tasks = (0..8).map(|rival| {
        let (store, path) = (store.clone(), path.clone());
        tokio::spawn(async move {
            let content = Bytes::from(format!("{rival}").repeat(1000));
            let outcome = store.put_if_absent(&path, content.clone()).await.unwrap();
            (outcome, content, store.get(&path, 1000).await.unwrap().unwrap())
        })
    });
    let outcomes = futures::future::join_all(tasks).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap()).collect();
    let winners: Vec<_> = outcomes.iter().filter(|(outcome, ..)| *outcome == PutOutcome::Created).collect();
    assert_eq!(winners.len(), 1);
    assert!(outcomes.iter().all(|(_, _, read)| *read == winners[0].1));
    store.delete(&path).await.unwrap();
}

async fn snapshots(store: &Store, address: &str) {
    let log = JobLog::open(store, &job("flights"));
    let chunks = [ChunkKind::Base, ChunkKind::Delta].map(|kind| encode(kind, &[("a", Some(1))]));
    let chunks = store.put_chunks(chunks.to_vec()).await.unwrap();
    let stop = EntryBody::Stop { snapshot: millpond_snapshot::Sequence(2), drained: false };
    for entry in [start(1), entry(2, 1, EntryBody::Savepoint(record(chunks))), entry(3, 1, stop)] {
        assert_eq!(log.append(&entry).await.unwrap(), AppendOutcome::Appended);
        assert_eq!(log.append(&entry).await.unwrap(), AppendOutcome::Appended);
    }
    assert_eq!(log.append(&start(2)).await.unwrap(), AppendOutcome::Taken);

    let store = Store::open(address, OpenMode::Existing).await.unwrap();
    let found = resolve(&store, "flights@latest").await.unwrap();
    assert_eq!(verify(std::slice::from_ref(&found), |_, _| {}).await.unwrap().problems, []);
    let beside = copy(&found, &store, Some(&job("beside")), |_, _| {}).await.unwrap();
    assert_eq!((beside.objects, beside.present), (0, 1));
    remove(&store, &found.entry.id(), RemoveOptions::default()).await.unwrap();
    let stray = store.put_chunk(encode(ChunkKind::Base, &[("stray", Some(1))])).await.unwrap();
    let now = CollectOptions { grace: std::time::Duration::ZERO, dry_run: false };
    let deleted = collect(&store, now).await.unwrap().deleted;
    assert_eq!(deleted.into_iter().map(|object| object.path).collect::<Vec<_>>(), [stray.path()]);
    assert_eq!(store.info(&stray.path()).await.unwrap(), None);
    store.delete_all(vec![stray.path(), Path::from("chunks/00/nothing")]).await.unwrap();
    let copied = resolve(&store, &beside.id.to_string()).await.unwrap();
    assert_eq!(verify(&[copied], |_, _| {}).await.unwrap().problems, []);
}

#[tokio::test]
async fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(directory.path().join("store").to_str().unwrap()).await;
    let url = format!("file://{}", directory.path().join("other").display());
    conforms(&url).await;
    assert!(std::fs::read_dir(directory.path().join("store/tmp")).unwrap().next().is_none(), "no scratch is left");
}

#[tokio::test]
async fn memory_conforms() {
    conforms("memory://conformance").await;
}

#[cfg(feature = "cloud")]
#[tokio::test]
#[ignore = "needs an S3 server, see the head of this file"]
async fn s3_conforms() {
    let bucket = std::env::var("MILLPOND_TEST_STORE").expect("MILLPOND_TEST_STORE names an empty bucket");
    let run = std::process::id();
    conforms(&format!("{bucket}/conformance-{run}")).await;
}

#[tokio::test]
async fn an_address_that_cannot_be_used_says_what_can() {
    for address in ["ftp://host/x", "http://host/x", "s3:", "://x", "file://host/share"] {
        match Store::open(address, OpenMode::Existing).await.unwrap_err() {
            Error::InvalidInput(message) => assert!(message.contains(address), "{message}"),
            Error::NotFound(message) => assert!(message.contains("no such directory"), "{message}"),
            other => panic!("{address}: {other}"),
        }
    }
}

#[cfg(not(feature = "cloud"))]
#[tokio::test]
async fn a_build_without_cloud_stores_says_so() {
    let error = Store::open("s3://bucket/x", OpenMode::Existing).await.unwrap_err();
    assert!(error.to_string().contains("--features cloud"), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Store::open(file.to_str().unwrap(), OpenMode::CreateIfMissing).await.unwrap_err();
    assert!(matches!(error, Error::Storage { may_have_happened: false, .. }), "{error}");
    assert!(error.to_string().contains("a file stands where a directory is needed"), "{error}");

    let store = directory.path().join("store");
    let store = Store::open(store.to_str().unwrap(), OpenMode::CreateIfMissing).await.unwrap();
    std::fs::write(directory.path().join("store/jobs"), "a file in the way").unwrap();
    let error = JobLog::open(&store, &job("flights")).append(&start(1)).await.unwrap_err();
    assert!(error.to_string().contains("a file stands where a directory is needed"), "{error}");
}

/// Linux has a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_says_what_to_do() {
    use std::io::Write;
    let source = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
    let source = object_store::Error::Generic { store: "local directory", source: Box::new(source) };
    let error =
        Error::Storage { action: "write", path: "x".into(), may_have_happened: true, source: source.into() };
    assert!(error.to_string().contains("no space left: free some"), "{error}");
}
