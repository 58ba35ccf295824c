//! What is asked about a job.

use std::time::Duration;

use serde_json::{Value, json};

use super::job::{Job, message};
use crate::control::fixture::{self, ID};
use crate::control::view::{JobStatus, SnapshotView};

#[tokio::test]
async fn a_job_is_found_by_id_and_by_name_with_and_without_version() {
    let job = Job::running().await;
    assert_eq!(job.get("/jobs").await, json!({ "jobs": [{ "id": ID, "status": "RUNNING" }] }));
    for path in [format!("/jobs/{ID}"), "/jobs/flights".into(), "/v1/jobs/flights".into()] {
        let details = job.get(&path).await;
        assert_eq!(details["jid"], ID);
        assert_eq!(details["state"], "RUNNING");
        assert_eq!(details["vertices"][1]["id"], "totals");
        assert_eq!(details["vertices"][1]["tasks"]["RUNNING"], 2);
        assert_eq!(details["status-counts"]["RUNNING"], 4);
        assert_eq!(details["plan"]["nodes"][1]["inputs"][0]["id"], details["vertices"][0]["id"]);
    }
    assert_eq!(job.get("/jobs/flights/plan").await["plan"]["nodes"][0]["description"], "flights.csv");
}

#[tokio::test]
async fn the_overviews_count_jobs_and_tasks() {
    let mut view = fixture::running("flights");
    view.status = JobStatus::Finished;
    view.ended = Some(view.started + Duration::from_secs(2));
    let job = Job::start(view).await;
    let cluster = job.get("/overview").await;
    assert_eq!((&cluster["jobs-running"], &cluster["jobs-finished"]), (&json!(0), &json!(1)));
    let overview = job.get("/v1/jobs/overview").await;
    let flights = &overview["jobs"][0];
    assert_eq!(flights["name"], "flights");
    assert_eq!((&flights["start-time"], &flights["end-time"]), (&json!(0), &json!(2000)));
    assert_eq!(flights["duration"], 2000);
    assert_eq!((&flights["tasks"]["finished"], &flights["tasks"]["total"]), (&json!(4), &json!(4)));
    assert!(job.get("/config").await["refresh-interval"].is_u64());
}

#[tokio::test]
async fn checkpoints_are_listed_summed_up_and_shown_one_by_one() {
    let mut view = fixture::running("flights");
    let savepoint = SnapshotView { savepoint: true, bytes_total: 4096, ..fixture::completed(7, 41) };
    view.snapshots = vec![fixture::failed(9), fixture::completed(8, 42), savepoint];
    view.counts.completed = 2;
    view.counts.failed = 1;
    let job = Job::start(view).await;
    let all = job.get("/jobs/flights/checkpoints").await;
    assert_eq!(all["counts"]["total"], 3);
    assert_eq!(all["latest"]["completed"]["external_path"], "flights@42");
    assert_eq!(all["latest"]["savepoint"]["external_path"], "flights@41");
    assert_eq!(all["latest"]["failed"]["failure_message"], "the disk is full");
    assert_eq!(all["latest"]["restored"], Value::Null);
    assert_eq!(all["summary"]["state_size"], json!({ "min": 2048, "max": 4096, "avg": 3072 }));
    assert_eq!(all["history"].as_array().unwrap().len(), 3);
    let one = job.get("/jobs/flights/checkpoints/details/9").await;
    assert_eq!((&one["status"], &one["className"]), (&json!("FAILED"), &json!("failed")));
    for wrong in ["10", "x"] {
        let (status, body) = job.request(&format!("GET /jobs/flights/checkpoints/details/{wrong}"), "").await;
        assert_eq!(status, 404);
        assert!(message(&body).contains("7 to 9"), "{body}");
    }
}

#[tokio::test]
async fn the_newest_failure_is_the_root_exception() {
    let mut view = fixture::running("flights");
    view.failure = Some("operator 'totals' failed\non record 7".into());
    let exceptions = Job::start(view).await.get("/jobs/flights/exceptions").await;
    assert_eq!(exceptions["root-exception"], "operator 'totals' failed\non record 7");
    assert_eq!(exceptions["exceptionHistory"]["entries"][0]["exceptionName"], "operator 'totals' failed");
}

#[tokio::test]
async fn what_is_not_here_is_not_found_and_what_is_here_is_named() {
    let job = Job::running().await;
    for (request, status, hint) in [
        ("GET /jobs/other", 404, "this is 'flights'"),
        ("GET /v1/jobs/other/checkpoints", 404, "this is 'flights'"),
        ("POST /jobs/other/stop", 404, "this is 'flights'"),
        ("GET /jobs/flights/savepoints/r9", 404, "r9"),
        ("GET /nothing", 404, "/jobs/overview"),
        ("GET /v1/nothing", 404, "/jobs/overview"),
        ("DELETE /jobs/flights", 405, "DELETE"),
    ] {
        let (got, body) = job.request(request, "").await;
        assert_eq!(got, status, "{request}: {body}");
        assert!(message(&body).contains(hint), "{request}: {body}");
    }
}
