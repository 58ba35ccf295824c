//! A directory with a store, an input and an output; the programs that are run in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::history::History;
use crate::support::run::{Ended, Run};

/// The numbers that an old program reads, and those that the new one finds besides. Each key has five of the former, and
/// one of the latter, if there are twelve.
pub(crate) const FIRST: std::ops::Range<u64> = 0..60;
pub(crate) const SECOND: std::ops::Range<u64> = 120..132;

/// Where programs play.
pub(crate) struct Scene(TempDir);

/// The files of a scene, with their bytes.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

impl Scene {
    /// With the first numbers to read.
    pub(crate) fn new() -> Self {
        let scene = Scene(tempfile::Builder::new().prefix("millpond-versions-").tempdir().unwrap());
        std::fs::create_dir(scene.path("input")).unwrap();
        scene.write_numbers("first", FIRST);
        scene
    }

    /// Makes it what it was when it had these files. Those that have not changed are not touched.
    pub(crate) fn go_back(&self, to: &Files) {
        let now = self.files();
        now.keys().filter(|path| !to.contains_key(*path)).for_each(|path| {
            std::fs::remove_file(self.path(path)).unwrap();
        });
        for (path, bytes) in to.iter().filter(|(path, bytes)| now.get(*path) != Some(*bytes)) {
            let path = self.path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        assert!(self.files() == *to);
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    /// Adds a file to the input.
    pub(crate) fn write_numbers(&self, name: &str, numbers: impl Iterator<Item = u64>) {
        let lines: String = numbers.map(|number| format!("{number}\n")).collect();
        std::fs::write(self.path(format!("input/{name}.jsonl")), lines).unwrap();
    }

    /// Starts a version with a verb and options, which are separated by blanks and may be quoted as for a shell.
    pub(crate) fn start(&self, verb: &str, version: &str, options: &str) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_versions"));
        command
            .arg(verb)
            .args(["--as", version, "--store", "store"])
            .args(options.split_whitespace().map(|option| option.replace('\'', "")));
        command.current_dir(self.0.path());
        Run::start(command)
    }

    /// `run` to its end.
    pub(crate) fn run(&self, version: &str, options: &str) -> Ended {
        self.start("run", version, &format!("--listen off --checkpoint-interval 0s {options}")).wait()
    }

    /// `check`, to its end.
    pub(crate) fn check(&self, version: &str, options: &str) -> Ended {
        self.start("check", version, options).wait()
    }

    pub(crate) fn history(&self) -> History {
        History::read(&self.path("store"), "versions")
    }

    /// All files, with their bytes.
    pub(crate) fn files(&self) -> Files {
        let mut files = BTreeMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(self.path(&folder)).unwrap() {
                let entry = entry.unwrap();
                let path = folder.join(entry.file_name());
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(path),
                    false => drop(files.insert(path, std::fs::read(entry.path()).unwrap())),
                }
            }
        }
        files
    }

    /// The records that have been put out since there were only these files, which must be as they were.
    pub(crate) fn put_out_since(&self, before: &Files) -> Vec<Value> {
        let mut records = Vec::new();
        for (path, bytes) in self.files() {
            let is_output = path.starts_with("output") && path.extension().is_some_and(|ending| ending == "jsonl");
            if !is_output {
                continue;
            }
            if let Some(old) = before.get(&path) {
                assert_eq!(*old, bytes, "{} was changed", path.display());
                continue;
            }
            let lines = String::from_utf8(bytes).unwrap();
            records.extend(lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        records
    }
}
