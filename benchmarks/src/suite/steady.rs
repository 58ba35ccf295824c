//! What snapshots, and a second process, do to a job that runs: throughput, standstills, latency.

use std::process::Command;

use anyhow::{Context, Result};

use super::subjects::{FlinkJob, Millpond, Unchecked, options, run_flags};
use crate::flink::{Backend, free_port};
use crate::harness::{Benchmark, Bound, Lab, Sample, Settings, Subject, Target};
use crate::outcome::Outcome;

const RATE: &str = "records_per_second";

pub(super) fn benchmarks() -> Vec<Benchmark> {
    vec![
        Benchmark {
            name: "snapshot-cost",
            about: "throughput with a snapshot each second and with none; 1 M keys, all of them changing",
            targets: vec![Target::ratio(RATE, "millpond", "millpond-without", Bound::AtLeast(0.9))],
            subjects: snapshot_cost,
        },
        Benchmark {
            name: "pause",
            about: "the longest time between two batches of a worker while snapshots are taken each second",
            targets: ["millpond-1m", "millpond-5m", "millpond-20m", "millpond-50m"]
                .map(|name| Target::figure("longest_stall_cpu_ms", name, Bound::AtMost(10.0)))
                .to_vec(),
            subjects: pause,
        },
        Benchmark {
            name: "latency",
            about: "from the making of a record to its row, at 200 k records a second and a snapshot each second",
            targets: vec![
                Target::figure("p99_latency_ms", "millpond", Bound::AtMost(10.0)),
                Target::ratio("p99_latency_ms", "millpond", "flink", Bound::AtMost(1.0 / 3.0)),
            ],
            subjects: latency,
        },
        Benchmark {
            name: "processes",
            about: "two processes of one worker each, over TCP, and one process with two",
            targets: vec![Target::ratio(RATE, "millpond-two-processes", "millpond", Bound::AtLeast(0.45))],
            subjects: processes,
        },
    ]
}

fn work(settings: &Settings, records: u64, keys: u64) -> Vec<String> {
    options(&[("records", settings.scaled(records).to_string()), ("keys", settings.scaled(keys).to_string())])
}

fn ours(name: &'static str, options: Vec<String>, interval: &'static str) -> Box<dyn Subject> {
    Box::new(Millpond { name, job: [vec!["keyed-sum".to_owned()], options].concat(), interval })
}

fn theirs(name: &'static str, arguments: Vec<String>, interval: u64) -> Box<dyn Subject> {
    Box::new(FlinkJob { name, backend: Backend::Heap, class: "millpond.KeyedSum", arguments, interval })
}

fn snapshot_cost(settings: &Settings) -> Result<Vec<Box<dyn Subject>>> {
    let (records, theirs_records) = (work(settings, 60_000_000, 1_000_000), work(settings, 15_000_000, 1_000_000));
    Ok(vec![
        ours("millpond", records.clone(), "1s"),
        ours("millpond-without", records, "0s"),
        Box::new(Unchecked(theirs("flink", theirs_records.clone(), 1000))),
        Box::new(Unchecked(theirs("flink-without", theirs_records, 0))),
    ])
}

fn pause(settings: &Settings) -> Result<Vec<Box<dyn Subject>>> {
    let sizes = [("millpond-1m", 1), ("millpond-5m", 5), ("millpond-20m", 20), ("millpond-50m", 50)];
    let subject = |(name, millions): (&'static str, u64)| {
        let keys = millions * 1_000_000;
        // Each key once, and then for long enough that several snapshots are taken.
        let mut options = work(settings, keys + 60_000_000, keys);
        options.extend(["--stalls-after".to_owned(), settings.scaled(keys + keys / 10).to_string()]);
        Box::new(Unchecked(ours(name, options, "1s"))) as Box<dyn Subject>
    };
    Ok(sizes.into_iter().map(subject).collect())
}

fn latency(settings: &Settings) -> Result<Vec<Box<dyn Subject>>> {
    let mut options = work(settings, 4_000_000, 100_000);
    let rate = (200_000.0 * settings.scale.min(1.0)).max(1000.0);
    options.extend(["--rate", &format!("{rate:.0}"), "--shape", "stamped"].map(str::to_owned));
    // By default Flink keeps rows for up to 100 ms to send more of them at a time.
    let soon = |milliseconds: &str| {
        [options.clone(), vec!["--buffer-timeout".to_owned(), milliseconds.to_owned()]].concat()
    };
    Ok(vec![
        ours("millpond", options.clone(), "1s"),
        theirs("flink", soon("1"), 1000),
        theirs("flink-as-delivered", soon("100"), 1000),
    ])
}

fn processes(settings: &Settings) -> Result<Vec<Box<dyn Subject>>> {
    let options = work(settings, 60_000_000, 1_000_000);
    let together = TwoProcesses { options: options.clone() };
    Ok(vec![Box::new(Unchecked(ours("millpond", options, "1s"))), Box::new(together)])
}

/// Two processes with a worker each.
struct TwoProcesses {
    options: Vec<String>,
}

impl Subject for TwoProcesses {
    fn name(&self) -> &str {
        "millpond-two-processes"
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let store = lab.fresh("store").display().to_string();
        let hosts = format!("127.0.0.1:{},127.0.0.1:{}", free_port()?, free_port()?);
        let command = |process: &str| -> Result<Command> {
            let mut arguments = vec!["job".to_owned(), "keyed-sum".to_owned()];
            arguments.extend(run_flags(2, &store, "1s"));
            arguments.extend(["--hosts", &hosts, "--process", process].map(str::to_owned));
            arguments.extend(self.options.iter().cloned());
            lab.own(&arguments)
        };
        let mut second = command("1")?.stdout(std::process::Stdio::null()).spawn()?;
        let output = command("0")?.stderr(std::process::Stdio::inherit()).output();
        if output.as_ref().map_or(true, |output| !output.status.success()) {
            let _ = second.kill();
        }
        let status = second.wait()?;
        let text = String::from_utf8_lossy(&output?.stdout).into_owned();
        anyhow::ensure!(status.success(), "the second process ended with {status}");
        let outcome = Outcome::read(&text).context("the first process")?;
        Ok(Sample { result: None, ..outcome.into() })
    }
}
