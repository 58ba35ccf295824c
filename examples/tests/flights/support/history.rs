//! A job's log, read as the JSON files that it is.

use std::path::Path;

use serde_json::Value;

/// The entries of a log, oldest first, as far as they are still there.
pub(crate) struct History(Vec<Value>);

impl History {
    /// Reads the log of `job`. An entry that is removed in the meantime is left out.
    pub(crate) fn read(store: &Path, job: &str) -> Self {
        let Ok(folder) = std::fs::read_dir(store.join("jobs").join(job).join("log")) else {
            return History(Vec::new());
        };
        let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let entries = paths.iter().filter_map(|path| std::fs::read(path).ok());
        History(entries.map(|bytes| serde_json::from_slice(&bytes).unwrap()).collect())
    }

    /// What entries of this kind say.
    pub(crate) fn all(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter_map(|entry| entry["body"].get(kind)).collect()
    }

    /// The addresses of snapshots of this kind.
    pub(crate) fn snapshots(&self, kind: &str) -> Vec<String> {
        let of_kind = self.0.iter().filter(|entry| entry["body"].get(kind).is_some());
        of_kind.map(|entry| format!("{}@{}", entry["job"].as_str().unwrap(), entry["sequence"])).collect()
    }

    /// The kind of the newest entry.
    pub(crate) fn last(&self) -> Option<String> {
        self.0.last()?["body"].as_object()?.keys().next().cloned()
    }

    /// How many runs started from a snapshot.
    pub(crate) fn restores(&self) -> usize {
        self.all("start").iter().filter(|start| start["restored_from"].is_string()).count()
    }

    /// The greatest number of snapshots that the log has seen: entries are removed, numbers are not used again.
    pub(crate) fn newest_sequence(&self) -> u64 {
        self.0.last().and_then(|entry| entry["sequence"].as_u64()).unwrap_or(0)
    }
}
