//! `edit`

use serde_json::json;

use super::support::Place;

#[test]
fn renames_and_deletions_write_one_entry_and_say_where_it_is() {
    let place = Place::flights();
    place.stop();
    let chunks = place.chunks();
    let dry = place.run("edit flights@4 --rename-operator sum=sums --rename-state sum/total=minutes --dry-run");
    dry.says(&["sum/total", "renamed to minutes", "renamed to sums", "Nothing was written"]);
    let edited =
        place.json("edit flights@4 --rename-operator sum=sums --rename-state sum/total=minutes --tag new");
    assert_eq!((&edited["edited"], &edited["bytes-new"]), (&json!("flights@6"), &json!(0)));
    assert_eq!(edited["changes"][1], json!({ "change": "operator-renamed", "operator": "sum", "to": "sums" }));
    assert_eq!(place.chunks(), chunks);
    place.run("show flights#new").says(&["sums", "minutes", "flights@4"]);
    place.run("verify flights#new").says(&["1 snapshot whole"]);
    place.run("diff flights@4 flights@6").says(&["sum/total", "only in A", "sums/minutes", "only in B"]);
    place.run("edit flights@4 --delete files").says(&["files/splits", "deleted", "flights@7 is flights@4"]);
    assert_eq!(place.json("show flights@7")["operators"].as_array().map(Vec::len), Some(1));
    place.run("graph").says(&["edit of flights@4"]);
}

#[test]
fn keys_are_deleted_by_query() {
    let place = Place::flights();
    place.stop();
    for (arguments, gone) in [
        (["--delete-keys", "select key from total where value < 4"], 1),
        (["--delete-keys", "select hash, key from \"sum\".\"total\" where value >= 4;"], 2),
        (["--delete-keys", "sum/total: select 'a' as key"], 1),
    ] {
        let outcome = place.run_with("edit flights@4 --json", &arguments);
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        let edited: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
        let change = json!({ "change": "rows-deleted", "operator": "sum", "state": "total", "rows": gone });
        assert_eq!(edited["changes"], json!([change]), "{arguments:?}");
        let id = edited["edited"].as_str().unwrap();
        let diff = place.json(&format!("diff flights@4 {id}"));
        let states = diff["states"].as_array().unwrap();
        let total = states.iter().find(|state| state["state"] == "total").unwrap();
        assert_eq!((&total["removed"], &total["same"]), (&json!(gone), &json!(3 - gone)));
        assert_eq!((&total["added"], &total["changed"]), (&json!(0), &json!(0)));
    }
    let nothing = place.run_with("edit flights@4", &["--delete-keys", "select key from total where value > 100"]);
    nothing.fails(&["nothing was changed"]);
    let unclear = place.run_with("edit flights@4", &["--delete-keys", "select 'a' as key"]);
    unclear.fails(&["whose keys", "UID:"]);
    let no_key = place.run_with("edit flights@4", &["--delete-keys", "select value from total"]);
    no_key.fails(&["column key", "gives value"]);
}

#[test]
fn a_job_that_runs_is_left_alone_and_another_name_will_do() {
    let place = Place::flights();
    place.run("edit flights@4 --delete sum").fails(&["flights", "has a run that has not ended"]);
    place.run("edit flights@4 --delete sum --as b").says(&["b@1 is flights@4"]);
    place.run("edit flights@4 --delete sums --as c").fails(&["\"sums\"", "sum/total"]);
    place.run("edit flights@4 --rename-state sum=x --as c").fails(&["sum is an operator", "--rename-operator"]);
    place.run("edit flights@4 --delete sum --to-store other").says(&["flights@1 is flights@4"]);
}
