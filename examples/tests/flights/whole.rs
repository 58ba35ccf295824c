//! From the beginning of the input to its end.

use std::process::Command;

use crate::support::oracle::expected;
use crate::support::output;
use crate::support::scene::{Scene, bundled};

fn bundled_csv() -> String {
    std::fs::read_to_string(bundled()).unwrap()
}

#[test]
fn at_any_parallelism_the_output_is_that_of_the_oracle() {
    let expected = expected(&bundled_csv());
    for parallelism in 1..=4 {
        let scene = Scene::new();
        scene.finish(&format!("-p {parallelism}"));
        scene.assert_output(&expected);
        assert_eq!(scene.history().last().as_deref(), Some("finish"));
    }
}

#[test]
fn without_options_it_reads_the_bundled_data_and_says_where_the_results_are() {
    let scene = Scene::new();
    for _ in 0..2 {
        // The second run starts afresh, and replaces what the first one left.
        let ended = scene.bare("run").wait().succeeded();
        output::assert_equal(&scene.path("flights-output"), &expected(&bundled_csv()));
        assert!(
            ended.stdout.contains("flights-output"),
            "it does not say where the results are:\n{}",
            ended.stdout
        );
        let records = ended.stdout.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        assert_eq!(records.count(), 3, "it does not show three records:\n{}", ended.stdout);
    }
}

#[test]
fn input_may_be_several_files_and_directories() {
    let csv = bundled_csv();
    let rows: Vec<&str> = csv.split_inclusive('\n').skip(1).take(3000).collect();
    let header = csv.split_inclusive('\n').next().unwrap();
    let file = |part: usize| header.to_owned() + &rows[part * 1000..(part + 1) * 1000].concat();
    let scene = Scene::new();
    std::fs::create_dir(scene.path("in")).unwrap();
    scene.write("in/a.csv", file(0));
    scene.write("in/b.csv", file(1));
    scene.write("c.csv", file(2));
    scene.finish("-p 2 --input in --input c.csv");
    scene.assert_output(&expected(&(header.to_owned() + &rows.concat())));
}

#[test]
fn the_oracle_in_python_agrees() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3");
        return;
    }
    let scene = Scene::new();
    scene.finish("-p 2");
    let oracle = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/tests/oracle/flights.py";
    let check = |output: &str| {
        let mut command = Command::new("python3");
        command.arg(&oracle).arg(bundled()).arg("--check").arg(scene.path(output)).output().unwrap()
    };
    let verdict = check("output");
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    // And it would say so if a file were missing.
    for folder in ["carriers", "hourly"] {
        std::fs::create_dir_all(scene.path("empty").join(folder)).unwrap();
    }
    assert!(!check("empty").status.success(), "the oracle is content with nothing");
}

#[test]
fn plan_shows_the_operators_by_their_uids() {
    let scene = Scene::new();
    let plan = scene.bare("plan").wait().succeeded();
    for uid in ["flights", "carrier-totals", "hourly-origins"] {
        assert!(plan.stdout.contains(uid), "no '{uid}' in:\n{}", plan.stdout);
    }
}
