//! What is asked of the job.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use millpond_snapshot::Tag;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::reply::Refused;
use super::shared::Shared;
use crate::control::request::{Refusal, Request, RequestKind};
use crate::control::view::JobView;

/// How long the coordinator may take to say yes or no, and then to show the request in the view.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who asks, if they say so. Otherwise the log has the program that asks.
const REQUESTED_BY: &str = "x-requested-by";

type Accepted = Result<(StatusCode, Json<Value>), Refused>;

/// Flink's two formats are one here.
#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum FormatType {
    Canonical,
    Native,
}

/// `POST /jobs/:id/savepoints`
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct SavepointBody {
    #[serde(alias = "targetDirectory")]
    target_directory: Option<String>,
    #[serde(alias = "cancelJob")]
    cancel_job: Option<bool>,
    #[serde(rename = "formatType")]
    _format: Option<FormatType>,
    #[serde(rename = "triggerId")]
    trigger_id: Option<String>,
    tag: Option<Tag>,
    latest: Option<bool>,
}

/// `POST /jobs/:id/stop`
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct StopBody {
    #[serde(alias = "target-directory")]
    target_directory: Option<String>,
    drain: Option<bool>,
    #[serde(rename = "formatType")]
    _format: Option<FormatType>,
    trigger_id: Option<String>,
    tag: Option<Tag>,
}

pub(super) async fn savepoint(
    State(server): State<Arc<Shared>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Accepted {
    let view = server.job(&job)?;
    let body: SavepointBody = read(body)?;
    check_target(&view, body.target_directory.as_deref())?;
    let kind = RequestKind::Savepoint {
        tag: body.tag,
        latest: body.latest.unwrap_or(false),
        cancel: body.cancel_job.unwrap_or(false),
    };
    snapshot(&server, kind, body.trigger_id, &headers).await
}

pub(super) async fn stop(
    State(server): State<Arc<Shared>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Accepted {
    let view = server.job(&job)?;
    let body: StopBody = read(body)?;
    check_target(&view, body.target_directory.as_deref())?;
    let kind = RequestKind::Stop { drain: body.drain.unwrap_or(false), tag: body.tag };
    snapshot(&server, kind, body.trigger_id, &headers).await
}

#[derive(Deserialize)]
pub(super) struct Terminate {
    mode: Option<String>,
}

/// `PATCH /jobs/:id?mode=cancel`
pub(super) async fn cancel(
    State(server): State<Arc<Shared>>,
    Path(job): Path<String>,
    Query(Terminate { mode }): Query<Terminate>,
    headers: HeaderMap,
) -> Accepted {
    let view = server.job(&job)?;
    match mode.as_deref() {
        None | Some("cancel") => {}
        Some(other) => {
            return Err(Refused::bad_request(format!(
                "mode {other:?}: the only one is 'cancel'; to stop with a savepoint, POST to /jobs/{}/stop",
                view.id
            )));
        }
    }
    ask(&server, None, RequestKind::Cancel, &headers).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

/// Asks for a snapshot, or finds that the same client has already done so.
async fn snapshot(server: &Shared, kind: RequestKind, trigger: Option<String>, headers: &HeaderMap) -> Accepted {
    if let Some(id) = &trigger
        && (id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(Refused::bad_request(format!("triggerId {id:?}: expected 32 hexadecimal digits")));
    }
    // Held while asking, so that a client that asks twice at once is asking once.
    let _turn = server.turn.lock().await;
    let known = trigger.as_deref().is_some_and(|trigger| server.operations().chosen(trigger).is_some());
    let answer = |id: &str| (StatusCode::ACCEPTED, Json(json!({ "request-id": id })));
    if let (true, Some(trigger)) = (known, &trigger) {
        return Ok(answer(trigger));
    }
    let id = ask(server, trigger.clone(), kind, headers).await?;
    server.operations().accept(&id, trigger.clone());
    // Whoever is given an id must find it when they come back at once. If the job ends meanwhile, it is told there.
    let mut view = server.view.clone();
    let _ = tokio::time::timeout(PATIENCE, view.wait_for(|view| view.requests.contains_key(&id))).await;
    Ok(answer(trigger.as_deref().unwrap_or(&id)))
}

/// Hands a request to the coordinator and gives the id that it has taken it on under.
async fn ask(
    server: &Shared,
    id: Option<String>,
    kind: RequestKind,
    headers: &HeaderMap,
) -> Result<String, Refused> {
    let (reply, answer) = oneshot::channel();
    let request = Request { id, kind, requested_by: requested_by(headers), reply };
    let exchange = async {
        server.requests.send(request).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Some(Ok(id))) => Ok(id),
        Ok(Some(Err(Refusal(reason)))) => Err(Refused::conflict(reason)),
        Ok(None) => {
            let view = server.view();
            Err(Refused::conflict(format!(
                "job '{}' is ending ({}): it takes no requests",
                view.name,
                view.status.as_str()
            )))
        }
        Err(_) => Err(Refused::unavailable(format!(
            "the job has not answered within {} s; it may still do what was asked: see the job's log",
            PATIENCE.as_secs()
        ))),
    }
}

/// What a person can make sense of in the log, and not more than a line of it.
fn requested_by(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(REQUESTED_BY).or_else(|| headers.get(header::USER_AGENT))?;
    let text: String = header.to_str().ok()?.chars().take(200).collect();
    (!text.trim().is_empty()).then_some(text)
}

/// Reads a body; an empty one is one with no fields.
fn read<T: DeserializeOwned + Default>(body: Result<Bytes, BytesRejection>) -> Result<T, Refused> {
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refused::too_large("the body is too long"),
        _ => Refused::bad_request(error.body_text()),
    })?;
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body).map_err(|error| Refused::bad_request(format!("the body: {error}")))
}

/// Snapshots go to the job's store, and nowhere else.
fn check_target(view: &JobView, target: Option<&str>) -> Result<(), Refused> {
    let trim = |text: &str| text.strip_prefix("file://").unwrap_or(text).trim_end_matches('/').to_owned();
    match target {
        Some(target) if trim(target) != trim(&view.store) => Err(Refused::bad_request(format!(
            "the target directory {target:?} is not this job's store ({}), where all its snapshots go: leave it out, \
             and copy the savepoint out afterwards with `millpond snapshots export`",
            view.store
        ))),
        _ => Ok(()),
    }
}
