//! What it costs to look at snapshots without a job: `millpond snapshots verify`, `diff` and `query`, in memory that does not
//! follow the number of keys.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::going::{Going, Saved, Start, await_keys, await_records};
use super::millpond_engine::MillpondEngine;
use super::subjects::options;
use crate::harness::{Benchmark, Bound, Lab, Sample, Subject, Target};
use crate::machine;

const KEYS: u64 = 20_000_000;
/// What the issue calls less than a gigabyte.
const MOST_BYTES: f64 = 1e9;
/// How often the memory of a command is looked at. What it had at most is kept by the system until it ends.
const LOOK: Duration = Duration::from_millis(10);

const VERBS: [&str; 3] = ["verify", "diff", "query"];

pub(super) fn benchmarks() -> Vec<Benchmark> {
    let most = |verb: &&str| Target::figure(&format!("{verb}_peak_bytes"), "millpond", Bound::AtMost(MOST_BYTES));
    vec![Benchmark {
        name: "repository",
        about: "verify, diff and query of 20 M keys; needs `millpond` in the PATH, or where MILLPOND says",
        targets: VERBS.iter().map(most).collect(),
        subjects: |_| Ok(vec![Box::new(Repository { saved: None })]),
    }]
}

/// Two savepoints of a job, with a hundredth of the keys changed in between.
struct Repository {
    saved: Option<[Saved; 2]>,
}

impl Subject for Repository {
    fn name(&self) -> &str {
        "millpond"
    }

    fn prepare(&mut self, lab: &mut Lab) -> Result<()> {
        let (all, hot) = (lab.settings.scaled(KEYS), lab.settings.scaled(KEYS / 100));
        let start = Start {
            options: options(&[("keys", all.to_string()), ("hot", hot.to_string())]),
            parallelism: lab.settings.parallelism,
            ..Start::default()
        };
        let mut job = MillpondEngine.start(lab, &start)?;
        await_keys(&mut job, all)?;
        let first = job.savepoint()?;
        let records = job.records()?;
        await_records(&mut job, records + 4 * hot)?;
        self.saved = Some([first, job.savepoint()?]);
        Ok(())
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let [first, second] = self.saved.as_ref().context("nothing was prepared")?;
        let (a, b) = (first.address.as_str(), second.address.as_str());
        let sql =
            "select hash % 16 as part, count(*), sum(value), max(key) from \"sum\".\"sum\" group by 1 order by 1";
        let keys = lab.settings.scaled(KEYS);
        let mut sample = Sample::default();
        for (verb, arguments) in VERBS.into_iter().zip([vec![b], vec![a, b], vec![b, sql]]) {
            let (took, peak, output) = watched(verb, &arguments, &second.store)?;
            // What it has said shows that it has looked: the hot keys as changed, or groups.
            if output.trim().is_empty() {
                bail!("millpond snapshots {verb} has said nothing of {keys} keys");
            }
            sample = sample.with(&format!("{verb}_ms"), took.as_secs_f64() * 1e3);
            sample = sample.with(&format!("{verb}_peak_bytes"), peak as f64);
        }
        Ok(sample)
    }
}

/// Runs a verb of `millpond snapshots`: how long it takes, the most memory that it has, and what it says.
fn watched(verb: &str, arguments: &[&str], store: &Path) -> Result<(Duration, u64, String)> {
    let program = std::env::var_os("MILLPOND").unwrap_or_else(|| "millpond".into());
    let mut command = Command::new(&program);
    command.args(["snapshots", verb]).args(arguments).arg("--json").arg("--store").arg(store);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| {
        format!("{} could not be started; `cargo build --release --bin millpond` builds it", program.display())
    })?;
    let mut output = child.stdout.take().context("no standard output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut output, &mut text).map(|_| text)
    });
    let mut peak = 0;
    let status = loop {
        peak = peak.max(machine::peak_bytes(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let text = reader.join().map_err(|_| anyhow::anyhow!("what {verb} said could not be read"))??;
    if !(status.success() || verb == "diff" && status.code() == Some(1)) {
        bail!("millpond snapshots {verb} ended with {status}: {text}");
    }
    Ok((started.elapsed(), peak, text))
}
