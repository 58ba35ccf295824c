//! Files that stand elsewhere than when a snapshot was taken.
//!
//! A snapshot knows a file by its path at that time. What has moved is known by its old path for ever after, so that the next
//! move starts from there as well; only where it is opened, it is looked for at the new one.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// From where directories have moved, and to where. Of several that fit, the first counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Moved(Vec<(PathBuf, PathBuf)>);

impl Moved {
    pub(super) fn add(&mut self, from: PathBuf, to: PathBuf) {
        self.0.push((from, to));
    }

    /// The pairs, for checks.
    pub(super) fn pairs(&self) -> &[(PathBuf, PathBuf)] {
        &self.0
    }

    /// The same with the new places as [`list`](super::listing::list) finds them.
    pub(super) fn resolved(&self) -> Moved {
        let resolve = |to: &PathBuf| to.canonicalize().unwrap_or_else(|_| to.clone());
        Moved(self.0.iter().map(|(from, to)| (from.clone(), resolve(to))).collect())
    }

    /// By which path snapshots know a file that stands at `here`.
    pub(super) fn known(&self, here: &Path) -> PathBuf {
        moved(here, self.0.iter().map(|(from, to)| (to, from)))
    }

    /// Where a file stands that snapshots know by the path `known`.
    pub(super) fn here(&self, known: &Path) -> PathBuf {
        moved(known, self.0.iter().map(|(from, to)| (from, to)))
    }
}

fn moved<'a>(path: &Path, mut pairs: impl Iterator<Item = (&'a PathBuf, &'a PathBuf)>) -> PathBuf {
    let found = pairs.find_map(|(from, to)| Some((path.strip_prefix(from).ok()?, to)));
    match found {
        // Joined with nothing, a path would end in a slash.
        Some((rest, to)) if rest.as_os_str().is_empty() => to.clone(),
        Some((rest, to)) => to.join(rest),
        None => path.to_owned(),
    }
}

/// Of the files of a snapshot and those of now, the pairs with the same name, if it looks as if they had moved without
/// anybody saying so: none of the old ones is there any more.
pub(super) fn unsaid<'a>(snapshot: &'a [String], now: &'a [PathBuf]) -> Vec<(&'a Path, &'a Path)> {
    let there: HashSet<&Path> = now.iter().map(PathBuf::as_path).collect();
    if snapshot.iter().any(|path| there.contains(Path::new(path))) {
        return Vec::new();
    }
    let names: BTreeMap<&OsStr, &Path> =
        snapshot.iter().map(Path::new).filter_map(|path| Some((path.file_name()?, path))).collect();
    now.iter().filter_map(|path| Some((*names.get(path.file_name()?)?, path.as_path()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_moved_unsaid_are_told_by_their_names_if_none_is_where_it_was() {
        let known = ["/old/a.csv", "/old/b.csv"].map(str::to_owned);
        let unsaid = |now: &[&str]| {
            let now: Vec<PathBuf> = now.iter().map(PathBuf::from).collect();
            unsaid(&known, &now).into_iter().map(|(old, new)| format!("{old:?} {new:?}")).collect::<Vec<_>>()
        };
        assert_eq!(unsaid(&["/new/b.csv", "/new/c.csv"]), [r#""/old/b.csv" "/new/b.csv""#]);
        assert_eq!(unsaid(&["/new/a.csv", "/new/b.csv"]).len(), 2);
        // Days, each with files of the same names; of the first some are left.
        assert!(unsaid(&["/old/a.csv", "/new/a.csv", "/new/b.csv"]).is_empty());
        assert!(unsaid(&["/new/c.csv"]).is_empty());
        assert!(unsaid(&[]).is_empty());
    }

    #[test]
    fn a_path_is_known_by_where_it_was() {
        let mut moved = Moved::default();
        moved.add("/old/in".into(), "/new/in".into());
        moved.add("/old".into(), "/elsewhere".into());
        for (known, here) in [
            ("/old/in/a.csv", "/new/in/a.csv"),
            ("/old/in/deep/a.csv", "/new/in/deep/a.csv"),
            ("/old/in", "/new/in"),
            ("/old/inside/a.csv", "/elsewhere/inside/a.csv"),
            ("/other/a.csv", "/other/a.csv"),
        ] {
            assert_eq!(moved.here(Path::new(known)), Path::new(here), "{known}");
            assert_eq!(moved.known(Path::new(here)), Path::new(known), "{here}");
        }
    }
}
