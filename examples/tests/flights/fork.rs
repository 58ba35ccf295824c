//! A savepoint as the beginning of another job, while the first one goes on and after it has ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::oracle::expected;
use crate::support::output;
use crate::support::scene::{Scene, bundled};

fn csv() -> String {
    std::fs::read_to_string(bundled()).unwrap()
}

/// Every file below a path with its bytes; a fork record is what a fork leaves with the first job on purpose.
fn bytes(below: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                // A file of a job that runs may have got its next name.
                files.extend(std::fs::read(&path).ok().map(|bytes| (path, bytes)));
            }
        }
    }
    files
}

/// What the first job has: its log and tags, its chunks, its output.
fn of_first(scene: &Scene) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = bytes(&scene.path("output"));
    files.extend(bytes(&scene.path("store/jobs/flights/log")));
    files.extend(bytes(&scene.path("store/chunks")));
    assert!(files.len() > 3, "there is too little to compare: {files:?}");
    files
}

/// What was there must be there, byte for byte; there may be more.
fn assert_untouched(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) {
    for (path, bytes) in before {
        assert!(after.get(path) == Some(bytes), "{} was changed", path.display());
    }
}

/// The output of the fork: it counts on from the savepoint without a gap, to the totals of all rows.
pub(crate) fn assert_counts_on(output: &Path) {
    let expected = expected(&csv());
    let carriers = output::carriers(output);
    assert!(!carriers.is_empty());
    for (carrier, running) in carriers {
        let (first, last) = (running[0], running[running.len() - 1]);
        assert_eq!(last, expected.carriers[&carrier], "carrier {carrier}");
        assert_eq!(last.0 - first.0 + 1, running.len() as u64, "carrier {carrier} has gaps");
    }
    assert!(!output::hourly(output).is_empty());
    output::assert_part_of(output, &expected);
}

/// The files that a snapshot says were prepared, in the folders of the sinks.
fn prepared(scene: &Scene, snapshot: &str) -> Vec<PathBuf> {
    let (job, sequence) = snapshot.split_once('@').unwrap();
    let path = scene.path(&format!("store/jobs/{job}/log/{:020}.json", sequence.parse::<u64>().unwrap()));
    let entry: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let body = entry["body"].as_object().unwrap().values().next().unwrap();
    let mut files = Vec::new();
    for operator in body["manifest"]["operators"].as_array().unwrap() {
        for state in operator["states"].as_array().unwrap().iter().filter(|state| state["name"] == "prepared") {
            for row in state["rows_inline"].as_array().unwrap() {
                let folder = operator["uid"].as_str().unwrap();
                files.push(Path::new(folder).join(row["output"]["name"].as_str().unwrap()));
            }
        }
    }
    files
}

/// A savepoint of a job that was killed after it had published it, and before it committed anything of it.
fn killed_between_publish_and_commit(scene: &Scene) -> (String, Vec<PathBuf>) {
    let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 10m");
    let control = run.control();
    run.wait_until("a thousand records", || control.records_read() >= 1000);
    let savepoint = control.savepoint(Some("branch"));
    assert!(run.kill(), "it had ended already");
    let files = prepared(scene, &savepoint);
    assert!(!files.is_empty(), "{savepoint} has nothing prepared");
    for file in &files {
        let committed = scene.path("output").join(file);
        let name = format!(".{}.pending", file.file_name().unwrap().to_str().unwrap());
        // As it would be, had it died a moment earlier.
        let pending = committed.with_file_name(name);
        if committed.exists() {
            std::fs::rename(&committed, &pending).unwrap();
        }
        assert!(pending.exists(), "{} is nowhere", file.display());
    }
    (savepoint, files)
}

fn check(scene: &Scene, flags: &str) -> Value {
    let plan = scene.bare(&format!("check --store store --json {flags}")).wait().succeeded();
    serde_json::from_str(&plan.stdout).unwrap()
}

#[test]
fn a_fork_counts_on_from_its_savepoint_while_the_first_job_goes_on() {
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 1500 --checkpoint-interval 200ms --retain 1000");
    let control = run.control();
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    control.savepoint(Some("branch"));
    let mut before = of_first(&scene);
    // What is hidden is still being worked on.
    before.retain(|path, _| !path.file_name().unwrap().to_str().unwrap().starts_with('.'));
    // Beside the first one's files, in the same folders.
    let fork = "run --store store --output output --name fork --listen 127.0.0.1:0 -p 3 -s flights#branch";
    let said = scene.bare(fork).wait().succeeded();
    assert!(said.stderr.contains("the job that prepared it commits it"), "{}", said.stderr);
    assert!(run.is_running(), "the first job was to be running all the while");
    assert_untouched(&before, &of_first(&scene));
    control.stop(false);
    run.wait().succeeded();
    scene.finish("-p 1 -s flights@latest");

    // Each by itself: the names of the files say whose they are.
    std::fs::create_dir(scene.path("fork")).unwrap();
    for folder in ["carriers", "hourly"] {
        std::fs::create_dir(scene.path("fork").join(folder)).unwrap();
        for path in bytes(&scene.path("output").join(folder)).into_keys() {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("part-fork-") {
                std::fs::rename(&path, scene.path("fork").join(folder).join(name)).unwrap();
            }
        }
    }
    scene.assert_output(&expected(&csv()));
    assert_counts_on(&scene.path("fork"));
}

#[test]
fn by_default_a_fork_leaves_prepared_output_to_the_job_that_prepared_it() {
    let scene = Scene::new();
    let (savepoint, files) = killed_between_publish_and_commit(&scene);
    let plan = check(&scene, &format!("-s {savepoint} --name fork"));
    assert_eq!(plan["fork-of"], "flights");
    let pieces: u64 = plan["pending-output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sink| {
            assert_eq!(sink["decision"], "drop");
            sink["pieces"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(pieces, files.len() as u64);
    assert_eq!(check(&scene, &format!("-s {savepoint}"))["pending-output"][0]["decision"], "commit", "in place");

    let before = of_first(&scene);
    scene
        .bare(&format!("run --store store --output output --name fork --listen off -p 3 -s {savepoint}"))
        .wait()
        .succeeded();
    assert_untouched(&before, &of_first(&scene));
    for file in &files {
        assert!(!scene.path("output").join(file).exists(), "{} was committed by the fork", file.display());
    }
    // The first job goes on in place, and commits its own.
    let only_first = |scene: &Scene| {
        for path in bytes(&scene.path("output")).into_keys() {
            if path.file_name().unwrap().to_str().unwrap().contains("part-fork-") {
                std::fs::remove_file(path).unwrap();
            }
        }
    };
    only_first(&scene);
    scene.finish("-p 1");
    scene.assert_output(&expected(&csv()));
}

#[test]
fn a_fork_commits_what_was_prepared_if_it_is_told_to() {
    let scene = Scene::new();
    let (savepoint, files) = killed_between_publish_and_commit(&scene);
    let plan = check(&scene, &format!("-s {savepoint} --name fork --pending-output commit"));
    for sink in plan["pending-output"].as_array().unwrap() {
        assert_eq!((sink["decision"].as_str(), sink["asked"].as_bool()), (Some("commit"), Some(true)));
    }
    let fork = "run --store store --output output --name fork --listen off -p 3 --pending-output commit";
    let said = scene.bare(&format!("{fork} -s {savepoint}")).wait().succeeded();
    assert!(
        said.stderr.contains("that the snapshot has prepared: committed when the run starts"),
        "{}",
        said.stderr
    );
    for file in &files {
        assert!(scene.path("output").join(file).exists(), "{} was not committed", file.display());
    }
    // With it the output of both is that of one job; what the first has to commit again changes nothing.
    scene.assert_output(&expected(&csv()));
}

#[test]
fn a_run_in_place_can_be_told_not_to_commit() {
    let scene = Scene::new();
    let (savepoint, files) = killed_between_publish_and_commit(&scene);
    scene.finish(&format!("-p 1 -s {savepoint} --pending-output drop"));
    for file in &files {
        assert!(!scene.path("output").join(file).exists(), "{} was committed", file.display());
    }
    assert_counts_on(&scene.path("output"));
}

#[test]
fn a_fork_of_a_stopped_job_that_dies_before_its_first_checkpoint_begins_again_as_it_was_told() {
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 200ms");
    let control = run.control();
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    let savepoint = control.stop(false);
    run.wait().succeeded();
    let before = of_first(&scene);
    let fork = "run --store store --output fork --name fork --listen off --rate 9000 --checkpoint-interval 10m";
    let started = || crate::support::history::History::read(&scene.path("store"), "fork").all("start").len();
    let mut first = scene.bare(&format!("{fork} -p 3 -s {savepoint}"));
    first.wait_until("the start entry", || started() == 1);
    assert!(first.kill());
    // Under its name alone, without -s.
    scene.bare(&format!("{fork} -p 2")).wait().succeeded();
    assert_eq!(started(), 2);
    assert_untouched(&before, &of_first(&scene));
    assert_counts_on(&scene.path("fork"));
}
