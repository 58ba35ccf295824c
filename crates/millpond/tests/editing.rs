//! Jobs that start from snapshots that no run took: made from nothing, and from another.

#[path = "common/buckets.rs"]
mod buckets;
#[path = "common/counting.rs"]
mod counting;

use std::collections::BTreeMap;
use std::time::Duration;

use buckets::{BUCKET, Buckets};
use counting::{counting, options};
use millpond::{Collect, EventTime, IteratorSource, Job, WatermarkStrategy};
use millpond_snapshot::edit::{Edit, MapRow, Publish, TimerRow, ValueRow};
use millpond_snapshot::repository::{resolve, verify};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{OperatorUid, Store};

const COUNT: u64 = 600;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

/// The sums of each bucket and key of some numbers.
fn sums(numbers: std::ops::Range<u64>) -> BTreeMap<(u64, u64), u64> {
    let mut sums = BTreeMap::new();
    for number in numbers {
        *sums.entry((number % 7, number / BUCKET * BUCKET)).or_default() += number;
    }
    sums
}

#[test]
fn a_job_starts_from_maps_and_timers_that_it_never_wrote() {
    // What a run over the first numbers would know: sums of buckets that are not yet over, and their timers.
    let first = 150;
    let known: Vec<((u64, u64), u64)> = sums(0..first).into_iter().collect();
    assert!(known.len() > 7);
    for parallelism in 1..=3 {
        let address = format!("memory://editing-bootstrap-{parallelism}");
        let from = block_on(async {
            let store = Store::open(&address, OpenMode::CreateIfMissing).await.unwrap();
            let mut edit = Edit::of_nothing(&store, &"buckets".parse().unwrap()).await.unwrap();
            let uid: OperatorUid = "buckets".parse().unwrap();
            let rows = known.iter().rev().map(|((key, start), sum)| MapRow::new(*key, *start, *sum));
            edit.bootstrap(&uid, &"sums".parse().unwrap()).unwrap().write(rows).await.unwrap();
            let timers = known.iter().map(|((key, start), _)| TimerRow::new(*key, (start + BUCKET - 1) as i64));
            edit.bootstrap(&uid, &"event-timers".parse().unwrap()).unwrap().write(timers).await.unwrap();
            edit.publish(Publish::default()).await.unwrap().id.to_string()
        });
        assert_eq!(from, "buckets@1");
        let out = Collect::<(u64, u64, u64)>::new();
        let sink = out.clone();
        let job = Job::new("buckets", move |env| {
            let in_order = WatermarkStrategy::bounded_out_of_orderness(Duration::ZERO);
            env.source(
                IteratorSource::new(move || first..COUNT),
                in_order.timestamps(|number: &u64| EventTime::from_millis(*number as i64)),
            )
            .uid("numbers")
            .key_by(|number| number % 7)
            .process(|setup| Buckets { sums: setup.map("sums") })
            .uid("buckets")
            .sink(sink.sink())
            .uid("out");
            Ok(())
        });
        job.run(options(&address, parallelism, Some(from))).unwrap();
        let mut found = out.items();
        found.sort();
        let expected: Vec<_> = sums(0..COUNT).into_iter().map(|((key, start), sum)| (key, start, sum)).collect();
        assert_eq!(found, expected, "parallelism {parallelism}");
    }
}

#[test]
fn a_job_goes_on_from_what_was_made_of_its_state() {
    let address = "memory://editing-again";
    let report = counting("numbers", 0..12, &Collect::new(), "out").run(options(address, 2, None)).unwrap();
    let taken = report.snapshot.unwrap();
    let from = block_on(async {
        let store = Store::open(address, OpenMode::Existing).await.unwrap();
        let found = resolve(&store, &taken).await.unwrap();
        let mut edit = Edit::of(&found, &store, &"counting".parse().unwrap()).await.unwrap();
        // The source has read all there is: without its state it begins anew.
        let uids: Vec<OperatorUid> =
            edit.manifest().operators.iter().map(|operator| operator.uid.clone()).collect();
        for uid in uids.iter().filter(|uid| uid.as_str() != "counts") {
            edit.delete_operator(uid).unwrap();
        }
        let counts =
            edit.state::<ValueRow<u64, u64>>(&"counts".parse().unwrap(), &"seen".parse().unwrap()).unwrap();
        let changed = counts.filter(|row| row.key != 0).map_values(|key, count| count * 100 + key);
        let written = changed.write_with([ValueRow::new(9, 9)]).await.unwrap();
        assert_eq!((written.read, written.written), (4, 4));
        let id = edit.publish(Publish::default()).await.unwrap().id.to_string();
        let edited = resolve(&store, &id).await.unwrap();
        assert_eq!(verify(&[edited], |_, _| {}).await.unwrap().problems, []);
        id
    });
    let out = Collect::new();
    counting("numbers", 0..12, &out, "out").run(options(address, 3, Some(from))).unwrap();
    let mut found = out.items();
    found.sort();
    // Three numbers of each remainder, counted on from nothing, 301, 302 and 303.
    let before = [0, 301, 302, 303];
    let expected: Vec<(u64, u64)> =
        (0..4u64).flat_map(|key| (1..=3).map(move |n| (key, before[key as usize] + n))).collect();
    assert_eq!(found, expected);
}
