//! Where a server listens, whom it keeps out, and how it ends.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::job::Job;
use crate::control::server::bind;
use crate::control::view::Outcome;
use crate::job::options::Listen;

#[tokio::test]
async fn web_pages_cannot_steer_a_job() {
    let mut job = Job::running().await;
    for headers in
        ["Host: evil.example", "Host: localhost\r\nOrigin: http://evil.example", "Host: localhost\r\nOrigin: null"]
    {
        let (status, answer) = job.send(&format!("POST /jobs/flights/stop HTTP/1.1\r\n{headers}"), "").await;
        assert_eq!(status, 403, "{headers}: {answer}");
    }
    assert!(job.asked.try_recv().is_err(), "something was asked for");
}

#[tokio::test]
async fn an_outcome_can_still_be_had_when_the_job_has_ended() {
    let job = Job::running().await;
    job.request("POST /jobs/flights/stop", "").await;
    job.finish("r1", Outcome::Completed("flights@42".parse().unwrap()));
    let Job { address, view, asked, stop, serving } = job;
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!serving.is_finished(), "nobody was told yet");

    let (stop, _) = oneshot::channel();
    let job = Job { address, view, asked, stop, serving };
    assert_eq!(job.get("/jobs/flights/savepoints/r1").await["operation"]["location"], "flights@42");
    job.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_does_not_keep_the_server_alive() {
    let job = Job::running().await;
    let mut hanging = TcpStream::connect(job.address).await.unwrap();
    hanging
        .write_all(b"POST /jobs/flights/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
        .await
        .unwrap();
    job.get("/jobs").await;
    job.stop.send(()).unwrap();
    job.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_unless_another_will_do() {
    let taken = bind(&Listen::At("127.0.0.1:0".into())).await.unwrap().unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let moved = bind(&Listen::Prefer(address.clone())).await.unwrap().unwrap();
    assert_ne!(moved.local_addr().unwrap().to_string(), address);
    assert!(moved.local_addr().unwrap().ip().is_loopback());
    let error = bind(&Listen::At(address.clone())).await.unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("--listen off"), "{error}");
    assert!(bind(&Listen::Off).await.unwrap().is_none());
}
