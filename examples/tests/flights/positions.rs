//! Sources that are told where to begin, whatever the snapshot says.

use serde_json::Value;

use crate::support::oracle::{expected, head};
use crate::support::output;
use crate::support::scene::{Scene, bundled};

fn csv() -> String {
    std::fs::read_to_string(bundled()).unwrap()
}

/// The rows behind the first `count`, with the header.
fn tail(csv: &str, count: usize) -> String {
    let mut lines = csv.split_inclusive('\n');
    let header = lines.next().unwrap().to_owned();
    header + &lines.skip(count).collect::<String>()
}

fn append(scene: &Scene, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).open(scene.path("in.csv")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

const FOLLOW: &str = "--input in.csv --follow --checkpoint-interval 100ms";

#[test]
fn a_run_that_begins_at_the_end_reads_what_is_appended_and_keeps_to_it() {
    let csv = csv();
    let scene = Scene::new();
    scene.write("in.csv", head(&csv, 5000));
    // The same command each time, as a supervisor gives it.
    let command = format!("-p 2 {FOLLOW} --source-position flights=end");
    let mut run = scene.start(&command);
    let control = run.control();
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    append(&scene, csv.split_inclusive('\n').skip(5001).take(3000).collect::<String>().as_str());
    run.wait_until("three thousand records", || control.records_read() >= 3000);
    let newest = scene.history().newest_sequence();
    run.wait_until("a checkpoint of them", || scene.history().newest_sequence() >= newest + 2);
    assert!(run.kill());
    append(&scene, csv.split_inclusive('\n').skip(8001).collect::<String>().as_str());
    // Not a second time: what was appended meanwhile is read.
    let mut run = scene.start(&command);
    let control = run.control();
    let rest = csv.lines().count() as u64 - 8001;
    run.wait_until("the rest", || control.records_read() >= rest);
    control.stop(true);
    run.wait().succeeded();
    scene.assert_output(&expected(&tail(&csv, 5000)));
}

#[test]
fn a_position_outlives_a_run_that_dies_before_its_first_checkpoint() {
    let csv = csv();
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 200ms");
    let control = run.control();
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    let savepoint = control.stop(false);
    run.wait().succeeded();
    let counted: u64 = output::carriers(&scene.path("output")).values().map(|running| running.len() as u64).sum();
    assert!(counted > 0);

    // All rows once more, on top of what has been counted; without checkpoints, so that the first run holds nothing.
    let slow = "--output again --listen 127.0.0.1:0 --checkpoint-interval 0s";
    let told =
        format!("run --store store {slow} -p 3 --rate 2000 -s {savepoint} --source-position flights=beginning");
    let mut first = scene.bare(&told);
    let control = first.control();
    first.wait_until("some records", || control.records_read() > 0);
    assert!(first.kill());
    scene.bare(&format!("run --store store {slow} -p 1")).wait().succeeded();
    let all: u64 = expected(&csv).carriers.values().map(|totals| totals.0).sum();
    let again: u64 = output::carriers(&scene.path("again")).values().map(|running| running.len() as u64).sum();
    assert_eq!(again, all, "each row is counted once more");
    let last: u64 =
        output::carriers(&scene.path("again")).values().map(|running| running[running.len() - 1].0).sum();
    assert_eq!(last, all + counted, "on top of what the savepoint had");
}

#[test]
fn the_plan_shows_old_and_new_and_what_a_source_does_not_take_is_refused() {
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 200ms");
    let control = run.control();
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    control.stop(false);
    run.wait().succeeded();
    let check = |flags: &str| scene.bare(&format!("check --store store -s flights@latest {flags}")).wait();
    let plan = check("--json --source-position flights=2013-01-01T00:00:00Z").succeeded();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["positions"][0]["new"], "2013-01-01T00:00:00.000Z");
    let old = plan["positions"][0]["old"].as_str().unwrap();
    assert!(old.contains("1 split found, 1 being read") && old.contains("\"offset\":"), "{old}");
    let text = check("--source-position flights=end").succeeded().stdout;
    assert!(text.contains("source 'flights' begins at latest, and not at 1 split found"), "{text}");
    let refused = |flag: &str, reason: &str| {
        assert_eq!(check(flag).refused(&[reason]).status.code(), Some(2));
        scene.start(&format!("-s flights@latest {flag}")).wait().refused(&[reason]);
    };
    refused("--source-position flights=17", "it takes earliest, latest, a time such as");
    refused("--source-position carriers=end", "'carriers' is no source");
    refused("--source-position other=end", "no source 'other'; its sources are flights");
}
