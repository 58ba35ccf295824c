//! `kill -9` in the middle of `copy`, at moments that chance chooses.
//!
//! `MILLPOND_TEST_SEED` says which. A seed that failed goes into [`SEEDS`].

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, SystemTime};

use millpond_snapshot::ChunkHash;

use super::support::Place;

/// Seeds that are always run.
const SEEDS: [u64; 1] = [20130101];
/// Objects of the snapshot that is copied.
const OBJECTS: u64 = 120;
/// Kills in a round, at most.
const KILLS: u64 = 5;
/// There are rounds until so many copies were killed, and so many of them while they copied.
const ENOUGH: (u64, u64) = (12, 3);
/// But no more than these: a busy machine may let a copy end before this process has its turn.
const MOST_ROUNDS: u64 = 100;

/// A number that chance gives out again for the same seed.
struct Chance(u64);

impl Chance {
    /// From 0 to `below`, less one.
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below.max(1)
    }
}

/// The files of chunks below a store.
fn files(store: &Path) -> impl Iterator<Item = DirEntry> {
    let folders = std::fs::read_dir(store.join("chunks")).into_iter().flatten();
    folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap()).map(Result::unwrap)
}

/// The same by name, and when each was written. Their names say what they hold.
fn chunks(store: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    for file in files(store) {
        let name = file.file_name().into_string().unwrap();
        let hash = ChunkHash::of(&std::fs::read(file.path()).unwrap()).to_string();
        assert!(name.starts_with(&hash), "{name} is half written");
        found.insert(name.into(), file.metadata().unwrap().modified().unwrap());
    }
    found
}

/// Kills a copy once its store has so many objects and a moment has passed; says whether it was still at work.
fn kill_at(mut copy: Child, store: &Path, objects: u64, moment: Duration) -> bool {
    while (files(store).count() as u64) < objects && copy.try_wait().unwrap().is_none() {}
    std::thread::sleep(moment);
    copy.kill().unwrap();
    copy.wait().unwrap().code().is_none()
}

/// How many entries the log of the copy has.
fn entries(store: &Path) -> usize {
    std::fs::read_dir(store.join("jobs/flights/log")).map_or(0, Iterator::count)
}

#[test]
fn a_copy_that_is_killed_is_not_there_or_whole_and_is_taken_up_where_it_was() {
    let place = Place::scattered(OBJECTS);
    place.run("copy flights@5 ./unhurt").says(&["flights@1 in ./unhurt"]);
    let unhurt = chunks(&place.path("unhurt"));
    assert_eq!(unhurt.len() as u64, OBJECTS);

    let seed = std::env::var("MILLPOND_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    for seed in SEEDS.into_iter().chain(seed) {
        eprintln!("seed {seed}");
        let (mut chance, mut killed, mut amidst) = (Chance(seed), 0, 0);
        for round in 0..MOST_ROUNDS {
            if killed >= ENOUGH.0 && amidst >= ENOUGH.1 {
                break;
            }
            let name = format!("round-{seed}-{round}");
            let there = place.path(&name);
            for _ in 0..KILLS {
                let before = chunks(&there);
                let copy = place.spawn(&format!("copy flights@5 ./{name}"));
                let objects = OBJECTS.min(before.len() as u64 + chance.below(OBJECTS / 2));
                if !kill_at(copy, &there, objects, Duration::from_micros(chance.below(3000))) {
                    break;
                }
                killed += 1;
                let after = chunks(&there);
                amidst += u64::from(!after.is_empty() && (after.len() as u64) < OBJECTS);
                for (file, written) in &before {
                    assert_eq!(after.get(file), Some(written), "{} was copied again", file.display());
                }
                match entries(&there) {
                    0 => {}
                    1 => place.run(&format!("verify --store ./{name}")).says(&["1 snapshot whole"]),
                    more => panic!("one copy made {more} entries"),
                }
            }
            let (present, there_already) = (chunks(&there).len() as u64, entries(&there));
            let copied = place.json(&format!("copy flights@5 ./{name}"));
            assert_eq!(copied["present"], present, "{copied}");
            assert_eq!(copied["objects"], OBJECTS - present, "{copied}");
            assert_eq!(copied["copy"], "flights@1", "after {there_already} entries: {copied}");
            assert!(
                chunks(&there).keys().eq(unhurt.keys()),
                "it has other objects than a copy that nobody killed"
            );
            place.run(&format!("verify --store ./{name}")).says(&["1 snapshot whole"]);
            let manifest = |line: String| place.json(&line)["operators"].clone();
            let original = manifest("show flights@5".to_owned());
            assert!(original.as_array().is_some_and(|operators| !operators.is_empty()));
            assert_eq!(manifest(format!("show flights@1 --store ./{name}")), original);
        }
        assert!(killed >= ENOUGH.0, "only {killed} kills");
        assert!(amidst >= ENOUGH.1, "of {killed} kills only {amidst} were amidst the copying");
    }
}
