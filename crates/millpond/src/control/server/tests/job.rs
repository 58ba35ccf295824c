//! A job behind a server, with a coordinator that only writes down what it is asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::control::fixture;
use crate::control::request::{Refusal, Request, RequestKind};
use crate::control::server::{bind, serve};
use crate::control::view::{JobView, Outcome, RequestView};
use crate::error::Error;
use crate::job::options::Listen;

/// A server, and what stands behind it.
pub(super) struct Job {
    pub(super) address: SocketAddr,
    pub(super) view: Arc<watch::Sender<Arc<JobView>>>,
    pub(super) asked: mpsc::Receiver<(RequestKind, Option<String>)>,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) serving: JoinHandle<Result<(), Error>>,
}

impl Job {
    /// A job that takes on each request as `r1`, `r2`, …, but refuses to be cancelled.
    pub(super) async fn start(view: JobView) -> Job {
        let listener = bind(&Listen::At("127.0.0.1:0".into())).await.unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        let (view, watching) = watch::channel(Arc::new(view));
        let (requests, mut mailbox) = mpsc::channel::<Request>(4);
        let (note, asked) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel();
        let view = Arc::new(view);
        let publisher = Arc::clone(&view);
        tokio::spawn(async move {
            let mut count = 0;
            while let Some(request) = mailbox.recv().await {
                note.send((request.kind.clone(), request.requested_by)).await.unwrap();
                if request.kind == RequestKind::Cancel {
                    let _ = request.reply.send(Err(Refusal("not now".into())));
                    continue;
                }
                count += 1;
                let id = format!("r{count}");
                let _ = request.reply.send(Ok(id.clone()));
                // In the view only afterwards: whoever asked must not notice.
                tokio::time::sleep(Duration::from_millis(20)).await;
                publisher.send_modify(|view| {
                    Arc::make_mut(view).requests.insert(id, RequestView { outcome: Outcome::InProgress });
                });
            }
        });
        let shutdown = async move {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve(listener, watching, requests, shutdown));
        Job { address, view, asked, stop, serving }
    }

    pub(super) async fn running() -> Job {
        Job::start(fixture::running("flights")).await
    }

    pub(super) fn finish(&self, id: &str, outcome: Outcome) {
        self.view.send_modify(|view| {
            Arc::make_mut(view).requests.insert(id.into(), RequestView { outcome });
        });
    }

    pub(super) async fn send(&self, head: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let text = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    pub(super) async fn request(&self, method_and_path: &str, body: &str) -> (u16, Value) {
        self.send(&format!("{method_and_path} HTTP/1.1\r\nHost: {}", self.address), body).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.request(&format!("GET {path}"), "").await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

/// What a refusal says.
pub(super) fn message(body: &Value) -> &str {
    body["errors"][0].as_str().expect("an error has a message")
}
