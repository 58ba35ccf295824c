//! The snapshots and the output that the engine leaves, read without it.

use std::collections::BTreeMap;
use std::path::Path;

use millpond_snapshot::hash::HashRange;
use millpond_snapshot::log::{Entry, EntryBody, JobLog};
use millpond_snapshot::repository::{Resolved, resolve, verify};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{OperatorUid, Store};
use serde_json::Value;

use crate::input::COUNT;
use crate::oracle::Cut;
use crate::program::{Line, SOURCE};
use crate::source::SPLITS;

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn open(store: &str) -> Store {
    Store::open(store, OpenMode::CreateIfMissing).await.unwrap()
}

/// The entries of a job's log, oldest first.
pub(crate) fn entries(store: &str, job: &str) -> Vec<Entry> {
    block_on(async { JobLog::open(&open(store).await, &job.parse().unwrap()).entries().await.unwrap() })
}

/// The number of the newest run, and the snapshot that it started from.
pub(crate) fn newest_start(entries: &[Entry]) -> Option<(u64, Option<String>)> {
    entries.iter().rev().find_map(|entry| match &entry.body {
        EntryBody::Start { restored_from, .. } => {
            Some((entry.sequence.0, restored_from.as_ref().map(ToString::to_string)))
        }
        _ => None,
    })
}

/// The newest snapshot that a run took.
pub(crate) fn newest_snapshot(entries: &[Entry], run: u64) -> Option<String> {
    let of_run = entries.iter().rev().find(|entry| entry.run.0 == run && entry.snapshot().is_some())?;
    Some(of_run.id().to_string())
}

/// The rows of all states of a snapshot that have any.
pub(crate) struct Found {
    /// Of keys, by `uid/state`, sorted.
    pub(crate) keyed: BTreeMap<String, Vec<Value>>,
    /// How far each split has been read.
    pub(crate) cut: Cut,
    /// What the bundles hold.
    pub(crate) held: Vec<u64>,
}

/// Reads a snapshot whole.
pub(crate) fn read(store: &str, address: &str) -> Found {
    block_on(async {
        let snapshot = resolve(&open(store).await, address).await.unwrap();
        let found = Found { keyed: keyed(&snapshot).await, cut: cut(&snapshot), held: held(&snapshot) };
        assert_eq!(verify(&[snapshot], |_, _| {}).await.unwrap().problems, [], "{address} is damaged");
        found
    })
}

async fn keyed(snapshot: &Resolved) -> BTreeMap<String, Vec<Value>> {
    let mut keyed = BTreeMap::new();
    for (operator, state) in snapshot.record().unwrap().manifest.states() {
        if !state.kind.is_keyed() {
            continue;
        }
        let mut rows = Vec::new();
        let mut reader = snapshot.read(&operator.uid, &state.name, HashRange::FULL).unwrap();
        while let Some(batch) = reader.next_rows::<Value>().await.unwrap() {
            rows.extend(batch.into_iter().map(|mut row| {
                row.as_object_mut().unwrap().remove("hash");
                row
            }));
        }
        rows.sort_by_key(ToString::to_string);
        if !rows.is_empty() {
            keyed.insert(format!("{}/{}", operator.uid, state.name), rows);
        }
    }
    keyed
}

fn inline<'a>(snapshot: &'a Resolved, uid: &str, state: &str) -> &'a [Value] {
    let uid: OperatorUid = uid.parse().unwrap();
    snapshot.state(&uid, &state.parse().unwrap()).unwrap().rows_inline.as_deref().unwrap_or_default()
}

/// A split that has been found and is not being read has come to its end; one that was not found, not to its beginning.
fn cut(snapshot: &Resolved) -> Cut {
    let reading: Vec<u64> =
        inline(snapshot, SOURCE, "splits").iter().map(|row| row["split"]["next"].as_u64().unwrap()).collect();
    let found = inline(snapshot, SOURCE, "found");
    std::array::from_fn(|split| {
        let split = split as u64;
        match reading.iter().filter(|next| *next % SPLITS == split).collect::<Vec<_>>()[..] {
            [next] => *next,
            [] if found.contains(&Value::from(split.to_string())) => COUNT + split,
            [] => split,
            _ => panic!("split {split} is in {reading:?} more than once"),
        }
    })
}

fn held(snapshot: &Resolved) -> Vec<u64> {
    inline(snapshot, "bundles", "held").iter().map(|row| row.as_u64().unwrap()).collect()
}

/// The lines of a job that readers see.
pub(crate) fn committed(output: &Path, job: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(output).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with(&format!("part-{job}-")) && name.ends_with(".jsonl") {
            let text = std::fs::read_to_string(&path).unwrap();
            lines.extend(text.lines().map(|line| serde_json::from_str::<Line>(line).unwrap()));
        }
    }
    lines.sort();
    lines
}
