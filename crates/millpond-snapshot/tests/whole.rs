//! Whether a snapshot can be restored, and which older one of its lineage can if it cannot.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use common::{entry, job, record};
use fixture::{Fixture, append, chunk, fixture, id};
use millpond_snapshot::chunk::{ChunkKind, ChunkRef};
use millpond_snapshot::log::{Entry, EntryBody, JobLog};
use millpond_snapshot::repository::{check_objects, newest_whole, older_whole};
use millpond_snapshot::store::layout;
use millpond_snapshot::{Error, Sequence, Store};

async fn read(fixture: &Fixture, sequence: u64) -> Entry {
    fixture.log.read(Sequence(sequence)).await.unwrap().unwrap()
}

async fn overwrite(store: &Store, chunk: &ChunkRef, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = store.get(&chunk.path(), u64::MAX).await.unwrap().unwrap().to_vec();
    change(&mut bytes);
    store.delete(&chunk.path()).await.unwrap();
    store.put_if_absent(&chunk.path(), bytes.into()).await.unwrap();
}

/// The refusal of a snapshot whose objects are not all there.
async fn refused(store: &Store, entry: &Entry) -> (String, String, String) {
    match check_objects(store, &entry.snapshot().unwrap().manifest).await {
        Err(Error::Corrupt { file, field, problem }) => (file, field, problem),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_object_that_is_gone_or_of_another_size_is_named_with_its_operator_and_state() {
    // So many that the folder is listed is the business of `many_objects_in_one_folder`.
    let fixture = fixture("whole-objects").await;
    let newest = read(&fixture, 4).await;
    check_objects(&fixture.store, &newest.snapshot().unwrap().manifest).await.unwrap();
    for add in [1, -1_isize] {
        overwrite(&fixture.store, &fixture.base, |bytes| {
            bytes.resize(bytes.len().checked_add_signed(add).unwrap(), 0);
        })
        .await;
        let (file, field, problem) = refused(&fixture.store, &newest).await;
        assert!(file.contains(fixture.base.path().as_ref()), "{file}");
        assert!(file.contains("operator 'sum', state 'total'"), "{file}");
        assert_eq!(field, "size");
        assert!(problem.contains(&fixture.base.bytes.to_string()), "{problem}");
        overwrite(&fixture.store, &fixture.base, |bytes| {
            bytes.resize(bytes.len().checked_add_signed(-add).unwrap(), 0);
        })
        .await;
    }
    check_objects(&fixture.store, &newest.snapshot().unwrap().manifest).await.unwrap();
    fixture.store.delete(&fixture.deltas[1].path()).await.unwrap();
    let (file, field, _) = refused(&fixture.store, &newest).await;
    assert!(file.contains(fixture.deltas[1].path().as_ref()) && field == "object", "{file} {field}");
}

#[tokio::test]
async fn a_pack_must_reach_as_far_as_the_last_chunk_in_it() {
    let fixture = fixture("whole-pack").await;
    let encode = |key| common::encode(ChunkKind::Base, &[(key, Some(1))]);
    let packed = fixture.store.put_chunks(vec![encode("x"), encode("y"), encode("z")]).await.unwrap();
    assert!(packed.iter().all(|chunk| chunk.pack.is_some()), "they share an object");
    let (last, path) = (packed[2].clone(), packed[2].path());
    append(&fixture.log, entry(5, 1, EntryBody::Checkpoint(record(packed)))).await;
    let newest = read(&fixture, 5).await;
    check_objects(&fixture.store, &newest.snapshot().unwrap().manifest).await.unwrap();
    overwrite(&fixture.store, &last, |bytes| bytes.truncate(bytes.len() - 1)).await;
    let (file, field, problem) = refused(&fixture.store, &newest).await;
    assert!(file.contains(path.as_ref()) && field == "size", "{file} {field}");
    assert!(problem.contains("at least"), "{problem}");
}

#[tokio::test]
async fn many_objects_in_one_folder() {
    let fixture = fixture("whole-folder").await;
    // Chunks whose names begin alike stand in one folder.
    let mut by_folder = std::collections::BTreeMap::<String, Vec<ChunkRef>>::new();
    let full = loop {
        let number = by_folder.values().map(Vec::len).sum::<usize>() as u64;
        let chunk = chunk(&fixture.store, ChunkKind::Delta, &[("k", Some(number))]).await;
        let folder = by_folder.entry(chunk.hash.to_string()[..2].to_owned()).or_default();
        folder.push(chunk);
        if folder.len() == 5 {
            break folder.clone();
        }
    };
    append(&fixture.log, entry(5, 1, EntryBody::Checkpoint(record(full.clone())))).await;
    let newest = read(&fixture, 5).await;
    check_objects(&fixture.store, &newest.snapshot().unwrap().manifest).await.unwrap();
    fixture.store.delete(&full[3].path()).await.unwrap();
    let (file, field, _) = refused(&fixture.store, &newest).await;
    assert!(file.contains(full[3].path().as_ref()) && field == "object", "{file} {field}");
}

/// Snapshots 2, 3 and 4 name the deltas 0, 0 to 1, and 0 to 2.
#[tokio::test]
async fn the_newest_older_snapshot_that_does_not_name_what_is_broken() {
    let fixture = fixture("whole-older").await;
    let newest = read(&fixture, 4).await;
    for (broken, whole, looked_at) in [(2, Some(3), 0), (1, Some(2), 1), (0, None, 2)] {
        overwrite(&fixture.store, &fixture.deltas[broken], |bytes| bytes[20] ^= 1).await;
        let found = older_whole(&fixture.store, &newest).await.unwrap();
        assert_eq!(found.whole.map(|entry| entry.sequence.0), whole, "delta {broken}");
        assert_eq!(found.broken, looked_at, "delta {broken}");
        let by_log = newest_whole(&fixture.store, &job("flights"), Some(Sequence(4))).await.unwrap();
        assert_eq!(by_log.whole.map(|entry| entry.sequence.0), whole, "delta {broken}");
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_no_whole_snapshot() {
    let fixture = fixture("whole-entry").await;
    let newest = read(&fixture, 4).await;
    let path = layout::entry(&job("flights"), Sequence(3));
    fixture.store.delete(&path).await.unwrap();
    fixture.store.put_if_absent(&path, "{".into()).await.unwrap();
    let found = older_whole(&fixture.store, &newest).await.unwrap();
    assert_eq!((found.whole.map(|entry| entry.sequence.0), found.broken), (Some(2), 1));
}

/// ```text
/// flights     1 start   2 ── 3 ── 4       5 start from 2   6 ── 7
/// flights-b                  └── 1 start from flights@3   2
/// ```
#[tokio::test]
async fn the_search_follows_the_lineage_and_not_the_numbers() {
    let fixture = fixture("whole-lineage").await;
    let start = |from: u64| EntryBody::Start {
        parallelism: 1,
        restored_from: Some(id(from).to_string().parse().unwrap()),
        options: Default::default(),
    };
    append(&fixture.log, entry(5, 5, start(2))).await;
    let broken = chunk(&fixture.store, ChunkKind::Base, &[("x", Some(1))]).await;
    fixture.store.delete(&broken.path()).await.unwrap();
    for sequence in [6, 7] {
        append(&fixture.log, entry(sequence, 5, EntryBody::Checkpoint(record(vec![broken.clone()])))).await;
    }
    let found = older_whole(&fixture.store, &read(&fixture, 7).await).await.unwrap();
    // 3 and 4 are newer and whole, and another history.
    assert_eq!((found.whole.map(|entry| entry.id()), found.broken), (Some(id(2)), 1));

    let (other, log) = (job("flights-b"), JobLog::open(&fixture.store, &job("flights-b")));
    append(&log, Entry::new(other.clone(), Sequence(1), Sequence(1), start(3)).unwrap()).await;
    let own = EntryBody::Checkpoint(record(vec![broken]));
    let own = Entry::new(other, Sequence(2), Sequence(1), own).unwrap();
    append(&log, own.clone()).await;
    let found = older_whole(&fixture.store, &own).await.unwrap();
    assert_eq!((found.whole.map(|entry| entry.id()), found.broken), (Some(id(3)), 0));
}
