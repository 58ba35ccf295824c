//! `verify`, `export` and `copy`.

use serde_json::{Value, json};

use super::support::Place;

#[test]
fn verify_reads_each_chunk_once() {
    let place = Place::flights();
    place.run("verify").says(&["3 snapshots whole: 4 chunks, 6 rows"]);
    place.run("verify flights@2").says(&["1 snapshot whole: 2 chunks, 4 rows"]);
    assert_eq!(place.run("verify flights --all").code, 2);
    assert_eq!(place.json("verify flights")["whole"], json!(["flights@2", "flights@3", "flights@4"]));
}

#[test]
fn verify_names_what_is_broken_and_whom_it_touches() {
    let place = Place::flights();
    let newest = place.json("show flights@4")["operators"][1]["states"][0]["chunks"][3]["object"].clone();
    let newest = newest.as_str().unwrap();
    let path = place.path("store").join(newest);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let outcome = place.run("verify");
    outcome.fails(&["1 object is broken"]);
    for part in [newest, "(of sum/total)", "BLAKE3", "touches flights@4", "Whole: flights@2, flights@3."] {
        assert!(outcome.out.contains(part), "{part}: {}", outcome.out);
    }
    place.run("verify flights@3").says(&["1 snapshot whole"]);
}

#[test]
fn verify_names_the_tags_and_the_exported_directory_that_are_touched() {
    let place = Place::flights();
    place.run("tag flights@3 monday").says(&["flights@3"]);
    place.run("tag flights@3 before-upgrade").says(&["flights@3"]);
    place.run("tag flights@2 sunday").says(&["flights@2"]);
    place.run("export flights@3 ./carried").says(&["flights@3"]);
    let object = place.json("show flights@3")["operators"][1]["states"][0]["chunks"][2]["object"].clone();
    let flip = |path: std::path::PathBuf| {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[50] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    flip(place.path("store").join(object.as_str().unwrap()));
    let tagged = "flights@3 (flights#before-upgrade, flights#monday)";
    let touched = format!("touches {tagged}, flights@4");
    let outcome = place.run("verify");
    for part in [touched.as_str(), "Whole: flights@2 (flights#sunday)."] {
        assert!(outcome.out.contains(part), "{part}: {}", outcome.out);
    }
    let one = place.run("verify flights#monday");
    assert!(one.out.contains(&format!("touches {tagged}\n")), "{}", one.out);
    let found: Value = serde_json::from_str(&place.run("verify --json").out).unwrap();
    assert_eq!(found["problems"][0]["snapshots"], json!(["flights@3", "flights@4"]));
    assert_eq!(found["problems"][0]["tags"], json!(["flights#before-upgrade", "flights#monday"]));
    assert_eq!(found["exported"], Value::Null);

    place.run("verify ./carried").says(&["1 snapshot whole"]);
    let exported = std::fs::read_dir(place.path("carried/01-sum/total")).unwrap();
    flip(exported.map(|file| file.unwrap().path()).min().unwrap());
    let outcome = place.run("verify ./carried");
    assert!(outcome.out.contains("touches flights@3 (exported to ./carried)"), "{}", outcome.out);
    let found: Value = serde_json::from_str(&place.run("verify ./carried --json").out).unwrap();
    assert_eq!(found["exported"], "./carried");
}

#[test]
fn verify_goes_on_past_a_tag_that_cannot_be_read() {
    let place = Place::flights();
    place.run("tag flights@3 monday").says(&["flights@3"]);
    std::fs::write(place.path("store/jobs/flights/tags/monday.json"), b"{").unwrap();
    let outcome = place.run("verify");
    outcome.fails(&["1 object is broken"]);
    for part in
        ["jobs/flights/tags/monday.json: json", "touches the tags", "Whole: flights@2, flights@3, flights@4."]
    {
        assert!(outcome.out.contains(part), "{part}: {}", outcome.out);
    }
}

#[test]
fn verify_goes_on_past_an_entry_that_cannot_be_read() {
    let place = Place::flights();
    std::fs::write(place.path("store/jobs/flights/log/00000000000000000003.json"), b"{\"job\": 7}").unwrap();
    let outcome = place.run("verify --json");
    outcome.fails(&["1 object is broken"]);
    let found: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(found["whole"], json!(["flights@2", "flights@4"]));
    assert_eq!(found["problems"][0]["object"], "jobs/flights/log/00000000000000000003.json");
    assert_eq!(found["problems"][0]["snapshots"], json!(["flights@3"]));
}

#[test]
fn an_exported_directory_needs_no_store() {
    let place = Place::golden();
    place.run("export flights#golden monday").says(&["flights@3 is in monday: 18 chunks"]);
    assert!(!place.path("monday/tmp").exists());
    place.run("show monday").says(&["flights@3, a savepoint"]);
    place.run("export flights#golden no/where").fails(&["there is no directory"]);
    std::fs::remove_dir_all(place.path("store")).unwrap();
    place.run("show ./monday").says(&["flights@3, a savepoint", "string → {sum: i64"]);
    place.run("verify ./monday").says(&["1 snapshot whole: 18 chunks"]);
    place.run("copy ./monday other --name again").says(&["flights@3 is again@1 in other: 18 objects"]);
    place.run("verify --store other").says(&["1 snapshot whole"]);
    place.run("export again@1 ./monday --store other").fails(&["already holds a store or an exported snapshot"]);
}

#[test]
fn a_copy_takes_only_what_is_missing_there() {
    let place = Place::flights();
    let first = place.json("copy flights@3 other");
    assert_eq!(
        (&first["copy"], &first["objects"], &first["present"]),
        (&json!("flights@1"), &json!(3), &json!(0))
    );
    place
        .run("copy flights@4 other")
        .says(&["flights@4 is flights@2 in other: 1 object (", "3 objects there already"]);
    place
        .run("copy flights@4 other --tag noon")
        .says(&["flights@4 is flights@2, tagged noon, already in other: 0 objects (0 B) copied"]);
    place.run("show flights#noon --store other").says(&["flights@2"]);
    let differences = place.json("diff flights@1 flights@2 --store other");
    assert_eq!(differences["states"][1]["added"], 1);
    place.run("copy flights@4 store").fails(&["has a run that has not ended"]);
}
