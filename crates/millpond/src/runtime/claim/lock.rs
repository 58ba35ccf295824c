//! A file that the kernel holds locked for as long as the process has it open, so that `kill -9` gives it back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use super::Holder;

/// The longest content that is read; ours has a few hundred bytes.
const CONTENT_BYTES: u64 = 16 * 1024;
/// How often a run that has taken over looks whether the other one is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A locked file.
pub(super) struct Lock(File);

/// What became of an attempt to lock.
pub(super) enum Locked {
    Mine(Lock),
    /// Somebody holds it; who, as far as the file says.
    Held(Holder),
    /// The file cannot be made, or the file system has no locks.
    Unknown,
}

impl Lock {
    /// Locks the file at `path`, which is made if there is none, and writes `me` into it.
    pub(super) fn take(path: &Path, me: &Holder) -> Locked {
        let opened = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path));
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(%error, "no lock at {}", path.display());
                return Locked::Unknown;
            }
        };
        match file.try_lock() {
            Ok(()) => {
                let lock = Lock(file);
                lock.write(me);
                Locked::Mine(lock)
            }
            Err(TryLockError::WouldBlock) => Locked::Held(read(&file)),
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "no lock at {}", path.display());
                Locked::Unknown
            }
        }
    }

    /// Locks the file as soon as whoever holds it is gone, and holds it until the task is dropped.
    pub(super) async fn wait(path: &Path, me: &Holder) {
        loop {
            match Lock::take(path, me) {
                Locked::Mine(_lock) => std::future::pending().await,
                Locked::Held(_) => tokio::time::sleep(LOOK_AGAIN).await,
                Locked::Unknown => return,
            }
        }
    }

    /// Writes down who holds it. It only informs: a failure changes nothing.
    pub(super) fn write(&self, me: &Holder) {
        let mut file = &self.0;
        let written = serde_json::to_vec(me).map_err(std::io::Error::other).and_then(|bytes| {
            file.seek(SeekFrom::Start(0))?;
            file.set_len(0)?;
            file.write_all(&bytes)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "the run lock could not be written to");
        }
    }
}

/// Who holds it, as far as the content can be read: it may be half-written, or anything.
fn read(file: &File) -> Holder {
    let mut bytes = Vec::new();
    let read = file.take(CONTENT_BYTES).read_to_end(&mut bytes);
    read.ok().and_then(|_| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(id: &str) -> Holder {
        Holder { id: id.to_owned(), run: Some(3), ..Holder::default() }
    }

    #[test]
    fn a_lock_is_held_by_one_says_by_whom_and_ends_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs/j/run.lock");
        let Locked::Mine(lock) = Lock::take(&path, &holder("a")) else { panic!("it was free") };
        let Locked::Held(by) = Lock::take(&path, &holder("b")) else { panic!("it is held") };
        assert_eq!(by, holder("a"));
        drop(lock);
        assert!(matches!(Lock::take(&path, &holder("b")), Locked::Mine(_)));
    }

    #[test]
    fn a_file_with_anything_in_it_is_held_by_somebody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.lock");
        let Locked::Mine(lock) = Lock::take(&path, &holder("a")) else { panic!("it was free") };
        for content in [&b""[..], b"{\"id\":", b"\xff\xff", b"[1,2]", &[b' '; 1 << 20]] {
            fs::write(&path, content).unwrap();
            let Locked::Held(by) = Lock::take(&path, &holder("b")) else { panic!("it is held") };
            assert_eq!(by, Holder::default());
        }
        drop(lock);
    }

    #[test]
    fn where_no_file_can_be_made_nothing_is_known() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("jobs"), "not a directory").unwrap();
        assert!(matches!(Lock::take(&directory.path().join("jobs/j/run.lock"), &holder("a")), Locked::Unknown));
    }
}
