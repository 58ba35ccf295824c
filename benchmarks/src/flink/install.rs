//! Flink's jars, and ours on top of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::outcome::Outcome;

/// The release that is compared with.
pub const VERSION: &str = "2.3.0";

/// An unpacked Flink and the compiled jobs.
#[derive(Clone)]
pub struct Flink {
    /// Where Flink's own jars lie: a folder with `lib` and `bin`.
    home: PathBuf,
    jobs: PathBuf,
}

impl Flink {
    /// Fetches Flink from PyPI, which has its jars, unless `cache` has it already, and compiles the jobs.
    pub fn install(cache: &Path) -> Result<Self> {
        let home = cache.join(format!("flink-{VERSION}"));
        if !home.join("lib").is_dir() {
            fetch(cache, &home)?;
        }
        let flink = Flink { home, jobs: cache.join("jobs.jar") };
        flink.compile(cache)?;
        Ok(flink)
    }

    /// The jar with the jobs.
    pub fn jobs(&self) -> &Path {
        &self.jobs
    }

    /// What Java looks for classes in.
    pub fn class_path(&self) -> Result<String> {
        let mut jars = Vec::new();
        for entry in fs::read_dir(self.home.join("lib"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "jar") {
                jars.push(path.display().to_string());
            }
        }
        ensure!(!jars.is_empty(), "{} has no jars; remove it and start again", self.home.display());
        jars.sort();
        Ok(jars.join(":"))
    }

    /// The jar that turns a configuration into flags for a Java process.
    pub fn utilities(&self) -> PathBuf {
        self.home.join("bin/bash-java-utils.jar")
    }

    /// Runs one of our programs that does without Flink.
    pub fn run_alone(&self, class: &str, arguments: &[String]) -> Result<Outcome> {
        let output = run(Command::new("java").arg("-cp").arg(&self.jobs).arg(class).args(arguments))?;
        Outcome::read(&output)
    }

    fn compile(&self, cache: &Path) -> Result<()> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("flink/millpond");
        let mut files = Vec::new();
        for entry in fs::read_dir(&sources).with_context(|| sources.display().to_string())? {
            files.push(entry?.path());
        }
        let classes = cache.join("classes");
        if classes.exists() {
            fs::remove_dir_all(&classes)?;
        }
        fs::create_dir_all(&classes)?;
        run(Command::new("javac").arg("-d").arg(&classes).args(["-cp", &self.class_path()?]).args(&files))?;
        run(Command::new("jar").arg("cf").arg(&self.jobs).arg("-C").arg(&classes).arg("."))?;
        Ok(())
    }
}

fn fetch(cache: &Path, home: &Path) -> Result<()> {
    eprintln!("fetching Flink {VERSION} from PyPI (330 MB, once) …");
    fs::create_dir_all(cache)?;
    let archive = cache.join(format!("apache_flink_libraries-{VERSION}.tar.gz"));
    if !archive.is_file() {
        let package = format!("apache-flink-libraries=={VERSION}");
        let mut pip = Command::new("pip");
        pip.args(["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest"]).arg(cache).arg(package);
        run(&mut pip)?;
    }
    let unpacked = cache.join("unpacking");
    fs::create_dir_all(&unpacked)?;
    run(Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(&unpacked))?;
    let deps = unpacked.join(format!("apache_flink_libraries-{VERSION}/deps"));
    ensure!(deps.join("lib").is_dir(), "{} has no deps/lib", archive.display());
    fs::rename(&deps, home)?;
    fs::remove_dir_all(&unpacked)?;
    Ok(())
}

/// Runs a program to its end; gives what it has printed.
fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} could not be started; is it installed?"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
