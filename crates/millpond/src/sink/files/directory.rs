//! What is done to the directory, and what is wrong with it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::names::{self, Found};
use crate::runtime::failure::UserError;

#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryError {
    #[error(
        "the output directory {} cannot be used: {source}; give the job the right to write there, or choose another",
        path.display()
    )]
    Unusable { path: PathBuf, source: io::Error },
    #[error("the output file {} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("a record cannot be written to {}: {source}", path.display())]
    Record { path: PathBuf, source: UserError },
    #[error(
        "the output file {} exists already and was written by another job or with another store: remove it, or choose \
         another directory or job name; what is to stand there is kept in {kept}",
        path.display()
    )]
    Taken { path: PathBuf, kept: String },
    #[error("a snapshot names '{0}' as an output file to commit, which is not a plain file name: it is damaged")]
    BadName(String),
    #[error("a sink was used before it was opened")]
    NotOpen,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stay,
    Remove,
    /// It is part of a history that was left.
    Hide,
    /// It is part of the history that is gone on with.
    Show,
}

/// The directory that files are written to.
#[derive(Clone, Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Directory(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn unusable(&self, source: io::Error) -> DirectoryError {
        DirectoryError::Unusable { path: self.0.clone(), source }
    }

    fn write_failed(&self, name: &str, source: io::Error) -> DirectoryError {
        DirectoryError::Write { path: self.0.join(name), source }
    }

    /// Makes sure that it is there and files can be made in it. `probe` is a name that nobody else uses.
    pub(super) fn prepare(&self, probe: &str) -> Result<(), DirectoryError> {
        fs::create_dir_all(&self.0).map_err(|source| self.unusable(source))?;
        if let Some(parent) = self.0.canonicalize().map_err(|source| self.unusable(source))?.parent() {
            // A parent that cannot be opened was not made by us.
            let _ = sync_directory(parent);
        }
        let probe = self.0.join(probe);
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(|source| self.unusable(source))
    }

    pub(super) fn create(&self, name: &str) -> Result<File, DirectoryError> {
        File::create(self.0.join(name)).map_err(|source| self.write_failed(name, source))
    }

    fn exists(&self, name: &str) -> Result<bool, DirectoryError> {
        self.0.join(name).try_exists().map_err(|source| self.write_failed(name, source))
    }

    /// Makes the file durable under the name `to`.
    pub(super) fn keep(&self, file: &File, from: &str, to: &str) -> Result<(), DirectoryError> {
        file.sync_all().map_err(|source| self.write_failed(from, source))?;
        if self.exists(to)? {
            return Err(DirectoryError::Taken { path: self.0.join(to), kept: from.to_owned() });
        }
        fs::rename(self.0.join(from), self.0.join(to)).map_err(|source| self.write_failed(to, source))?;
        self.sync()
    }

    /// Gives a prepared file the name that readers see; done before, it changes nothing.
    pub(super) fn publish(&self, name: &str) -> Result<(), DirectoryError> {
        let pending = names::pending(name);
        let to = self.0.join(name);
        // Prepared and committed at once it cannot be: the other file is somebody else's.
        if self.exists(&pending)? && self.exists(name)? {
            return Err(DirectoryError::Taken { path: to, kept: pending });
        }
        match fs::rename(self.0.join(&pending), &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.exists(name)? {
                    tracing::warn!(
                        "the output file {} was committed before and has been taken away since",
                        to.display()
                    );
                }
            }
            outcome => outcome.map_err(|source| self.write_failed(name, source))?,
        }
        self.sync()
    }

    /// Removes, hides or shows files of `job`, as `decide` says of each.
    pub(super) fn tidy(&self, job: &str, decide: impl Fn(Found) -> Fate) -> Result<(), DirectoryError> {
        for entry in fs::read_dir(&self.0).map_err(|source| self.unusable(source))? {
            let entry = entry.map_err(|source| self.unusable(source))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(found) = names::of_job(&name, job) else { continue };
            let outcome = match decide(found) {
                Fate::Stay => continue,
                Fate::Remove => fs::remove_file(entry.path()),
                Fate::Hide => fs::rename(entry.path(), self.0.join(names::superseded(&name))),
                Fate::Show => match names::shown(&name) {
                    Some(shown) => fs::rename(entry.path(), self.0.join(shown)),
                    None => continue,
                },
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome.map_err(|source| self.write_failed(&name, source))?,
            }
        }
        self.sync()
    }

    fn sync(&self) -> Result<(), DirectoryError> {
        sync_directory(&self.0).map_err(|source| self.unusable(source))
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened, and a rename is durable by itself or not at all.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
