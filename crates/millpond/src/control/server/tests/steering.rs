//! What is asked of a job.

use serde_json::json;

use super::job::{Job, message};
use crate::control::fixture::ID;
use crate::control::request::RequestKind;
use crate::control::view::Outcome;

#[tokio::test]
async fn a_savepoint_is_asked_for_and_found_when_it_is_done() {
    let mut job = Job::running().await;
    let body = r#"{"tag":"v1","latest":true,"formatType":"CANONICAL","target-directory":"file:///data/store/"}"#;
    let (status, answer) = job.request("POST /jobs/flights/savepoints", body).await;
    assert_eq!((status, &answer["request-id"]), (202, &json!("r1")));
    let (kind, by) = job.asked.recv().await.unwrap();
    let tag = Some("v1".parse().unwrap());
    assert_eq!(kind, RequestKind::Savepoint { tag, latest: true, cancel: false });
    assert_eq!(by, None);

    let path = "/v1/jobs/flights/savepoints/r1";
    assert_eq!(job.get(path).await["status"]["id"], "IN_PROGRESS");
    job.finish("r1", Outcome::Completed("flights@42".parse().unwrap()));
    let done = job.get(path).await;
    assert_eq!(done, json!({ "status": { "id": "COMPLETED" }, "operation": { "location": "flights@42" } }));
    job.finish("r1", Outcome::Failed("the disk is full".into()));
    assert_eq!(job.get(path).await["operation"]["failure-cause"]["stack-trace"], "the disk is full");
}

#[tokio::test]
async fn flinks_bodies_are_understood() {
    let mut job = Job::running().await;
    for (request, body, expected) in [
        ("savepoints", "", RequestKind::Savepoint { tag: None, latest: false, cancel: false }),
        (
            "savepoints",
            r#"{"cancel-job":true}"#,
            RequestKind::Savepoint { tag: None, latest: false, cancel: true },
        ),
        (
            "savepoints",
            r#"{"cancel-job":null}"#,
            RequestKind::Savepoint { tag: None, latest: false, cancel: false },
        ),
        ("stop", r#"{"drain":true,"targetDirectory":null}"#, RequestKind::Stop { drain: true, tag: None }),
        ("stop", "{}", RequestKind::Stop { drain: false, tag: None }),
    ] {
        let (status, answer) = job.request(&format!("POST /jobs/{ID}/{request}"), body).await;
        assert_eq!(status, 202, "{body}: {answer}");
        assert_eq!(job.asked.recv().await.unwrap().0, expected, "{body}");
    }
}

#[tokio::test]
async fn a_trigger_id_makes_asking_twice_the_same_as_asking_once() {
    let mut job = Job::running().await;
    let trigger = "00112233445566778899aabbccddeeff";
    let body = json!({ "triggerId": trigger }).to_string();
    let both = tokio::join!(
        job.request("POST /jobs/flights/savepoints", &body),
        job.request("POST /jobs/flights/savepoints", &body)
    );
    for (status, answer) in [both.0, both.1] {
        assert_eq!((status, &answer["request-id"]), (202, &json!(trigger)));
    }
    assert!(job.asked.recv().await.is_some());
    assert!(job.asked.try_recv().is_err(), "asked twice");
    assert_eq!(job.get(&format!("/jobs/flights/savepoints/{trigger}")).await["status"]["id"], "IN_PROGRESS");
}

#[tokio::test]
async fn a_wrong_body_is_refused_with_the_reason() {
    let mut job = Job::running().await;
    for (body, hint) in [
        (r#"{"target-directory":"/elsewhere"}"#, "millpond snapshots export"),
        (r#"{"drian":true}"#, "drian"),
        (r#"{"tag":"a/b"}"#, "tag"),
        (r#"{"triggerId":"x"}"#, "32 hexadecimal"),
        (r#"{"formatType":"XML"}"#, "XML"),
        ("[", "body"),
    ] {
        let (status, answer) = job.request("POST /jobs/flights/savepoints", body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(message(&answer).contains(hint), "{body}: {answer}");
    }
    let (status, answer) = job.request("POST /jobs/flights/stop", &" ".repeat(64 * 1024 + 1)).await;
    assert_eq!(status, 413, "{answer}");
    assert!(job.asked.try_recv().is_err(), "something was asked for");
}

#[tokio::test]
async fn a_cancel_is_asked_for_and_its_refusal_told() {
    let mut job = Job::running().await;
    let (status, answer) = job
        .send(&format!("PATCH /jobs/{ID}?mode=cancel HTTP/1.1\r\nHost: localhost\r\nX-Requested-By: ann@desk"), "")
        .await;
    assert_eq!((status, message(&answer)), (409, "not now"));
    assert_eq!(job.asked.recv().await.unwrap(), (RequestKind::Cancel, Some("ann@desk".into())));
    let (status, answer) = job.request(&format!("PATCH /jobs/{ID}?mode=stop"), "").await;
    assert_eq!(status, 400);
    assert!(message(&answer).contains("/stop"), "{answer}");
}
