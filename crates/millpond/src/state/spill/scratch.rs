//! The directory of a process for state on disk.
//!
//! Nothing in it is needed after a crash, so nothing is synced to disk. It goes with the process that made it; what a
//! process left behind that was killed, the next one that uses the same place removes. Each directory has a file that its
//! process holds a lock on, so that what is locked is alive, and what is not is not.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;

const PREFIX: &str = "millpond-state-";
const LOCK: &str = "lock";

/// A directory for state.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Locked as long as the process lives.
    _lock: File,
    numbers: AtomicU64,
}

impl Scratch {
    /// Makes a directory inside `parent`, and removes those there whose processes are gone.
    pub(crate) fn create_in(parent: &Path) -> Result<Arc<Self>, Error> {
        let unusable = |error: io::Error| {
            Error::input(format!(
                "--state-dir: keys cannot be put on disk in {}: {error}; name a directory on a disk that can be \
                 written to",
                parent.display()
            ))
        };
        fs::create_dir_all(parent).map_err(unusable)?;
        remove_leftovers(parent);
        let number = getrandom::u64().map_err(|error| unusable(io::Error::other(error.to_string())))?;
        let path = parent.join(format!("{PREFIX}{number:016x}"));
        // Under its own name it is always locked: nobody takes it for one that was left behind.
        let draft = parent.join(format!(".{PREFIX}{number:016x}"));
        create_private(&draft).map_err(unusable)?;
        let lock = File::create_new(draft.join(LOCK)).and_then(|lock| lock.lock().map(|()| lock));
        let lock = lock.map_err(unusable)?;
        fs::rename(&draft, &path).map_err(unusable)?;
        Ok(Arc::new(Scratch { path, _lock: lock, numbers: AtomicU64::new(0) }))
    }

    /// A place of its own for a file. It is removed when this is dropped.
    fn folder(self: &Arc<Self>) -> Folder {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Folder { path: self.path.join(format!("{number:08}")), _scratch: Arc::clone(self) }
    }

    /// A new file, with its place. Removed when the place is dropped.
    pub(crate) fn file(self: &Arc<Self>) -> Result<(File, Folder), Error> {
        let place = self.folder();
        let file = File::options().read(true).write(true).create_new(true).open(&place.path);
        Ok((file.map_err(|error| failed_io(&place.path, &error))?, place))
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A file or directory inside the scratch directory.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _scratch: Arc<Scratch>,
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left goes with the scratch directory.
        let _ = if self.path.is_dir() { fs::remove_dir_all(&self.path) } else { fs::remove_file(&self.path) };
    }
}

/// What went wrong with files of state, where, and what to do about it.
pub(crate) fn failed_io(path: &Path, error: &io::Error) -> Error {
    let next = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or name a directory on a larger disk with --state-dir"
        }
        _ => "look after the disk, or name a directory on another one with --state-dir",
    };
    Error::failed(format!("keys on disk, in {}: {error}; {next}", path.display()))
}

/// Makes a directory that nobody else can look into: it may be made in one that everybody uses.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Removes the directories of processes that are gone. What cannot be removed stays; it is in nobody's way.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() && fs::remove_dir_all(&path).is_ok() {
            tracing::info!(path = %path.display(), "removed what was left of the state of a process that is gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_with_its_owner_and_with_the_next_one_if_that_was_killed() {
        let parent = tempfile::tempdir().unwrap();
        let alive = Scratch::create_in(parent.path()).unwrap();
        // As a process that was killed leaves it: files, and a lock that nobody holds.
        let left = parent.path().join(format!("{PREFIX}00"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("00000000"), "rows").unwrap();
        // Not ours.
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();

        let next = Scratch::create_in(parent.path()).unwrap();
        assert!(!left.exists(), "nobody holds it");
        assert!(other.exists() && alive.path().exists() && next.path().exists());
        let (_file, place) = next.file().unwrap();
        let file = place.path().to_owned();
        assert!(file.exists());
        drop(place);
        assert!(!file.exists(), "a file goes with its owner");
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists() && alive.path().exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Scratch::create_in(&file).unwrap_err().to_string();
        assert!(error.contains("--state-dir") && error.contains(file.to_str().unwrap()), "{error}");
    }
}
