//! `rm`, `thin` and `gc`.

use serde_json::json;

use super::support::Place;

#[test]
fn rm_refuses_what_a_job_goes_on_from() {
    let place = Place::flights();
    place.run("rm flights@4").fails(&["flights@4 is not removed", "job flights goes on from it"]);
    place.run("show flights@4").says(&["flights@4"]);
}

#[test]
fn rm_says_what_is_freed_and_gc_frees_it() {
    let place = Place::flights();
    place.stop();
    place.run("rm flights@4 --dry-run").says(&["flights@4 would be removed", "1 object"]);
    place.run("show flights@4").says(&["flights@4"]);
    place.run("rm flights@latest").says(&["flights@4 is removed", "1 object"]);
    place.run("show flights@4").fails(&["there is no snapshot flights@4"]);

    let before = place.chunks().len();
    place.run("gc").says(&["0 objects (0 B) deleted", "1 object", "left alone: too young"]);
    let would = place.json("gc --grace 0s --dry-run");
    assert_eq!(would["deleted"].as_array().unwrap().len(), 1);
    assert_eq!(place.chunks().len(), before);
    place.run("gc --grace 0s").says(&["1 object (", "deleted; snapshots name 3 objects."]);
    assert_eq!(place.chunks().len(), before - 1);
    place.run("verify").says(&["2 snapshots whole"]);
}

#[test]
fn rm_takes_several_and_stops_at_the_first_that_it_refuses() {
    let place = Place::flights();
    place.run("pin flights@3").says(&["pinned"]);
    let outcome = place.run("rm flights@2 flights@3 --json");
    outcome.fails(&["flights@3 is not removed"]);
    let printed: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(printed["removed"], json!([{ "snapshot": "flights@2", "objects": 0, "bytes": 0, "tags": [] }]));
}

#[test]
fn rm_takes_the_tags_along_and_stops_at_a_pin() {
    let place = Place::flights();
    place.run("tag flights@2 lunch").says(&["flights#lunch is flights@2"]);
    place.run("pin flights@2").says(&["pinned"]);
    place
        .run("rm flights#lunch")
        .fails(&["it is pinned", "`millpond snapshots unpin flights@2` takes the pin away"]);
    place.run("unpin flights@2").says(&["not pinned"]);
    place.run("rm flights#lunch --dry-run").says(&["flights@2 would be removed, with the tag lunch"]);
    place.run("rm flights#lunch").says(&["flights@2 is removed, with the tag lunch"]);
    place.run("show flights#lunch").fails(&["there is no snapshot flights#lunch"]);
}

#[test]
fn gc_leaves_alone_what_a_run_may_still_name() {
    let place = Place::flights();
    place.run("rm flights@2").says(&["removed"]);
    let stray = place.chunks()[0].with_file_name(format!("{}.parquet", "ab".repeat(32)));
    let stray = place.path("store/chunks/ab").join(stray.file_name().unwrap());
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, b"written since").unwrap();
    place.run("gc --grace 0s").says(&["0 objects", "job flights, whose run has not ended"]);
    assert!(stray.exists());
}

#[test]
fn thin_removes_savepoints_by_policy_only() {
    let place = Place::flights();
    place.stop();
    for sequence in 2..5 {
        place.run(&format!("copy flights@{sequence} other")).says(&["copied"]);
    }
    assert_eq!(place.run("thin flights --store other").code, 2);
    assert_eq!(place.run("thin flights --keep-last 0 --store other").code, 2);
    place.run("tag flights@1 first --store other").says(&["flights#first"]);
    place.run("thin flights --keep-last 1 --dry-run --store other").says(&["flights@2 would be removed"]);
    let thinned = place.json("thin flights --keep-last 1 --store other");
    assert_eq!(thinned["removed"][0]["snapshot"], "flights@2");
    assert_eq!((thinned["removed"].as_array().unwrap().len(), &thinned["refused"]), (1, &json!([])));
    place.run("thin flights --keep-last 1 --store other").says(&["The policy keeps all savepoints"]);
    place.run("thin flights --keep-monthly 1").says(&["The policy keeps all savepoints of flights."]);
}
