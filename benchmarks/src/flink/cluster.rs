//! A Flink session cluster of one job manager and one task manager.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Flink;
use crate::machine;
use crate::outcome::Outcome;
use crate::rest::Rest;

/// Where Flink keeps state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// On the Java heap; snapshots are whole.
    Heap,
    /// In RocksDB; snapshots are incremental.
    RocksDb,
}

/// What Java must open to Flink, by package of `java.base`; see the configuration that Flink is delivered with.
const OPENED: [&str; 11] = [
    "java.io",
    "java.lang",
    "java.lang.reflect",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
];

/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running cluster; it ends when this is dropped.
pub struct Cluster {
    job_manager: Child,
    task_manager: Child,
    task_manager_log: PathBuf,
    directory: PathBuf,
    class_path: String,
    flink: Flink,
    rest: Rest,
}

impl Cluster {
    /// Starts one with its files under `directory`, and waits until it takes jobs.
    pub fn start(flink: &Flink, directory: &Path, backend: Backend, slots: usize) -> Result<Self> {
        let directory = directory.to_owned();
        for folder in ["conf", "log", "tmp", "checkpoints", "savepoints"] {
            fs::create_dir_all(directory.join(folder))?;
        }
        let rest_port = free_port()?;
        fs::write(directory.join("conf/config.yaml"), configuration(&directory, backend, slots, rest_port)?)?;
        fs::write(directory.join("conf/log4j.properties"), LOGGING)?;
        let class_path = flink.class_path()?;

        let entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint";
        let mut command = java(&directory, &class_path, &["-Xmx1g"], entry);
        let job_manager = spawn(&mut command, &directory.join("log/job-manager.log"))?;

        let log = directory.join("log/task-manager-1.log");
        let task_manager = start_task_manager(flink, &directory, &class_path, &log)?;
        let rest = Rest::at(format!("http://127.0.0.1:{rest_port}"));
        let flink = flink.clone();
        let mut cluster =
            Cluster { job_manager, task_manager, task_manager_log: log, directory, class_path, flink, rest };
        cluster.await_slots(slots)?;
        Ok(cluster)
    }

    /// Kills the process that does the work, without asking, and starts another.
    pub fn replace_worker(&mut self) -> Result<()> {
        self.task_manager.kill()?;
        self.task_manager.wait()?;
        self.task_manager_log = self.directory.join(format!("log/task-manager-after-{}.log", self.worker()));
        self.task_manager =
            start_task_manager(&self.flink, &self.directory, &self.class_path, &self.task_manager_log)?;
        Ok(())
    }

    /// What the process that does the work has written.
    pub fn worker_log(&self) -> &Path {
        &self.task_manager_log
    }

    fn await_slots(&mut self, slots: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(overview) = self.rest.get("/overview")
                && overview["slots-available"].as_u64() == Some(slots as u64)
            {
                return Ok(());
            }
            let ended = (self.job_manager.try_wait()?, self.task_manager.try_wait()?);
            if let (Some(status), _) | (_, Some(status)) = ended {
                bail!("a process of Flink's ended with {status}: {}", self.last_words());
            }
            if Instant::now() > deadline {
                bail!("Flink has not come up within {} s: {}", PATIENCE.as_secs(), self.last_words());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The ends of its logs, which go with its directory.
    fn last_words(&self) -> String {
        let last = |path: &Path| end(&fs::read_to_string(path).unwrap_or_default());
        format!("{}\n{}", last(&self.directory.join("log/job-manager.log")), last(&self.task_manager_log))
    }

    /// The cluster's REST interface.
    pub fn rest(&self) -> &Rest {
        &self.rest
    }

    /// The process that does the work.
    pub fn worker(&self) -> u32 {
        self.task_manager.id()
    }

    /// Processor time of both processes so far.
    pub fn cpu_seconds(&self) -> f64 {
        [&self.job_manager, &self.task_manager].iter().map(|child| machine::process_cpu_seconds(child.id())).sum()
    }

    fn client(&self, options: &[String], class: &str, arguments: &[String]) -> Command {
        let entry = "org.apache.flink.client.cli.CliFrontend";
        let mut command = java(&self.directory, &self.class_path, &["-Xmx512m"], entry);
        command.env("FLINK_CONF_DIR", self.directory.join("conf"));
        command.arg("run").args(options).args(["-c", class]).arg(self.flink.jobs()).args(arguments);
        command
    }

    /// Runs a job to its end.
    pub fn run(&self, parallelism: usize, class: &str, arguments: &[String]) -> Result<Outcome> {
        let before = self.cpu_seconds();
        let options = ["-p".to_owned(), parallelism.to_string()];
        let output = self.client(&options, class, arguments).output().context("java could not be started")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("Flink's job failed: {}", end(&text));
        }
        let mut outcome = Outcome::read(&text)?;
        outcome.cpu_seconds = self.cpu_seconds() - before;
        Ok(outcome)
    }

    /// Starts a job that goes on, and gives its id; `options` are Flink's own, such as `-s`.
    pub fn submit(&self, options: &[String], class: &str, arguments: &[String]) -> Result<String> {
        let options: Vec<String> = std::iter::once("-d".to_owned()).chain(options.iter().cloned()).collect();
        let output = self.client(&options, class, arguments).output().context("java could not be started")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let id = text.lines().find_map(|line| line.split_once("JobID ")).map(|(_, id)| id.trim().to_owned());
        match id {
            Some(id) if output.status.success() => Ok(id),
            _ => bail!("Flink has not taken the job: {}", end(&text)),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in [&mut self.task_manager, &mut self.job_manager] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The last lines of a log.
fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn java(directory: &Path, class_path: &str, flags: &[&str], class: &str) -> Command {
    let mut command = Command::new("java");
    command.args(OPENED.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")));
    command.arg("--add-opens=java.base/sun.nio.ch=ALL-UNNAMED");
    command.arg("--add-exports=java.base/sun.net.util=ALL-UNNAMED");
    let conf = directory.join("conf");
    command.arg(format!("-Dlog4j.configurationFile=file:{}", conf.join("log4j.properties").display()));
    command.args(flags).args(["-cp", class_path, class]);
    if !class.ends_with("CliFrontend") {
        command.arg("--configDir").arg(conf);
    }
    command
}

fn start_task_manager(flink: &Flink, directory: &Path, class_path: &str, log: &Path) -> Result<Child> {
    let memory = task_manager_flags(flink, directory, class_path)?;
    let flags: Vec<&str> = memory.java.split_whitespace().collect();
    let entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner";
    let mut command = java(directory, class_path, &flags, entry);
    command.args(memory.flink.split_whitespace());
    spawn(&mut command, log)
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let file = fs::File::create(log).with_context(|| log.display().to_string())?;
    let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
    child.context("java could not be started; is a JDK of version 17 or newer installed?")
}

/// Flags that make a task manager of a Java process.
struct MemoryFlags {
    java: String,
    flink: String,
}

/// Asks Flink's own tool, as its scripts do.
fn task_manager_flags(flink: &Flink, directory: &Path, class_path: &str) -> Result<MemoryFlags> {
    let class_path = format!("{class_path}:{}", flink.utilities().display());
    let mut command = Command::new("java");
    command.args(["-cp", &class_path, "org.apache.flink.runtime.util.bash.BashJavaUtils"]);
    command.arg("GET_TM_RESOURCE_PARAMS").arg("--configDir").arg(directory.join("conf"));
    let output = command.output().context("java could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut results = text.lines().filter_map(|line| line.split_once("BASH_JAVA_UTILS_EXEC_RESULT:"));
    match (results.next(), results.next()) {
        (Some((_, java)), Some((_, flink))) => {
            Ok(MemoryFlags { java: java.trim().to_owned(), flink: flink.trim().to_owned() })
        }
        _ => bail!("Flink has not said how much memory a task manager has: {text}"),
    }
}

/// A port of loopback that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Memory enough for 10 million keys on the heap; the rest as delivered.
fn configuration(directory: &Path, backend: Backend, slots: usize, rest_port: u16) -> Result<String> {
    let directory = directory.display();
    let (rpc, managed) = (free_port()?, if backend == Backend::Heap { "64m" } else { "2g" });
    let (state, incremental) = match backend {
        Backend::Heap => ("hashmap", false),
        Backend::RocksDb => ("rocksdb", true),
    };
    Ok(format!(
        "\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: localhost
jobmanager.memory.process.size: 1600m
taskmanager.host: localhost
taskmanager.bind-host: localhost
taskmanager.numberOfTaskSlots: {slots}
taskmanager.memory.process.size: 6g
taskmanager.memory.managed.size: {managed}
rest.address: localhost
rest.bind-address: localhost
rest.port: {rest_port}
io.tmp.dirs: {directory}/tmp
pipeline.generic-types: false
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 5
restart-strategy.fixed-delay.delay: 0 s
metrics.fetcher.update-interval: 100
state.backend.type: {state}
execution.checkpointing.incremental: {incremental}
execution.checkpointing.storage: filesystem
execution.checkpointing.dir: file://{directory}/checkpoints
execution.checkpointing.savepoint-dir: file://{directory}/savepoints
"
    ))
}

const LOGGING: &str = "\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1} - %m%n
";
