//! A snapshot at a glance, for programs: what `ls` lists and `show` begins with.

use millpond_snapshot::log::{Entry, SnapshotRecord};
use serde_json::{Value, json};

use super::marks::Marks;

pub(super) fn json(entry: &Entry, record: &SnapshotRecord, marks: &Marks) -> Value {
    json!({
        "snapshot": entry.id(),
        "job": entry.job,
        "sequence": entry.sequence,
        "kind": entry.body.kind(),
        "time": entry.time,
        "run": entry.run,
        "epoch": record.manifest.epoch,
        "engine-version": entry.engine_version,
        "reason": record.reason,
        "requested-by": record.requested_by,
        "request-id": record.request_id,
        "duration-ms": record.duration_ms,
        "bytes-new": record.bytes_new,
        "bytes-total": record.bytes_total,
        "parent": record.parent,
        "copied-from": record.copied_from.as_ref().map(|from| json!({ "store": from.store, "snapshot": from.id })),
        "edited": record.edited.as_ref().map(|edited| json!({ "changes": edited.changes })),
        "marks": marks.json(&entry.id()),
    })
}

/// Why a snapshot was taken, and who asked for it.
pub(super) fn reason(record: &SnapshotRecord) -> String {
    match &record.requested_by {
        Some(who) => format!("{} ({who})", record.reason),
        None => record.reason.clone(),
    }
}

/// The snapshot before it, or where it was copied from; what was made from nothing comes from nowhere.
pub(super) fn origin(record: &SnapshotRecord) -> String {
    match (&record.copied_from, &record.parent) {
        (_, parent) if record.edited.is_some() => parent.as_ref().map_or_else(String::new, ToString::to_string),
        (Some(from), _) => format!("{} in {}", from.id, from.store),
        (None, Some(parent)) => parent.to_string(),
        (None, None) => String::new(),
    }
}
