//! What is asked about the job.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::Value;

use super::reply::{Refused, Reply};
use super::shared::Shared;
use super::{job_json, snapshot_json};
use crate::control::view::{JobView, Outcome};

pub(super) async fn cluster(State(server): State<Arc<Shared>>) -> Json<Value> {
    Json(job_json::cluster(&server.view()))
}

pub(super) async fn config() -> Json<Value> {
    Json(job_json::config())
}

pub(super) async fn ids(State(server): State<Arc<Shared>>) -> Json<Value> {
    Json(job_json::ids(&server.view()))
}

pub(super) async fn overview(State(server): State<Arc<Shared>>) -> Json<Value> {
    Json(job_json::overview(&server.view(), Timestamp::now()))
}

pub(super) async fn details(State(server): State<Arc<Shared>>, Path(job): Path<String>) -> Reply {
    Ok(Json(job_json::details(&*server.job(&job)?, Timestamp::now())))
}

pub(super) async fn plan(State(server): State<Arc<Shared>>, Path(job): Path<String>) -> Reply {
    Ok(Json(job_json::plan(&*server.job(&job)?)))
}

pub(super) async fn exceptions(State(server): State<Arc<Shared>>, Path(job): Path<String>) -> Reply {
    Ok(Json(job_json::exceptions(&*server.job(&job)?)))
}

pub(super) async fn checkpoints(State(server): State<Arc<Shared>>, Path(job): Path<String>) -> Reply {
    Ok(Json(snapshot_json::checkpoints(&*server.job(&job)?)))
}

pub(super) async fn checkpoint(
    State(server): State<Arc<Shared>>,
    Path((job, id)): Path<(String, String)>,
) -> Reply {
    let view = server.job(&job)?;
    let found =
        id.parse().ok().and_then(|epoch: u64| view.snapshots.iter().find(|snapshot| snapshot.epoch == epoch));
    found.map(|snapshot| Json(snapshot_json::snapshot(snapshot))).ok_or_else(|| no_checkpoint(&view, &id))
}

fn no_checkpoint(view: &JobView, id: &str) -> Refused {
    let epochs = || view.snapshots.iter().map(|snapshot| snapshot.epoch);
    Refused::not_found(match (epochs().min(), epochs().max()) {
        (Some(oldest), Some(newest)) => format!(
            "no checkpoint {id:?} is remembered: those remembered are of {oldest} to {newest}, and the job's log has \
             all that are kept"
        ),
        _ => format!("no checkpoint {id:?}: this run has taken none yet"),
    })
}

pub(super) async fn operation(
    State(server): State<Arc<Shared>>,
    Path((job, id)): Path<(String, String)>,
) -> Reply {
    let view = server.job(&job)?;
    let mut operations = server.operations();
    let id = operations.resolve(&id).to_owned();
    let Some(request) = view.requests.get(&id) else {
        return Err(Refused::not_found(format!(
            "nothing was asked of job '{}' under the id {id:?}, or it was long ago; the job's log has every savepoint",
            view.name
        )));
    };
    if request.outcome != Outcome::InProgress {
        operations.told(&id);
        server.told.notify_waiters();
    }
    Ok(Json(snapshot_json::operation(&request.outcome)))
}
