//! A job that starts from an exported directory, which needs no store.

use std::ops::Range;

use millpond::{Collect, IteratorSource, Job, KeyedContext, RunOptions, WatermarkStrategy};
use millpond_snapshot::Store;
use millpond_snapshot::repository::{export, resolve};
use millpond_snapshot::store::OpenMode;

/// For each of some numbers, its remainder and how many there were of it. `part` names source and sink, so that each part
/// reads numbers of its own.
fn counting(part: &'static str, numbers: Range<u64>, out: &Collect<(u64, u64)>) -> Job {
    let out = out.clone();
    Job::new("counting", move |env| {
        let numbers = numbers.clone();
        env.source(IteratorSource::new(move || numbers.clone()), WatermarkStrategy::none())
            .uid(&format!("{part}-numbers"))
            .key_by(|n| n % 4)
            .process_fn(|setup| {
                let seen = setup.value::<u64>("seen");
                move |n: &u64, context: &mut KeyedContext<'_, u64, (u64, u64), ()>| {
                    let count = seen.get().unwrap_or(0) + 1;
                    seen.set(count);
                    context.emit((n % 4, count));
                    Ok(())
                }
            })
            .uid("counts")
            .sink(out.sink())
            .uid(&format!("{part}-out"));
        Ok(())
    })
}

fn options(store: &str, parallelism: usize, from: Option<String>) -> RunOptions {
    RunOptions { parallelism: Some(parallelism), store: Some(store.to_owned()), from, ..RunOptions::default() }
}

#[test]
fn a_job_goes_on_from_an_exported_directory_in_a_store_that_never_heard_of_it_and_again_in_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let exported = directory.path().join("exported").display().to_string();
    let first =
        counting("first", 0..12, &Collect::new()).run(options("memory://exported-first", 2, None)).unwrap();
    let taken = first.snapshot.expect("a snapshot at the end");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open("memory://exported-first", OpenMode::Existing).await.unwrap();
        export(&resolve(&store, &taken).await.unwrap(), &exported, |_, _| {}).await.unwrap();
    });
    for parallelism in [3, 1] {
        let out = Collect::new();
        let from = options("memory://exported-second", parallelism, Some(exported.clone()));
        counting("second", 12..24, &out).run(RunOptions { allow_non_restored: true, ..from }).unwrap();
        let mut found = out.items();
        found.sort();
        // Three numbers of each remainder were counted before.
        let expected: Vec<(u64, u64)> = (0..4).flat_map(|key| (4..=6).map(move |n| (key, n))).collect();
        assert_eq!(found, expected, "parallelism {parallelism}");
    }
}
