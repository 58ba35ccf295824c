//! A directory of its own for each test, with a store and an output in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::binary;
use super::history::History;
use super::oracle::Expected;
use super::output::{self, Watch};
use super::run::{Ended, Run};

/// The bundled data.
pub(crate) fn bundled() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("data/flights-2013-01.csv")
}

/// Where a test plays.
pub(crate) struct Scene {
    directory: TempDir,
    watch: Watch,
}

impl Scene {
    /// An empty directory; what happens in its output folders is watched from now on.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("millpond-flights-").tempdir().unwrap();
        let watch = Watch::start(directory.path().join("output"));
        Scene { directory, watch }
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The job's log.
    pub(crate) fn history(&self) -> History {
        History::read(&self.path("store"), "flights")
    }

    /// Starts `flights run` with the scene's store and output and these options, separated by blanks.
    pub(crate) fn start(&self, options: &str) -> Run {
        let listen = if options.contains("--listen") { "" } else { "--listen 127.0.0.1:0" };
        self.bare(&format!("run --store store --output output {listen} {options}"))
    }

    /// Starts `flights` with these arguments and no others, in the scene's directory.
    pub(crate) fn bare(&self, arguments: &str) -> Run {
        let mut command = Command::new(binary::flights());
        command.args(arguments.split_whitespace()).current_dir(self.directory.path());
        Run::start(command)
    }

    /// As [`Scene::start`], to the end, which must be a good one.
    pub(crate) fn finish(&self, options: &str) -> Ended {
        self.start(options).wait().succeeded()
    }

    /// Writes an input file.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// The output must be what the oracle says, and must have looked right to a reader at all times.
    pub(crate) fn assert_output(&self, expected: &Expected) {
        self.watch.assert_nothing_wrong();
        output::assert_equal(&self.path("output"), expected);
    }

    /// The same for what has been committed so far: nothing wrong, nothing twice, perhaps not all.
    pub(crate) fn assert_output_so_far(&self, expected: &Expected) {
        self.watch.assert_nothing_wrong();
        output::assert_part_of(&self.path("output"), expected);
    }
}
