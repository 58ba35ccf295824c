//! A job in Flink's JSON. Pure: a function of the view and of the time.
//!
//! Fields in words that Flink does not have (`store`, `records-read`, …) are Millpond's own.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::control::view::{JobStatus, JobView};
use crate::job::plan::OperatorPlan;

/// What Flink writes for a time that has not come, and for a bound that there is not.
const NONE: i64 = -1;

/// `/overview`
pub(super) fn cluster(view: &JobView) -> Value {
    let is = |statuses: &[JobStatus]| usize::from(statuses.contains(&view.status));
    json!({
        "slots-total": view.parallelism,
        "slots-available": 0,
        "jobs-running": usize::from(view.ended.is_none()),
        "jobs-finished": is(&[JobStatus::Finished]),
        "jobs-cancelled": is(&[JobStatus::Cancelled]),
        "jobs-failed": is(&[JobStatus::Failed]),
        "millpond-version": env!("CARGO_PKG_VERSION"),
    })
}

/// `/config`
pub(super) fn config() -> Value {
    json!({
        "refresh-interval": 3000,
        "timezone-name": "UTC",
        "timezone-offset": 0,
        "millpond-version": env!("CARGO_PKG_VERSION"),
        "features": { "web-submit": false, "web-cancel": false },
    })
}

/// `/jobs`
pub(super) fn ids(view: &JobView) -> Value {
    json!({ "jobs": [{ "id": view.id, "status": view.status.as_str() }] })
}

/// `/jobs/overview`
pub(super) fn overview(view: &JobView, now: Timestamp) -> Value {
    let (end, duration) = end_and_duration(view, now);
    let newest = view.snapshots.first().map_or(view.started, |snapshot| snapshot.triggered);
    json!({ "jobs": [{
        "jid": view.id,
        "name": view.name,
        "start-time": view.started.as_millisecond(),
        "end-time": end,
        "duration": duration,
        "state": view.status.as_str(),
        "last-modification": view.ended.unwrap_or(newest.max(view.started)).as_millisecond(),
        "tasks": tasks(view, view.plan.operators.len(), str::to_ascii_lowercase, true),
        "parallelism": view.parallelism,
        "records-read": view.records_read,
        "restarts": view.restarts,
        "store": view.store,
    }] })
}

/// `/jobs/:id`
pub(super) fn details(view: &JobView, now: Timestamp) -> Value {
    let (end, duration) = end_and_duration(view, now);
    let vertex = |operator: &OperatorPlan| {
        json!({
            "id": operator.uid,
            "name": operator.name,
            "parallelism": view.parallelism,
            "maxParallelism": NONE,
            "status": task_status(view.status),
            "start-time": view.started.as_millisecond(),
            "end-time": end,
            "duration": duration,
            "tasks": tasks(view, 1, str::to_owned, false),
            "uid-given": operator.uid_given,
            "kind": operator.kind,
            "states": operator.states.iter().map(|state| state.name.as_str()).collect::<Vec<_>>(),
        })
    };
    json!({
        "jid": view.id,
        "name": view.name,
        "isStoppable": true,
        "state": view.status.as_str(),
        "job-type": "STREAMING",
        "start-time": view.started.as_millisecond(),
        "end-time": end,
        "duration": duration,
        "maxParallelism": NONE,
        "now": now.as_millisecond(),
        "timestamps": { view.status.as_str(): view.ended.unwrap_or(view.started).as_millisecond() },
        "vertices": view.plan.operators.iter().map(vertex).collect::<Vec<_>>(),
        "status-counts": tasks(view, view.plan.operators.len(), str::to_owned, false),
        "plan": plan_nodes(view),
        "parallelism": view.parallelism,
        "records-read": view.records_read,
        "restarts": view.restarts,
        "store": view.store,
        "run": view.run,
        "restored-from": view.restored_from,
    })
}

/// `/jobs/:id/plan`
pub(super) fn plan(view: &JobView) -> Value {
    json!({ "plan": plan_nodes(view) })
}

/// `/jobs/:id/exceptions`: the newest failure. The job's log has them all.
pub(super) fn exceptions(view: &JobView) -> Value {
    let entries: Vec<Value> = view
        .failure
        .iter()
        .map(|failure| {
            let name = failure.lines().next().unwrap_or_default();
            json!({ "exceptionName": name, "stacktrace": failure, "concurrentExceptions": [] })
        })
        .collect();
    json!({
        "root-exception": view.failure,
        "timestamp": null,
        "all-exceptions": [],
        "truncated": view.restarts > 1,
        "exceptionHistory": { "entries": entries, "truncated": view.restarts > 1 },
    })
}

fn plan_nodes(view: &JobView) -> Value {
    let operators = &view.plan.operators;
    let node = |operator: &OperatorPlan| {
        let inputs = operator.inputs.iter().enumerate();
        json!({
            "id": operator.uid,
            "parallelism": view.parallelism,
            "operator": operator.kind,
            "description": operator.name,
            "inputs": inputs
                .filter_map(|(num, input)| Some(json!({ "num": num, "id": operators.get(*input)?.uid })))
                .collect::<Vec<_>>(),
        })
    };
    json!({
        "jid": view.id,
        "name": view.name,
        "type": "STREAMING",
        "nodes": operators.iter().map(node).collect::<Vec<_>>(),
    })
}

fn end_and_duration(view: &JobView, now: Timestamp) -> (i64, i64) {
    let end = view.ended.unwrap_or(now).as_millisecond();
    let duration = end.saturating_sub(view.started.as_millisecond()).max(0);
    (view.ended.map_or(NONE, Timestamp::as_millisecond), duration)
}

/// Flink's word for the state of a subtask. All subtasks of a job are in the same.
fn task_status(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Restarting => "SCHEDULED",
        other => other.as_str(),
    }
}

/// How many subtasks are in which state, for `operators` operators.
fn tasks(view: &JobView, operators: usize, spell: fn(&str) -> String, total: bool) -> Value {
    const STATES: [&str; 10] = [
        "CREATED",
        "SCHEDULED",
        "DEPLOYING",
        "INITIALIZING",
        "RUNNING",
        "FINISHED",
        "CANCELING",
        "CANCELED",
        "FAILED",
        "RECONCILING",
    ];
    let count = operators * view.parallelism;
    let current = task_status(view.status);
    let mut counts: serde_json::Map<String, Value> =
        STATES.iter().map(|state| (spell(state), json!(if *state == current { count } else { 0 }))).collect();
    if total {
        counts.insert("total".to_owned(), json!(count));
    }
    Value::Object(counts)
}
