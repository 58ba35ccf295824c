//! `tag`, `untag`, `pin` and `unpin`.

use serde_json::json;

use super::support::Place;

#[test]
fn a_tag_names_a_snapshot_until_it_is_taken_away() {
    let place = Place::flights();
    place.run("tag flights@3 v1 --reason good").says(&["flights#v1 is flights@3."]);
    place.run("show flights#v1").says(&["flights@3, a checkpoint", "#v1"]);
    place.run("tag flights@4 v1").fails(&["flights#v1 names snapshot 3"]);
    place.run("tag flights@1 start").fails(&["the record of a start"]);
    place.run("untag flights#v1").says(&["names nothing any more"]);
    place.run("untag flights#v1").fails(&["there is no tag flights#v1"]);
    place.run("show flights#v1").fails(&["there is no snapshot flights#v1"]);
}

#[test]
fn a_pin_holds_until_it_is_taken_away() {
    let place = Place::flights();
    place.stop();
    let pinned = || place.json("ls")[2]["marks"]["pinned"].clone();
    place.run("pin flights@latest --reason audit").says(&["flights@4 is pinned."]);
    assert_eq!(pinned(), json!(true));
    place.run("rm flights@4").fails(&["it is pinned (audit)"]);
    assert_eq!(place.json("unpin flights@4"), json!({ "snapshot": "flights@4", "pinned": false }));
    assert_eq!(pinned(), json!(false));
    place.run("unpin flights@4").fails(&["flights@4 is not pinned"]);
}

#[test]
fn marks_are_for_snapshots_of_a_store() {
    let place = Place::flights();
    place.run("tag ./directory v1").fails(&["./directory is an exported directory", "JOB@42"]);
    for line in ["tag flights@3 a/b", "untag flights@3", "untag flights", "pin"] {
        assert_eq!(place.run(line).code, 2, "{line}");
    }
}
