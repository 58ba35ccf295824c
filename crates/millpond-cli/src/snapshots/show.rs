//! `millpond snapshots show`

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use humantime::format_duration;
use millpond_snapshot::chunk::ChunkKind;
use millpond_snapshot::log::{ContinueDecision, JobLog};
use millpond_snapshot::manifest::{OperatorSnapshot, StateSnapshot, UidSource};
use millpond_snapshot::repository::{Resolved, SnapshotAddress};
use serde_json::{Value, json};

use super::marks::Marks;
use super::place::Place;
use super::words::{bytes, count, duration, indented, table, time};
use super::{positions, summary, types};
use crate::failure::Failure;
use crate::output::{plain, print, print_json};

/// Of operator state, a table shows this many rows; JSON has all.
const ROWS_SHOWN: usize = 20;

/// Say what is in a snapshot
///
/// Operators with their uids, states with their types and sizes, and where the sources stand. A number of rows is
/// exact, or, with `≤`, that of all chunks, before newer ones have taken the place of older.
#[derive(Args)]
pub(crate) struct Show {
    /// JOB@42, JOB@latest, JOB#tag or ./exported-directory
    snapshot: SnapshotAddress,
    #[command(flatten)]
    place: Place,
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.place.find(&self.snapshot).await?;
        let record = found.record()?;
        let entry = &found.entry;
        let marks = match self.snapshot {
            SnapshotAddress::Directory(_) => Marks::none(),
            _ => {
                let in_use = match JobLog::open(&found.store, &entry.job).plan_start().await?.0 {
                    ContinueDecision::From(address) => Some(address),
                    ContinueDecision::Fresh => None,
                };
                Marks::of(&found.store, &entry.job, in_use).await?
            }
        };
        if self.place.json {
            let mut value = summary::json(entry, record, &marks);
            value["operators"] = record.manifest.operators.iter().map(operator_json).collect();
            return print_json(&value);
        }
        print(&text(&found, &marks)?)
    }
}

fn text(found: &Resolved, marks: &Marks) -> Result<String, Failure> {
    let (entry, record) = (&found.entry, found.record()?);
    let id = entry.id();
    let mut text = format!("{id}, a {} of {}\n", entry.body.kind(), time(entry.time));
    let lines = [
        ("why", summary::reason(record)),
        ("marks", marks.words(&id)),
        ("from", summary::origin(record)),
        ("run", format!("{}, epoch {}, millpond {}", entry.run, record.manifest.epoch, entry.engine_version)),
        ("size", format!("{}, of which {} new", bytes(record.bytes_total), bytes(record.bytes_new))),
        ("took", duration(record.duration_ms)),
    ];
    for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {name:<6} {}", plain(&value));
    }
    for operator in &record.manifest.operators {
        let uid = match operator.uid_source {
            UidSource::Given => "given",
            UidSource::Derived => {
                "derived: give the operator .uid(\"…\"), so that a changed program still finds this"
            }
        };
        let (name, kind) = (plain(&operator.name), plain(&operator.kind));
        let _ = write!(text, "\n{}  {kind} '{name}', uid {uid}\n", plain(operator.uid.as_str()));
        if operator.states.is_empty() {
            text.push_str("  no state\n");
            continue;
        }
        let rows = operator.states.iter().map(state_row).collect();
        let header = ["STATE", "KIND", "ROWS", "BYTES", "CHUNKS", "LIVES", "TYPES"];
        let _ = writeln!(text, "{}", indented(&table(header, rows, &[2, 3])));
        for state in &operator.states {
            text.push_str(&rows_inline(state));
        }
    }
    Ok(text.trim_end().to_owned())
}

fn state_row(state: &StateSnapshot) -> [String; 7] {
    let (bases, deltas) = chunk_counts(state);
    let exactly = if deltas == 0 { "" } else { "≤ " };
    let chunks = match (bases, deltas) {
        (0, 0) => String::new(),
        (bases, 0) => format!("{bases} base"),
        (0, deltas) => format!("{deltas} delta"),
        (bases, deltas) => format!("{bases} base, {deltas} delta"),
    };
    let lives = state.ttl_ms.map(|ms| format_duration(Duration::from_millis(ms)).to_string()).unwrap_or_default();
    [
        state.name.to_string(),
        state.kind.to_string(),
        format!("{exactly}{}", count(state.rows())),
        if state.kind.is_keyed() { bytes(state.bytes()) } else { String::new() },
        chunks,
        lives,
        types::of_state(state),
    ]
}

/// The rows of operator state, which stand in the manifest.
fn rows_inline(state: &StateSnapshot) -> String {
    let Some(rows) = state.rows_inline.as_ref().filter(|rows| !rows.is_empty()) else { return String::new() };
    let mut text = format!("  {}:\n", plain(state.name.as_str()));
    for row in rows.iter().take(ROWS_SHOWN) {
        let _ = writeln!(text, "    {}", plain(&positions::in_words(row)));
    }
    if rows.len() > ROWS_SHOWN {
        let _ = writeln!(text, "    and {} more, which --json shows", rows.len() - ROWS_SHOWN);
    }
    text
}

fn operator_json(operator: &OperatorSnapshot) -> Value {
    json!({
        "uid": operator.uid,
        "uid-given": operator.uid_source == UidSource::Given,
        "name": operator.name,
        "kind": operator.kind,
        "states": operator.states.iter().map(state_json).collect::<Vec<_>>(),
    })
}

fn state_json(state: &StateSnapshot) -> Value {
    json!({
        "name": state.name,
        "kind": state.kind,
        "key": state.key_schema.as_ref().map(types::of_schema),
        "map-key": state.map_key_schema.as_ref().map(types::of_schema),
        "value": state.value_schema.as_ref().map(types::of_schema),
        "ttl-ms": state.ttl_ms,
        "rows": state.rows(),
        "rows-are-exact": chunk_counts(state).1 == 0,
        "bytes": state.bytes(),
        "chunks": state.chunks.iter().map(|chunk| json!({
            "hash": chunk.hash,
            "kind": chunk.kind,
            "range": chunk.range,
            "rows": chunk.rows,
            "bytes": chunk.bytes,
            "object": chunk.path().as_ref(),
        })).collect::<Vec<_>>(),
        "operator-rows": state.rows_inline,
    })
}

/// How many chunks are bases, and how many deltas.
fn chunk_counts(state: &StateSnapshot) -> (usize, usize) {
    let bases = state.chunks.iter().filter(|chunk| chunk.kind == ChunkKind::Base).count();
    (bases, state.chunks.len() - bases)
}
