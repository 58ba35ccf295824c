//! Checkpoints, savepoints and what was asked for, in Flink's JSON. Pure: a function of the view.

use serde_json::{Value, json};

use crate::control::view::{JobView, Outcome, SnapshotView};

/// `/jobs/:id/checkpoints`
pub(super) fn checkpoints(view: &JobView) -> Value {
    let counts = &view.counts;
    let newest = |wanted: fn(&SnapshotView) -> bool| view.snapshots.iter().find(|s| wanted(s)).map(snapshot);
    let is_completed = |snapshot: &&SnapshotView| matches!(snapshot.outcome, Outcome::Completed(_));
    let completed: Vec<&SnapshotView> = view.snapshots.iter().filter(is_completed).collect();
    json!({
        "counts": {
            "restored": counts.restored,
            "total": counts.completed + counts.failed + counts.in_progress,
            "in_progress": counts.in_progress,
            "completed": counts.completed,
            "failed": counts.failed,
            "savepoints": counts.savepoints,
        },
        "summary": {
            "checkpointed_size": spread(&completed, |snapshot| snapshot.bytes_new),
            "state_size": spread(&completed, |snapshot| snapshot.bytes_total),
            "end_to_end_duration": spread(&completed, |snapshot| snapshot.duration_ms),
        },
        "latest": {
            "completed": newest(|s| !s.savepoint && matches!(s.outcome, Outcome::Completed(_))),
            "savepoint": newest(|s| s.savepoint && matches!(s.outcome, Outcome::Completed(_))),
            "failed": newest(|s| matches!(s.outcome, Outcome::Failed(_))),
            "restored": view.restored_from.as_ref().map(|id| json!({ "external_path": id })),
        },
        "history": view.snapshots.iter().map(snapshot).collect::<Vec<_>>(),
    })
}

/// `/jobs/:id/checkpoints/details/:checkpointid`, and each entry of the history.
pub(super) fn snapshot(snapshot: &SnapshotView) -> Value {
    let triggered = snapshot.triggered.as_millisecond();
    let ended = triggered.saturating_add_unsigned(snapshot.duration_ms);
    let mut value = json!({
        "id": snapshot.epoch,
        "is_savepoint": snapshot.savepoint,
        "checkpoint_type": if snapshot.savepoint { "SAVEPOINT" } else { "CHECKPOINT" },
        "trigger_timestamp": triggered,
        "latest_ack_timestamp": ended,
        "checkpointed_size": snapshot.bytes_new,
        "state_size": snapshot.bytes_total,
        "end_to_end_duration": snapshot.duration_ms,
        "num_subtasks": snapshot.subtasks,
        "num_acknowledged_subtasks": snapshot.acknowledged,
        "tasks": {},
    });
    let (class, status) = match &snapshot.outcome {
        Outcome::InProgress => ("in_progress", "IN_PROGRESS"),
        Outcome::Completed(id) => {
            value["external_path"] = json!(id);
            value["discarded"] = json!(false);
            ("completed", "COMPLETED")
        }
        Outcome::Failed(reason) => {
            value["failure_timestamp"] = json!(ended);
            value["failure_message"] = json!(reason);
            ("failed", "FAILED")
        }
    };
    value["className"] = json!(class);
    value["status"] = json!(status);
    value
}

/// `/jobs/:id/savepoints/:triggerid`
pub(super) fn operation(outcome: &Outcome) -> Value {
    let operation = match outcome {
        Outcome::InProgress => {
            return json!({ "status": { "id": "IN_PROGRESS" }, "operation": null });
        }
        Outcome::Completed(id) => json!({ "location": id }),
        Outcome::Failed(reason) => {
            json!({ "failure-cause": { "class": "millpond.SnapshotFailed", "stack-trace": reason } })
        }
    };
    json!({ "status": { "id": "COMPLETED" }, "operation": operation })
}

fn spread(snapshots: &[&SnapshotView], of: fn(&SnapshotView) -> u64) -> Value {
    let values = || snapshots.iter().map(|snapshot| of(snapshot));
    let count = snapshots.len().max(1) as u128;
    let average = values().map(u128::from).sum::<u128>() / count;
    json!({
        "min": values().min().unwrap_or(0),
        "max": values().max().unwrap_or(0),
        "avg": average as u64,
    })
}
