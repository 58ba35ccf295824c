//! The machine that is measured on, and what else it was doing meanwhile.

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What a figure needs to be read by somebody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_bytes: u64,
    pub kernel: String,
    pub rustc: String,
    pub java: Option<String>,
    pub millpond: String,
    pub commit: String,
}

impl Machine {
    /// Asks.
    pub fn here() -> Self {
        Machine {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kilobytes("/proc/meminfo", "MemTotal"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            rustc: first_line("rustc", &["--version"]).unwrap_or_default(),
            java: first_line("java", &["-version"]),
            millpond: env!("CARGO_PKG_VERSION").to_owned(),
            commit: first_line("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
                .unwrap_or_default(),
        }
    }
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kilobytes(file: &str, name: &str) -> u64 {
    let number = field(file, name).and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// The most memory that this process has had.
pub fn own_peak_bytes() -> u64 {
    kilobytes("/proc/self/status", "VmHWM")
}

/// The most memory that a process has had.
pub fn peak_bytes(process: u32) -> u64 {
    kilobytes(&format!("/proc/{process}/status"), "VmHWM")
}

/// The memory that a process has.
pub fn resident_bytes(process: u32) -> u64 {
    kilobytes(&format!("/proc/{process}/status"), "VmRSS")
}

/// Linux counts processor time in hundredths of a second for whoever reads `/proc`.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that this process has taken so far.
pub fn own_cpu_seconds() -> f64 {
    cpu_seconds("/proc/self/stat")
}

/// Processor time that a process has taken so far.
pub fn process_cpu_seconds(process: u32) -> f64 {
    cpu_seconds(&format!("/proc/{process}/stat"))
}

fn cpu_seconds(file: &str) -> f64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    // The name of the program, in brackets, may have spaces in it.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

fn busy_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<f64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; idle and iowait are not busy.
    let busy = |at: &usize| ticks.get(*at).copied().unwrap_or(0.0);
    [0, 1, 2, 5, 6, 7].iter().map(busy).sum::<f64>() / TICKS_PER_SECOND
}

/// Watches how busy the machine is.
pub struct Watch {
    since: Instant,
    busy: f64,
}

impl Watch {
    /// From now on.
    pub fn start() -> Self {
        Watch { since: Instant::now(), busy: busy_seconds() }
    }

    /// The share of the machine that others had, when what was watched took `own` seconds of processor time.
    pub fn others(&self, own: f64) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1.0, |cores| usize::from(cores) as f64);
        let available = self.since.elapsed().as_secs_f64() * cores;
        if available <= 0.0 { 0.0 } else { ((busy_seconds() - self.busy - own) / available).clamp(0.0, 1.0) }
    }
}
