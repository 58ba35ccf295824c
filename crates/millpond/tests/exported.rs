//! A job that starts from an exported directory, which needs no store.

#[path = "common/counting.rs"]
mod counting;

use counting::{counting, options};
use millpond::{Collect, RunOptions};
use millpond_snapshot::Store;
use millpond_snapshot::repository::{export, resolve};
use millpond_snapshot::store::OpenMode;

/// Exports the newest snapshot of a job that counted twelve numbers.
fn export_counted(store: &str, directory: &str) {
    let first =
        counting("first-numbers", 0..12, &Collect::new(), "first-out").run(options(store, 2, None)).unwrap();
    let taken = first.snapshot.expect("a snapshot at the end");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open(store, OpenMode::Existing).await.unwrap();
        export(&resolve(&store, &taken).await.unwrap(), directory, |_, _| {}).await.unwrap();
    });
}

#[test]
fn a_job_goes_on_from_an_exported_directory_in_a_store_that_never_heard_of_it_and_again_in_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let exported = directory.path().join("exported").display().to_string();
    export_counted("memory://exported-first", &exported);
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

#[test]
fn no_store_is_made_for_an_exported_directory_that_is_not_there_is_damaged_or_does_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    export_counted("memory://exported-refused", &path("exported"));
    std::fs::create_dir(path("empty")).unwrap();
    std::fs::create_dir(path("damaged")).unwrap();
    std::fs::write(path("damaged/millpond.json"), "{").unwrap();
    let refused = [
        ("nothing", "no such directory"),
        ("empty", "holds no exported snapshot"),
        ("damaged", "cannot be restored"),
        ("exported", "--allow-non-restored-state"),
    ];
    for (name, why) in refused {
        let job = counting("second-numbers", 12..24, &Collect::new(), "second-out");
        let error = job.run(options(&path("store"), 1, Some(path(name)))).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
        assert!(!directory.path().join("store").exists(), "{name}");
    }
}
