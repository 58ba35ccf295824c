//! Whether a snapshot can be restored, and which older one can if it cannot.
//!
//! Two questions of very different cost. Whether all objects are there and of the right size is a look at each, and is
//! asked before anything starts. Whether their bytes are what was written needs all of them, and is asked only when a
//! restore has met some that are not.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::SnapshotAddress;
use super::verify::check;
use crate::ids::{ChunkHash, JobName, Sequence};
use crate::log::{Entry, EntryBody, JobLog, SnapshotId};
use crate::manifest::Manifest;
use crate::store::Store;
use crate::{Error, Result};

/// How many snapshots that are not whole are met before the search is given up.
const LOOK_BACK: usize = 20;

/// Requests at a time.
const PARALLEL: usize = 16;

/// From how many objects in one folder on it is listed, and they are not asked for one by one.
const LIST_FROM: usize = 4;

/// A snapshot that is whole, if one was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OlderSnapshots {
    /// The newest snapshot that is whole.
    pub whole: Option<Entry>,
    /// How many newer ones were looked at, and are not.
    pub broken: usize,
}

/// How large an object must be, and whose rows stand in it.
struct Wanted {
    bytes: u64,
    /// A pack holds other chunks too: it may be larger.
    pack: bool,
    of: String,
}

impl Wanted {
    fn problem(&self, found: Option<u64>) -> Option<(&'static str, String)> {
        match found {
            None => Some(("object", "the manifest names it and it is not there".to_owned())),
            Some(found) if found < self.bytes || (found > self.bytes && !self.pack) => {
                let at_least = if self.pack { "at least " } else { "" };
                Some(("size", format!("expected {at_least}{}, found {found}", self.bytes)))
            }
            Some(_) => None,
        }
    }
}

/// Looks whether all objects that a manifest names are there, and of the right size, without reading any: one request an
/// object, or one a folder that has several of them.
///
/// # Errors
/// [`Error::Corrupt`] names the first that is not, in the order of their names, and the operator and the state whose rows
/// stand there.
pub async fn check_objects(store: &Store, manifest: &Manifest) -> Result<()> {
    let mut folders: BTreeMap<Path, BTreeMap<Path, Wanted>> = BTreeMap::new();
    for (operator, state) in manifest.states() {
        for chunk in &state.chunks {
            let path = store.chunk_path(chunk);
            // A file of its own holds the chunk and nothing else, also if the manifest says that it stood in a pack.
            let pack = chunk.pack.filter(|_| path == chunk.path());
            let bytes = pack.map_or(0, |pack| pack.offset).saturating_add(chunk.bytes);
            let mut parts: Vec<_> = path.parts().collect();
            parts.pop();
            let known = folders.entry(parts.into_iter().collect()).or_default().entry(path);
            let wanted = known.or_insert(Wanted { bytes: 0, pack: pack.is_some(), of: String::new() });
            if bytes >= wanted.bytes {
                (wanted.bytes, wanted.of) =
                    (bytes, format!("operator '{}', state '{}'", operator.uid, state.name));
            }
        }
    }
    let looks = folders.into_iter().map(|(folder, wanted)| async move {
        let found = sizes(store, &folder, wanted.keys()).await?;
        for (path, wanted) in &wanted {
            if let Some((field, problem)) = wanted.problem(found.get(path).copied()) {
                return Err(Error::corrupt(format!("{path} ({})", wanted.of), field, problem));
            }
        }
        Ok(())
    });
    // In order, so that the same one is named each time.
    stream::iter(looks).buffered(PARALLEL).try_collect().await
}

/// The sizes of objects in a folder, of those that are there.
async fn sizes(
    store: &Store,
    folder: &Path,
    paths: impl ExactSizeIterator<Item = &Path>,
) -> Result<BTreeMap<Path, u64>> {
    let found = if paths.len() >= LIST_FROM {
        store.list(folder).await?
    } else {
        let looks = stream::iter(paths).map(|path| store.info(path)).buffered(PARALLEL);
        looks.try_filter_map(async |info| Ok(info)).try_collect().await?
    };
    Ok(found.into_iter().map(|info| (info.path, info.bytes)).collect())
}

/// The newest snapshot before this one in its lineage which verifies: those that the same run took before it, then the one
/// that the run began from, also in another job's log, and so on. Some twenty that are not whole are looked at. A chunk
/// that several of them name is read once.
///
/// # Errors
/// Only if the store cannot be read. An entry that cannot be decoded is a snapshot that is not whole.
pub async fn older_whole(store: &Store, of: &Entry) -> Result<OlderSnapshots> {
    let mut search = Search::new(store);
    let mut seen = BTreeSet::from([of.id()]);
    let mut log = Log::read(store, &of.job).await?;
    let mut at = of.clone();
    loop {
        let origin = match at.stems_from() {
            Some(run) => {
                let older = |entry: &&Entry| entry.sequence < at.sequence && entry.stems_from() == Some(run);
                let candidates = log.snapshots().filter(older).cloned();
                if search.among(candidates.collect(), log.unreadable_between(run, at.sequence)).await? {
                    return Ok(search.found);
                }
                log.origin(run)
            }
            // Where a copy came from is another store, or a directory.
            None => at.snapshot().and_then(|record| record.parent.clone()),
        };
        // What was read may say that it comes from itself.
        let Some(origin) = origin.filter(|origin| seen.insert(origin.clone())) else { return Ok(search.found) };
        if origin.job != *log.job() {
            log = Log::read(store, &origin.job).await?;
        }
        let Some(entry) = log.snapshots().find(|entry| entry.sequence == origin.sequence).cloned() else {
            return Ok(search.found);
        };
        if search.among(vec![entry.clone()], 0).await? {
            return Ok(search.found);
        }
        at = entry;
    }
}

/// The newest snapshot of a job which verifies, of those before a number, whatever its lineage: for when it cannot be told
/// which snapshot was meant. Errors and limits as with [`older_whole`].
pub async fn newest_whole(store: &Store, job: &JobName, before: Option<Sequence>) -> Result<OlderSnapshots> {
    let mut search = Search::new(store);
    let log = Log::read(store, job).await?;
    let before = before.unwrap_or(Sequence(u64::MAX));
    let candidates = log.snapshots().filter(|entry| entry.sequence < before).cloned();
    search.among(candidates.collect(), log.unreadable_between(Sequence(0), before)).await?;
    Ok(search.found)
}

/// What can be read of a log.
struct Log {
    log: JobLog,
    entries: Vec<Entry>,
    unreadable: Vec<Sequence>,
}

impl Log {
    async fn read(store: &Store, job: &JobName) -> Result<Log> {
        let log = JobLog::open(store, job);
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        for sequence in log.sequences().await? {
            match log.read(sequence).await {
                Ok(entry) => entries.extend(entry),
                Err(Error::Corrupt { .. } | Error::Unsupported { .. }) => unreadable.push(sequence),
                Err(error) => return Err(error),
            }
        }
        Ok(Log { log, entries, unreadable })
    }

    fn job(&self) -> &JobName {
        self.log.job()
    }

    /// The snapshots, newest first.
    fn snapshots(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev().filter(|entry| entry.snapshot().is_some())
    }

    fn unreadable_between(&self, from: Sequence, to: Sequence) -> usize {
        self.unreadable.iter().filter(|sequence| (from..to).contains(sequence)).count()
    }

    /// The snapshot that a run began from.
    fn origin(&self, run: Sequence) -> Option<SnapshotId> {
        let start = self.entries.iter().find(|entry| entry.sequence == run)?;
        match &start.body {
            EntryBody::Start { restored_from: Some(SnapshotAddress::Entry(id)), .. } => Some(id.clone()),
            _ => None,
        }
    }
}

/// A search for a whole snapshot, which remembers what it has read.
struct Search<'a> {
    store: &'a Store,
    known: BTreeMap<(ChunkHash, Path), bool>,
    found: OlderSnapshots,
}

impl<'a> Search<'a> {
    fn new(store: &'a Store) -> Self {
        Search { store, known: BTreeMap::new(), found: OlderSnapshots::default() }
    }

    /// Looks at snapshots, newest first. Says whether the search is over.
    async fn among(&mut self, snapshots: Vec<Entry>, unreadable: usize) -> Result<bool> {
        self.found.broken += unreadable;
        for entry in snapshots {
            if self.found.broken >= LOOK_BACK {
                return Ok(true);
            }
            if self.is_whole(&entry).await? {
                self.found.whole = Some(entry);
                return Ok(true);
            }
            self.found.broken += 1;
        }
        Ok(false)
    }

    async fn is_whole(&mut self, entry: &Entry) -> Result<bool> {
        let states = entry.snapshot().into_iter().flat_map(|record| record.manifest.states());
        for (_, state) in states {
            for chunk in &state.chunks {
                let key = (chunk.hash, self.store.chunk_path(chunk));
                let whole = match self.known.get(&key) {
                    Some(whole) => *whole,
                    None => match check(self.store, chunk, state).await {
                        Ok(()) => true,
                        Err(Error::Corrupt { .. } | Error::Unsupported { .. }) => false,
                        Err(error) => return Err(error),
                    },
                };
                self.known.insert(key, whole);
                if !whole {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
