//! From paths to files.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::FileError;

/// Endings of files that somebody is still writing.
const UNFINISHED: [&str; 2] = [".pending", ".tmp"];

/// The files that `paths` name, absolute and sorted, each once.
///
/// Directories are walked. In them, hidden files, unfinished ones and those that end in none of `endings` (if there are
/// any) are left out; a file that is itself among `paths` never is.
pub(super) fn list(paths: &[PathBuf], endings: &[String]) -> Result<Vec<PathBuf>, FileError> {
    let mut listing = Listing { endings, files: BTreeSet::new(), walked: HashSet::new() };
    for path in paths {
        let path = path.canonicalize().map_err(|source| FileError::List { path: path.clone(), source })?;
        listing.add(path, true)?;
    }
    Ok(listing.files.into_iter().collect())
}

struct Listing<'a> {
    endings: &'a [String],
    files: BTreeSet<PathBuf>,
    /// Directories, so that links do not make for endless walks.
    walked: HashSet<PathBuf>,
}

impl Listing<'_> {
    /// `path` is canonical.
    fn add(&mut self, path: PathBuf, named: bool) -> Result<(), FileError> {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // It was removed since its directory was read.
            Err(_) if !named => return Ok(()),
            Err(source) => return Err(FileError::List { path, source }),
        };
        if metadata.is_dir() {
            return self.walk(path);
        }
        if !metadata.is_file() {
            return if named { Err(FileError::NotAFile { path }) } else { Ok(()) };
        }
        if path.to_str().is_none() {
            return Err(FileError::NotUtf8 { path });
        }
        self.files.insert(path);
        Ok(())
    }

    fn walk(&mut self, directory: PathBuf) -> Result<(), FileError> {
        if !self.walked.insert(directory.clone()) {
            return Ok(());
        }
        let failed = |source| FileError::List { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if !self.is_wanted(&path) {
                continue;
            }
            // One that cannot be resolved was removed, or is a link to nothing.
            if let Ok(path) = path.canonicalize() {
                self.add(path, false)?;
            }
        }
        Ok(())
    }

    fn is_wanted(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_ready = !name.starts_with('.') && !UNFINISHED.iter().any(|ending| name.ends_with(ending));
        let is_chosen =
            self.endings.is_empty() || self.endings.iter().any(|ending| name.ends_with(ending.as_str()));
        is_ready && (is_chosen || path.is_dir())
    }
}
