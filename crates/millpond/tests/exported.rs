//! A job that starts from an exported directory, which needs no store.

#[path = "common/counting.rs"]
mod counting;

use counting::{counting, options};
use millpond::{Collect, RunOptions};
use millpond_snapshot::Store;
use millpond_snapshot::repository::{export, resolve};
use millpond_snapshot::store::OpenMode;

#[test]
fn a_job_goes_on_from_an_exported_directory_in_a_store_that_never_heard_of_it_and_again_in_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let exported = directory.path().join("exported").display().to_string();
    let first = counting("first-numbers", 0..12, &Collect::new(), "first-out")
        .run(options("memory://exported-first", 2, None))
        .unwrap();
    let taken = first.snapshot.expect("a snapshot at the end");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open("memory://exported-first", OpenMode::Existing).await.unwrap();
        export(&resolve(&store, &taken).await.unwrap(), &exported, |_, _| {}).await.unwrap();
    });
    for parallelism in [3, 1] {
        let out = Collect::new();
        let from = options("memory://exported-second", parallelism, Some(exported.clone()));
        // Sources of other uids, so that each reads numbers of its own.
        counting("second-numbers", 12..24, &out, "second-out")
            .run(RunOptions { allow_non_restored: true, ..from })
            .unwrap();
        let mut found = out.items();
        found.sort();
        // Three numbers of each remainder were counted before.
        let expected: Vec<(u64, u64)> = (0..4).flat_map(|key| (4..=6).map(move |n| (key, n))).collect();
        assert_eq!(found, expected, "parallelism {parallelism}");
    }
}
