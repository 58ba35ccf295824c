//! A sorted table on disk: an LSM tree without a log, as nothing in it is needed after a crash.
//!
//! One thread, the worker, writes and reads. What it writes goes to a memtable; when that is full, a thread of the process
//! ([`Upkeep`]) writes it out and merges levels, while the worker goes on with the next. The worker waits if they fall behind, so
//! that memory and the number of files to look into stay bounded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use lsm_tree::compaction::{Factory, Leveled};
use lsm_tree::config::{BlockSizePolicy, PinningPolicy};
use lsm_tree::{AbstractTree, AnyTree, Config, Guard, SeqNo, SequenceNumberCounter, Slice};

use super::backend::Disk;
use super::scratch::Folder;
use super::upkeep::Upkeep;
use crate::error::Error;

/// Memtables that wait to be written out before the worker waits for them.
const MOST_WAITING: usize = 1;
/// Runs that were written out and not merged yet, before the worker waits.
const MOST_UNMERGED: usize = 12;
/// Runs from which on they are merged.
const MERGE_FROM: u8 = 4;
/// The least and the greatest size of a file.
const FILE_BYTES: (u64, u64) = (1 << 20, 64 << 20);
/// How much is read from disk for one row. Rows are found one by one and are small.
const BLOCK_BYTES: u32 = 1 << 10;
/// Levels of a tree.
const LEVELS: usize = 7;

/// The worker's hand on a table.
pub(crate) struct Table {
    tree: Arc<Tree>,
    upkeep: Arc<Upkeep>,
    seqno: SequenceNumberCounter,
    visible: SequenceNumberCounter,
    /// Bytes of a memtable.
    memtable: u64,
}

struct Tree {
    tree: AnyTree,
    merging: Arc<Leveled>,
    seqno: SequenceNumberCounter,
    state: Mutex<State>,
    settled: Condvar,
    /// Nobody wants it any more.
    abandoned: AtomicBool,
    /// After the tree: it goes when nobody reads any more.
    folder: Folder,
}

#[derive(Default)]
struct State {
    /// Whether upkeep has been asked for and has not begun.
    asked: bool,
    failure: Option<String>,
}

/// Rows of a table as they stood at one moment, in order.
pub(crate) struct Rows {
    rows: Box<dyn DoubleEndedIterator<Item = lsm_tree::IterGuardImpl> + Send>,
    tree: Arc<Tree>,
}

impl Table {
    /// A new table. What is written since the last time it was written out takes about `memtable` bytes at most, twice.
    /// `filter` decides which rows are left out when files are merged.
    pub(crate) fn create(disk: &Disk, memtable: usize, filter: Option<Arc<dyn Factory>>) -> Result<Self, Error> {
        let folder = disk.scratch.folder();
        let (seqno, visible) = (SequenceNumberCounter::default(), SequenceNumberCounter::default());
        let config = Config::new(folder.path(), seqno.clone(), visible.clone())
            .use_cache(Arc::clone(&disk.blocks))
            .use_descriptor_table(Some(Arc::clone(&disk.files)))
            .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
            // Most keys that are looked for are there, and most of those in the last level: its filters would be nine tenths of all.
            .expect_point_read_hits(true)
            .filter_block_pinning_policy(PinningPolicy::all(true))
            .index_block_pinning_policy(PinningPolicy::all(true))
            .filter_block_partitioning_policy(PinningPolicy::all(false))
            .index_block_partitioning_policy(PinningPolicy::all(false))
            .with_compaction_filter_factory(filter);
        let tree = config.open().map_err(|error| failed(folder.path(), &error))?;
        let memtable = memtable as u64;
        let file = (memtable * 2).clamp(FILE_BYTES.0, FILE_BYTES.1);
        let merging = Leveled::default().with_l0_threshold(MERGE_FROM).with_table_target_size(file);
        let tree = Tree {
            tree,
            merging: Arc::new(merging),
            seqno: seqno.clone(),
            state: Mutex::default(),
            settled: Condvar::new(),
            abandoned: AtomicBool::new(false),
            folder,
        };
        Ok(Table { tree: Arc::new(tree), upkeep: Arc::clone(&disk.upkeep), seqno, visible, memtable })
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Slice>, Error> {
        self.tree.tree.get(key, SeqNo::MAX).map_err(|error| self.tree.failed(&error))
    }

    /// Writes rows; a row without a value removes.
    pub(crate) fn write<'a>(&self, rows: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> Result<(), Error> {
        let seqno = self.seqno.next();
        for (key, value) in rows {
            match value {
                Some(value) => self.tree.tree.insert(key, value, seqno),
                None => self.tree.tree.remove(key, seqno),
            };
        }
        self.visible.fetch_max(seqno + 1);
        if self.tree.tree.active_memtable().size() >= self.memtable {
            self.tree.await_room()?;
            self.tree.tree.rotate_memtable();
            self.ask();
        }
        Ok(())
    }

    /// The rows that stand behind `after` now, in order.
    pub(crate) fn rows(&self, after: Option<&[u8]>) -> Rows {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let rows = self.tree.tree.range::<&[u8], _>((from, Unbounded), self.seqno.get(), None);
        Rows { rows, tree: Arc::clone(&self.tree) }
    }

    /// Memory that is held for as long as files are there: filters and indices.
    pub(crate) fn pinned(&self) -> usize {
        self.tree.tree.pinned_filter_size() + self.tree.tree.pinned_block_index_size()
    }

    fn ask(&self) {
        let asked = std::mem::replace(&mut self.tree.state().asked, true);
        if !asked {
            let tree = Arc::clone(&self.tree);
            self.upkeep.submit(Box::new(move || tree.tend()));
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.tree.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Tree {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &lsm_tree::Error) -> Error {
        failed(self.folder.path(), error)
    }

    /// Waits until upkeep has caught up.
    fn await_room(&self) -> Result<(), Error> {
        let mut state = self.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(Error::failed(failure));
            }
            if self.tree.sealed_memtable_count() <= MOST_WAITING && self.tree.l0_run_count() <= MOST_UNMERGED {
                return Ok(());
            }
            // It is told; the time only guards against a thread that has died.
            let waited = self.settled.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes out what waits, and merges until all is in order.
    fn tend(&self) {
        self.state().asked = false;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.flush_and_merge()));
        let failure = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(self.failed(&error).to_string()),
            Err(_) => Some(format!("keeping {} in order panicked; this is a bug", self.folder.path().display())),
        };
        if let Some(failure) = failure {
            self.state().failure.get_or_insert(failure);
        }
        self.settled.notify_all();
    }

    fn flush_and_merge(&self) -> Result<(), lsm_tree::Error> {
        loop {
            if self.abandoned.load(Ordering::Relaxed) {
                return Ok(());
            }
            // Older versions of rows may go: who reads them has begun, and holds the files that have them. Who begins from now on
            // reads as of a number that is no less.
            let older = self.seqno.get();
            {
                let lock = self.tree.get_flush_lock();
                self.tree.flush(&lock, older)?;
            }
            self.settled.notify_all();
            let before = self.shape();
            self.tree.compact(Arc::clone(&self.merging) as _, older)?;
            if self.shape() == before {
                return Ok(());
            }
        }
    }

    /// Which changes whenever something is merged or moved.
    fn shape(&self) -> ([Option<usize>; LEVELS], usize, u64) {
        let levels = std::array::from_fn(|level| self.tree.level_table_count(level));
        (levels, self.tree.l0_run_count(), self.tree.disk_space())
    }
}

impl Iterator for Rows {
    type Item = Result<(Slice, Slice), Error>;
    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(row.into_inner().map_err(|error| self.tree.failed(&error)))
    }
}

/// What went wrong with files of state, where, and what to do about it.
fn failed(path: &std::path::Path, error: &lsm_tree::Error) -> Error {
    match error {
        lsm_tree::Error::Io(error) => failed_io(path, error),
        error => failed_io(path, &std::io::Error::other(format!("{error:?}"))),
    }
}

/// The same for an error of the system.
pub(crate) fn failed_io(path: &std::path::Path, error: &std::io::Error) -> Error {
    let next = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "make room, or name a directory on a larger disk with --state-dir"
        }
        _ => "look after the disk, or name a directory on another one with --state-dir",
    };
    let path: PathBuf = path.to_owned();
    Error::failed(format!("keys on disk, in {}: {error}; {next}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::backend::SpillSetting;
    use super::super::scratch::Scratch;
    use super::*;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    #[test]
    fn rows_are_as_they_stood_while_files_are_written_and_merged() {
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::create_in(directory.path()).unwrap();
        let setting = SpillSetting::new(scratch, 1 << 20, 1, 2).unwrap();
        // Every write begins a file.
        let table = Table::create(&setting.disk, 1, None).unwrap();
        let mut model = Model::new();
        let mut before: Option<(Rows, Model)> = None;
        for round in 0..200_u32 {
            let (key, value) = ((round % 37).to_be_bytes().to_vec(), round.to_be_bytes().to_vec());
            let gone = (round % 5).to_be_bytes().to_vec();
            table.write([(key.as_slice(), Some(value.as_slice())), (gone.as_slice(), None)].into_iter()).unwrap();
            model.insert(key, value);
            model.remove(&gone);
            // Those of the round before are read now, when more has been written.
            if let Some((rows, model)) = before.replace((table.rows(None), model.clone())) {
                let pair =
                    |row: Result<(Slice, Slice), Error>| row.map(|(key, value)| (key.to_vec(), value.to_vec()));
                let found: Model = rows.map(|row| pair(row).unwrap()).collect();
                assert_eq!(found, model, "round {round}");
            }
            for (key, value) in &model {
                assert_eq!(table.get(key).unwrap().as_deref(), Some(value.as_slice()));
            }
        }
        assert!(table.tree.tree.table_count() > 0, "nothing was written out");
    }
}
