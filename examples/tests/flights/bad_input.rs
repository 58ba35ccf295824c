//! What cannot work is refused with one clear message, and nothing is lost.

use crate::support::oracle::{expected, head};
use crate::support::scene::{Scene, bundled};

fn first_rows(rows: usize) -> String {
    head(&std::fs::read_to_string(bundled()).unwrap(), rows)
}

/// The first 100 rows, with something else in line 51.
fn broken(change: impl Fn(&str) -> String) -> String {
    let lines = first_rows(100);
    let lines = lines.lines().enumerate();
    lines.map(|(index, line)| if index == 50 { change(line) } else { line.to_owned() } + "\n").collect()
}

#[test]
fn a_malformed_row_fails_the_job_with_file_line_and_reason() {
    for (change, reason) in [
        (broken(|line| line.replace("2013-01-01T", "yesterday")), "time_hour"),
        (broken(|line| line.split(',').take(5).collect::<Vec<_>>().join(",")), "5 fields"),
    ] {
        let scene = Scene::new();
        scene.write("broken.csv", change);
        scene.start("--input broken.csv").wait().refused(&["broken.csv", "line 51", reason]);
        // Mended, it runs.
        scene.write("broken.csv", first_rows(100));
        scene.finish("--input broken.csv");
        scene.assert_output(&expected(&first_rows(100)));
    }
}

#[test]
fn a_missing_column_is_named() {
    let scene = Scene::new();
    scene.write("narrow.csv", first_rows(10).replacen("origin", "airport", 1));
    scene.start("--input narrow.csv").wait().refused(&["narrow.csv", "origin"]);
}

#[test]
fn input_that_is_not_there_is_named() {
    Scene::new().start("--input nowhere.csv").wait().refused(&["nowhere.csv"]);
}

#[test]
fn flags_that_cannot_be_understood_are_named() {
    let scene = Scene::new();
    for (options, reasons) in [
        ("--rate fast", ["--rate", "fast"]),
        ("--rate 0", ["--rate", "0"]),
        ("--out-of-orderness 48", ["--out-of-orderness", "48"]),
        ("-p 0", ["--parallelism", "0"]),
        ("--checkpoint-interval soon", ["--checkpoint-interval", "soon"]),
        ("--savepiont x", ["--savepiont", "--help"]),
        ("--name a/b", ["a/b", "name"]),
        ("--process 3 --hosts 127.0.0.1:1,127.0.0.1:2", ["--process", "3"]),
    ] {
        let ended = scene.start(options).wait().refused(&reasons);
        assert_eq!(ended.status.code(), Some(2), "{options}: {}", ended.stderr);
    }
    assert!(!scene.path("store").exists(), "a store was made for a job that could not run");
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let scene = Scene::new();
    scene.write("file", "not a directory");
    for (store, reason) in [("nowhere/store", "nowhere"), ("file", "file"), ("ftp://somewhere/store", "ftp")] {
        let options = format!("run --output output --listen off --store {store}");
        scene.bare(&options).wait().refused(&[reason]);
        assert!(!scene.path("output").exists(), "it wrote output without a store");
    }
}

#[test]
#[cfg(unix)]
fn a_store_that_is_read_only_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    std::fs::create_dir(scene.path("frozen")).unwrap();
    std::fs::set_permissions(scene.path("frozen"), PermissionsExt::from_mode(0o555)).unwrap();
    let store = match std::fs::File::create(scene.path("frozen/probe")) {
        Err(_) => scene.path("frozen").display().to_string(),
        // Nothing is read-only for root, but this is.
        Ok(_) => "/proc/sys/store".to_owned(),
    };
    scene.bare(&format!("run --output output --listen off --store {store}")).wait().refused(&[&store]);
}

#[test]
fn a_store_of_a_newer_format_is_left_alone() {
    let scene = Scene::new();
    scene.write("in.csv", first_rows(10));
    scene.finish("--input in.csv");
    let marker = r#"{"format":"millpond-store","version":99}"#;
    scene.write("store/millpond.json", marker);
    let entries = scene.history().newest_sequence();
    scene.start("--input in.csv").wait().refused(&["millpond.json", "99", "newer"]);
    assert_eq!(scene.history().newest_sequence(), entries);
    assert_eq!(std::fs::read_to_string(scene.path("store/millpond.json")).unwrap(), marker);
}

#[test]
fn a_snapshot_that_does_not_exist_is_named_with_what_is_near() {
    let scene = Scene::new();
    scene.write("in.csv", first_rows(10));
    let mut run = scene.start("--input in.csv --follow");
    let savepoint = run.control().savepoint(None);
    run.control().stop(false);
    run.wait().succeeded();
    for (snapshot, near) in [
        ("flights@999", savepoint.as_str()),
        ("flights#never", savepoint.as_str()),
        ("planes@latest", "flights"),
        ("nowhere/exported", "nowhere/exported"),
        ("@", "@"),
    ] {
        scene.start(&format!("--input in.csv -s {snapshot}")).wait().refused(&[snapshot, near]);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let scene = Scene::new();
    scene.write("output", "not a directory");
    scene.start("").wait().refused(&["output"]);
}
