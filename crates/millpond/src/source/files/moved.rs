//! Files that stand elsewhere than when a snapshot was taken.
//!
//! A snapshot knows a file by its path at that time. What has moved is known by its old path for ever after, so that the next
//! move starts from there as well; only where it is opened, it is looked for at the new one.

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

#[cfg(test)]
mod tests {
    use super::*;

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
