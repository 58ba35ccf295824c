//! A snapshot whose bytes are not what was written: nothing starts from it, and the message says what to start from.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::history::History;
use crate::support::oracle::expected;
use crate::support::scene::{Scene, bundled};

/// A killed run with several checkpoints, of which the newest has an object that no older one names.
struct Broken {
    scene: Scene,
    /// That object.
    object: PathBuf,
    /// The newest snapshot, and the one before it.
    newest: String,
    older: String,
}

impl Broken {
    fn new() -> Self {
        let scene = Scene::new();
        let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 200ms --retain 10");
        run.wait_until("four checkpoints", || scene.history().snapshots("checkpoint").len() >= 4);
        assert!(run.kill());
        let history = scene.history();
        let (ids, manifests) = (history.snapshots("checkpoint"), history.all("checkpoint"));
        let named: Vec<BTreeSet<PathBuf>> = manifests.into_iter().map(objects).collect();
        let last = named.len() - 1;
        let before: BTreeSet<_> = named[..last].iter().flatten().cloned().collect();
        let own = named[last].difference(&before).next().expect("the newest checkpoint wrote something").clone();
        let object = scene.path("store").join(own);
        assert!(object.is_file(), "{} is not there", object.display());
        Broken { object, newest: ids[last].clone(), older: ids[last - 1].clone(), scene }
    }

    fn starts(&self) -> usize {
        self.scene.history().all("start").len()
    }

    /// Both ways to begin there are refused, for this reason, and the message names the snapshot to begin from. A run
    /// `began` in between, or did not.
    fn assert_refused(&self, began: bool, reasons: &[&str]) {
        let file = self.object.file_stem().unwrap().to_str().unwrap();
        for options in ["-p 2".to_owned(), format!("-p 3 -s {}", self.newest)] {
            let starts = self.starts();
            let ended = self.scene.start(&options).wait().refused(reasons).refused(&[
                file,
                &format!("{} cannot be restored", self.newest),
                &format!("run --store 'store' --name flights -s {}\n", self.older),
                "operator",
                "state",
            ]);
            assert!(!ended.stderr.contains("starting again"), "it tried again:\n{}", ended.stderr);
            assert_eq!(self.starts() - starts, usize::from(began), "runs that began, with {options}");
        }
    }

    /// The way that the message names leads to the end.
    fn assert_mended(&self) {
        self.scene.finish(&format!("-p 3 --name flights -s {}", self.older));
        self.scene.assert_output(&expected(&std::fs::read_to_string(bundled()).unwrap()));
    }
}

/// The objects that a manifest names, relative to the store.
fn objects(snapshot: &Value) -> BTreeSet<PathBuf> {
    let operators = snapshot["manifest"]["operators"].as_array().unwrap();
    let states = operators.iter().flat_map(|operator| operator["states"].as_array().unwrap());
    let chunks = states.filter_map(|state| state["chunks"].as_array()).flatten();
    let path = |chunk: &Value| {
        let (hash, kind) = match chunk["pack"]["hash"].as_str() {
            Some(pack) => (pack, "pack"),
            None => (chunk["hash"].as_str().unwrap(), "parquet"),
        };
        PathBuf::from(format!("chunks/{}/{hash}.{kind}", &hash[..2]))
    };
    chunks.map(path).collect()
}

#[test]
fn a_missing_object_is_found_before_anything_starts() {
    let broken = Broken::new();
    std::fs::remove_file(&broken.object).unwrap();
    broken.assert_refused(false, &["object: the manifest names it and it is not there"]);
    broken.assert_mended();
}

#[test]
fn a_truncated_object_is_found_before_anything_starts() {
    let broken = Broken::new();
    let bytes = std::fs::read(&broken.object).unwrap();
    std::fs::write(&broken.object, &bytes[..bytes.len() / 2]).unwrap();
    broken.assert_refused(false, &["size: expected"]);
    broken.assert_mended();
}

#[test]
fn a_flipped_bit_ends_the_run_for_good() {
    let broken = Broken::new();
    let mut bytes = std::fs::read(&broken.object).unwrap();
    // Early enough to be within the first chunk of a pack.
    bytes[8] ^= 1;
    std::fs::write(&broken.object, &bytes).unwrap();
    broken.assert_refused(true, &["BLAKE3 hash"]);
    broken.assert_mended();
}

#[test]
fn an_entry_that_cannot_be_read_leads_to_a_run_under_another_name() {
    let broken = Broken::new();
    let number: u64 = broken.newest.split_once('@').unwrap().1.parse().unwrap();
    let entry = broken.scene.path(&format!("store/jobs/flights/log/{number:020}.json"));
    std::fs::write(&entry, "{").unwrap();
    let advice = format!("run --store 'store' --name flights-2 -s {}\n", broken.older);
    for options in ["-p 2".to_owned(), format!("-p 3 -s {}", broken.newest)] {
        let ended = broken.scene.start(&options).wait();
        ended.refused(&["the log of job 'flights' cannot be read", &format!("{number:020}.json"), &advice]);
    }
    let run =
        format!("run --store store --output other --listen 127.0.0.1:0 -p 3 --name flights-2 -s {}", broken.older);
    broken.scene.bare(&run).wait().succeeded();
    let history = History::read(&broken.scene.path("store"), "flights-2");
    assert_eq!(history.all("start")[0]["restored_from"], broken.older);
    assert_eq!(history.last().as_deref(), Some("finish"));
}
