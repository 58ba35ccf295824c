//! Where subjects run: child processes of this very binary, and a Flink cluster that is started when it is first needed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::flink::{Backend, Cluster, Flink};
use crate::machine;
use crate::outcome::Outcome;

/// For so many milliseconds the allocator of subjects in Rust keeps freed memory before it gives it back to the system, which would
/// clear it when it comes again. Java does not give back what it has either.
const PURGE_DELAY: &str = "10000";

/// How a benchmark is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often each subject is measured.
    pub rounds: usize,
    /// Who is compared with; all if empty.
    pub peers: Vec<String>,
    /// What numbers of records and keys are multiplied by.
    pub scale: f64,
    /// Workers of each subject.
    pub parallelism: usize,
    /// Where Flink is unpacked.
    pub cache: PathBuf,
    /// Where stores and checkpoints are written; a directory in the system's place for them, if not given.
    pub scratch: Option<PathBuf>,
    /// How long to wait before each measurement for a machine with nothing else to do.
    pub patience: Duration,
}

impl Settings {
    /// A number of records or keys, made smaller or larger.
    pub fn scaled(&self, number: u64) -> u64 {
        ((number as f64 * self.scale).round() as u64).max(10)
    }

    /// Whether a peer takes part.
    pub fn wants(&self, peer: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| peer.starts_with(wanted.as_str()))
    }
}

/// Where subjects run.
pub struct Lab {
    pub settings: Settings,
    scratch: tempfile::TempDir,
    flink: Option<Flink>,
    cluster: Option<(Backend, Cluster)>,
    numbers: usize,
}

impl Lab {
    /// A lab with a fresh directory, which goes when the lab does.
    pub fn open(settings: Settings) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("millpond-benchmarks-");
        let scratch = match &settings.scratch {
            Some(parent) => builder.tempdir_in(parent).with_context(|| parent.display().to_string())?,
            None => builder.tempdir()?,
        };
        Ok(Lab { settings, scratch, flink: None, cluster: None, numbers: 0 })
    }

    /// A directory that nobody has had before.
    pub fn fresh(&mut self, name: &str) -> PathBuf {
        let number = self.number();
        self.scratch.path().join(format!("{name}-{number}"))
    }

    /// A number that nobody has had before.
    pub fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    /// A child process of this binary.
    pub fn own(&self, arguments: &[String]) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).env("MIMALLOC_PURGE_DELAY", PURGE_DELAY).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `job …` or `peer …` to its end.
    pub fn run(&self, arguments: &[String]) -> Result<Outcome> {
        let output = self.own(arguments)?.stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("{arguments:?} ended with {}: {text}", output.status);
        }
        Outcome::read(&text)
    }

    /// Starts `job …`, which goes on.
    pub fn spawn(&self, arguments: &[String]) -> Result<Running> {
        let child = self.own(arguments)?.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        Ok(Running { child })
    }

    /// Ends the Flink cluster, if there is one: the next job has one of its own.
    pub fn end_flink(&mut self) {
        self.cluster = None;
    }

    /// Flink and our programs in Java, which are fetched and compiled the first time.
    pub fn java(&mut self) -> Result<&Flink> {
        match &mut self.flink {
            Some(flink) => Ok(flink),
            none => Ok(none.insert(Flink::install(&self.settings.cache)?)),
        }
    }

    /// A Flink cluster with this backend. One with another backend ends first.
    pub fn flink(&mut self, backend: Backend) -> Result<&mut Cluster> {
        if self.cluster.as_ref().is_none_or(|(running, _)| *running != backend) {
            self.cluster = None;
            let flink = self.java()?.clone();
            let directory = self.fresh("flink");
            // Twice the workers, for those who restore at double parallelism.
            let cluster = Cluster::start(&flink, &directory, backend, self.settings.parallelism * 2);
            self.cluster = Some((backend, cluster?));
        }
        match &mut self.cluster {
            Some((_, cluster)) => Ok(cluster),
            None => bail!("no Flink cluster"),
        }
    }

    /// Waits for the machine to have nothing else to do, as long as the settings allow.
    pub fn await_quiet(&self) {
        let deadline = std::time::Instant::now() + self.settings.patience;
        while std::time::Instant::now() < deadline {
            let watch = machine::Watch::start();
            std::thread::sleep(Duration::from_millis(500));
            if watch.others(0.0) < 0.05 {
                return;
            }
        }
    }
}

/// A child process; it is killed when this is dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it says on standard output from now on.
    pub fn output(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Ends it at once, without asking.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Bytes of all files under a directory.
pub fn bytes_under(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_under(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
