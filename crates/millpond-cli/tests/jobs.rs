//! The verbs for running jobs, as a process, against a server that plays a job.

mod common;

use common::{Answer, Server, command, stderr, stdout};
use serde_json::{Value, json};

const ACCEPTED: Answer = (202, r#"{"request-id":"r1"}"#);
const IN_PROGRESS: Answer = (200, r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#);
const COMPLETED: Answer = (200, r#"{"status":{"id":"COMPLETED"},"operation":{"location":"flights@42"}}"#);
const FAILED: Answer = (
    200,
    r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"c","stack-trace":"the disk is full"}}}"#,
);
const NOT_FOUND: Answer = (404, r#"{"errors":["no job \"x\" here: this is 'flights'"]}"#);
const OVERVIEW: Answer = (
    200,
    r#"{"jobs":[{"jid":"0123","name":"flights","state":"RUNNING","duration":65000,"parallelism":4,"records-read":27004,
        "restarts":1,"store":"/data/\u001bstore"}]}"#,
);

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn list_shows_what_runs_and_nothing_that_upsets_a_terminal() {
    let server = Server::start([OVERVIEW]);
    let output = server.run("list");
    let text = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    for part in ["JOB", "flights", "RUNNING", "4", "1m 5s", "27004", "0123"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(server.heard(), ["GET /jobs/overview"]);
}

#[test]
fn list_as_json_is_what_the_job_says() {
    let text = stdout(&Server::start([OVERVIEW]).run("ls --json"));
    assert_eq!(parsed(&text)[0]["records-read"], 27004);
}

#[test]
fn savepoint_waits_and_prints_the_address_and_nothing_else() {
    let server = Server::start([ACCEPTED, IN_PROGRESS, COMPLETED]);
    let output = server.run("savepoint flights --tag v1 --latest");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "flights@42\n");
    let heard = server.heard();
    let body = heard[0].strip_prefix("POST /jobs/flights/savepoints ").expect(&heard[0]);
    assert_eq!(parsed(body), json!({ "tag": "v1", "latest": true }));
    assert_eq!(heard[1..], ["GET /jobs/flights/savepoints/r1"; 2]);
}

#[test]
fn stop_asks_for_a_drain_and_answers_in_json() {
    let server = Server::start([ACCEPTED, COMPLETED]);
    let output = server.run("stop flights --drain --json");
    let expected =
        json!({ "job": "flights", "request-id": "r1", "status": "COMPLETED", "location": "flights@42" });
    assert_eq!(parsed(&stdout(&output)), expected);
    let heard = server.heard();
    let body = heard[0].strip_prefix("POST /jobs/flights/stop ").expect(&heard[0]);
    assert_eq!(parsed(body), json!({ "tag": null, "drain": true }));
}

#[test]
fn detached_prints_the_request_and_does_not_wait() {
    let server = Server::start([ACCEPTED]);
    let output = server.run("savepoint flights --detached");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "r1\n");
    assert_eq!(server.heard().len(), 1);
}

#[test]
fn a_savepoint_that_fails_is_a_failure_with_its_reason() {
    let output = Server::start([ACCEPTED, FAILED]).run("savepoint flights");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("the disk is full"), "{}", stderr(&output));

    let output = Server::start([ACCEPTED, FAILED]).run("savepoint flights --json");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(parsed(&stdout(&output))["failure"], "the disk is full");
}

#[test]
fn a_job_that_ends_before_it_says_anything_is_a_failure_that_names_the_request() {
    let output = Server::start([ACCEPTED]).run("stop flights");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("request r1"), "{}", stderr(&output));
}

#[test]
fn what_the_job_says_about_a_refusal_is_passed_on() {
    for verb in ["savepoint x", "stop x", "cancel x"] {
        let output = Server::start([NOT_FOUND]).run(verb);
        assert_eq!(output.status.code(), Some(1), "{verb}");
        assert!(stderr(&output).contains("this is 'flights'"), "{verb}: {}", stderr(&output));
    }
}

#[test]
fn cancel_waits_until_the_job_says_so_or_is_gone() {
    let server = Server::start([(202, "{}"), (200, r#"{"state":"RUNNING"}"#), (200, r#"{"state":"CANCELED"}"#)]);
    let output = server.run("cancel flights");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "'flights' is cancelled.\n");
    assert_eq!(server.heard()[0], "PATCH /jobs/flights?mode=cancel");

    let output = Server::start([(202, "{}")]).run("cancel flights --json");
    assert_eq!(parsed(&stdout(&output)), json!({ "job": "flights", "status": "CANCELED" }));

    let output = Server::start([(202, "{}"), (200, r#"{"state":"FINISHED"}"#)]).run("cancel flights");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("ended by itself"), "{}", stderr(&output));
}

#[test]
fn nobody_at_the_address_says_what_was_tried_and_where_to_find_it() {
    let output = command("list --address http://127.0.0.1:1");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    for part in ["http://127.0.0.1:1", "refused", "--listen", "MILLPOND_ADDRESS"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn something_else_at_the_address_is_not_taken_for_a_job() {
    for answer in [(200, "<html>"), (500, "oops"), (200, r#"{"jobs":[{"jid":1}]}"#), (302, "")] {
        let output = Server::start([answer]).run("list");
        assert_eq!(output.status.code(), Some(1), "{answer:?}");
        assert!(
            stderr(&output).contains("does not answer like a Millpond job"),
            "{answer:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_wrong_command_line_has_an_exit_code_of_its_own() {
    for line in [
        "",
        "fly",
        "stop",
        "savepoint a/b",
        "savepoint a --tag b/c",
        "list --address https://h",
        "stop a --wait --detached",
    ] {
        assert_eq!(command(line).status.code(), Some(2), "{line}");
    }
}

#[test]
fn the_address_may_stand_in_the_environment() {
    let server = Server::start([OVERVIEW]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_millpond"))
        .arg("list")
        .env("MILLPOND_ADDRESS", &server.address)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}
