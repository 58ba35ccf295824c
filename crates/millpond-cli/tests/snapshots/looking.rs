//! `ls`, `show`, `diff` and `graph`.

use serde_json::json;

use super::support::Place;

#[test]
fn ls_lists_each_snapshot_with_its_sizes_marks_and_reason() {
    let place = Place::golden();
    place.run("ls").says(&[
        "SNAPSHOT",
        "flights@2",
        "checkpoint",
        "flights@3",
        "savepoint",
        "before the release (ann)",
    ]);
    place.run("ls flights").says(&["#golden, pinned, origin of flights-b", "18.23 KiB", "2026-11-23 01:04:11Z"]);
    place.run("ls trains").says(&["There are no snapshots."]);
    let listed = place.json("ls");
    let sequences: Vec<_> = listed.as_array().unwrap().iter().map(|entry| &entry["sequence"]).collect();
    assert_eq!(sequences, [2, 3]);
    assert_eq!(
        listed[1]["marks"],
        json!({ "tags": ["golden"], "pinned": true, "in-use": false, "origin-of": ["flights-b"] })
    );
    assert_eq!((&listed[1]["bytes-total"], &listed[1]["requested-by"]), (&json!(29463), &json!("ann")));
}

#[test]
fn ls_says_from_which_snapshot_a_job_goes_on() {
    let place = Place::flights();
    let in_use =
        || place.json("ls").as_array().unwrap().iter().map(|s| s["marks"]["in-use"] == true).collect::<Vec<_>>();
    assert_eq!(in_use(), [false, false, true]);
    place.stop();
    assert_eq!(in_use(), [false; 3]);
}

#[test]
fn show_tells_operators_states_types_and_where_the_sources_stand() {
    let place = Place::flights();
    place.run("show flights@latest").says(&[
        "flights@4, a savepoint of",
        "before the release (ann)",
        "in use",
        "source 'the files', uid derived: give the operator .uid",
        "offset 400, path a.csv; event time up to 1970-01-01 00:00:04Z",
        "process 'the sum', uid given",
        "≤ 6",
        "1 base, 3 delta",
        "string → u64?",
    ]);
    let shown = place.json("show flights@4");
    let total = &shown["operators"][1]["states"][0];
    assert_eq!((&total["key"], &total["value"], &total["rows"]), (&json!("string"), &json!("u64?"), &json!(6)));
    assert_eq!(total["chunks"].as_array().unwrap().len(), 4);
    assert_eq!(shown["operators"][0]["states"][0]["operator-rows"][0]["split"]["offset"], 400);
}

#[test]
fn show_knows_every_kind_of_state() {
    let place = Place::golden();
    place.run("show flights#golden").says(&[
        "string → {sum: i64, note: string?, mean: f64}?",
        "i64 → [u16]?",
        "{line: i32, stop: string}, string → bool?",
        "timers",
        "1m",
        "file b.csv, line 0",
        "limit 3, rule all",
    ]);
}

#[test]
fn diff_counts_and_shows_the_rows_that_differ() {
    let place = Place::flights();
    let outcome = place.run("diff flights@2 flights@4 --rows 5");
    outcome.says(&["sum/total", "differs", "- \"b\": 2", "+ \"d\": 4", "+ offset 400, path a.csv"]);
    place.run("diff flights@2 flights@2").says(&["sum/total", "same"]);
    assert!(!place.run("diff flights@2 flights@4").out.contains("\"d\""));
    assert_eq!(place.run("diff flights@2 flights@4 --rows").out, outcome.out);

    let value = place.json("diff flights@2 flights@4 --rows 1");
    let total = &value["states"][1];
    assert_eq!(
        (&total["added"], &total["removed"], &total["changed"], &total["same"]),
        (&json!(1), &json!(1), &json!(0), &json!(2))
    );
    assert_eq!(total["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn diff_compares_every_kind_of_state() {
    let value = Place::golden().json("diff flights@2 flights@3 --rows 100");
    let states = value["states"].as_array().unwrap();
    assert_eq!(states.len(), 9);
    for state in states {
        let operator_state =
            ["operator-list", "operator-union", "broadcast"].map(|s| json!(s)).contains(&state["state"]);
        assert_eq!(state["outcome"], if operator_state { "same" } else { "differs" }, "{state}");
        if !operator_state {
            let counts = ["added", "removed", "changed"].map(|count| state[count].as_u64().unwrap());
            let rows = state["rows"].as_array().unwrap();
            assert!(!rows.is_empty());
            assert_eq!(rows.len() as u64, counts.iter().sum::<u64>(), "{state}");
        }
    }
}

#[test]
fn graph_draws_lineage_three_ways() {
    let place = Place::flights();
    let text = place.run("graph");
    text.says(&["flights@2  checkpoint", "flights@4  savepoint"]);
    assert_eq!(text.out.lines().count(), 3);
    place.run("graph --format dot").says(&["digraph", "\"flights@2\" -> \"flights@3\""]);
    place.run("graph flights --format mermaid").says(&["flowchart LR", "n0 --> n1", "n1 --> n2"]);
    assert_eq!(
        place.json("graph")["edges"][1],
        json!({ "from": "flights@3", "to": "flights@4", "descent": "parent" })
    );
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let place = Place::flights();
    place.run("show flights@9").fails(&["there is no snapshot flights@9", "flights@4, flights@3, flights@2"]);
    place.run("ls trains").fails(&["there is no job trains", "it holds flights"]);
    place.run("show flights").fails(&["no exported snapshot at flights", "JOB@latest"]);
    place.run("ls --store nowhere").fails(&["there is no store at nowhere"]);
    place.run("show ./nowhere").fails(&["nowhere"]);
    for line in ["", "show", "show flights@", "ls a/b", "graph --format dot --json", "diff flights@2", "fly"] {
        assert_eq!(place.run(line).code, 2, "{line}");
    }
}
