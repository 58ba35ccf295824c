//! Instructions that a record takes, counted by callgrind: they are the same on a busy machine.
//!
//! A job is run with few records and with many; the difference, divided, is what one more record takes, with no start and
//! no end in it. The bounds are what was counted when they were last looked at and a twentieth more.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::subjects::run_flags;
use crate::harness::{Benchmark, Bound, Lab, Sample, Subject, Target};

const FIGURE: &str = "instructions_per_record";

/// Each job, and the most instructions that a record of it may take.
const JOBS: [(&str, &[&str], f64); 6] = [
    ("keyed-sum", &["keyed-sum", "--keys", "10000"], 413.0),
    ("keyed-sum-texts", &["keyed-sum", "--keys", "10000", "--shape", "texts"], 1106.0),
    ("nexmark-q4", &["nexmark", "--query", "q4"], 1790.0),
    ("nexmark-q5", &["nexmark", "--query", "q5"], 2356.0),
    ("nexmark-q7", &["nexmark", "--query", "q7"], 1569.0),
    ("nexmark-q8", &["nexmark", "--query", "q8"], 796.0),
];

pub(super) fn benchmarks() -> Vec<Benchmark> {
    vec![Benchmark {
        name: "instructions",
        about: "instructions that one more record takes, by callgrind; needs valgrind",
        targets: JOBS.iter().map(|(name, _, most)| Target::figure(FIGURE, name, Bound::AtMost(*most))).collect(),
        subjects: |_| {
            let subjects = JOBS.iter().map(|(name, job, _)| Box::new(Counted { name, job }) as Box<dyn Subject>);
            Ok(subjects.collect())
        },
    }]
}

struct Counted {
    name: &'static str,
    job: &'static [&'static str],
}

impl Counted {
    fn count(&self, lab: &mut Lab, records: u64) -> Result<u64> {
        let store = format!("memory://{}", lab.number());
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.arg(std::env::current_exe()?).args(["job", self.job[0]]);
        command.args(run_flags(1, &store, "0s")).args(["--listen", "off"]);
        command.args(&self.job[1..]).args(["--records", &records.to_string()]);
        let output = command.output().context("valgrind could not be started; is it installed?")?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("callgrind ended with {}: {text}", output.status);
        }
        let count = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        count.with_context(|| format!("callgrind has counted nothing: {text}"))
    }
}

impl Subject for Counted {
    fn name(&self) -> &str {
        self.name
    }

    fn measure(&mut self, lab: &mut Lab) -> Result<Sample> {
        let few = lab.settings.scaled(200_000);
        let more = self.count(lab, few * 3)?.saturating_sub(self.count(lab, few)?);
        Ok(Sample::default().with(FIGURE, more as f64 / (2 * few) as f64))
    }
}
