//! Everybody in turn, round by round.

use anyhow::{Context, Result, bail};

use super::report::{Report, SubjectReport};
use super::{Benchmark, Lab, Sample, Settings};
use crate::machine::{Machine, Watch};

/// Runs a benchmark and sums it up.
pub fn run(benchmark: &Benchmark, settings: &Settings) -> Result<Report> {
    let mut subjects = (benchmark.subjects)(settings)?;
    // Ours is always there.
    let mut first = true;
    subjects.retain(|subject| std::mem::take(&mut first) || settings.wants(subject.name()));
    let mut lab = Lab::open(settings.clone())?;
    let mut reports: Vec<SubjectReport> =
        subjects.iter().map(|s| SubjectReport { name: s.name().to_owned(), samples: Vec::new() }).collect();
    for subject in &mut subjects {
        subject.prepare(&mut lab).with_context(|| format!("preparing {}", subject.name()))?;
    }
    for round in 0..settings.rounds {
        for (subject, report) in subjects.iter_mut().zip(&mut reports) {
            lab.await_quiet();
            let watch = Watch::start();
            let mut sample = subject.measure(&mut lab).with_context(|| subject.name().to_owned())?;
            sample.others = watch.others(sample.cpu_seconds);
            eprintln!("  round {} {}: {}", round + 1, report.name, in_short(&sample));
            report.samples.push(sample);
        }
        agree(&reports)?;
    }
    Ok(Report::new(benchmark, settings, Machine::here(), reports))
}

/// Whoever computes the same must come to the same.
fn agree(reports: &[SubjectReport]) -> Result<()> {
    let mut known: Option<(&str, (u64, u64))> = None;
    for report in reports {
        for result in report.samples.iter().filter_map(|sample| sample.result) {
            match known {
                None => known = Some((&report.name, result)),
                Some((name, expected)) if expected != result => {
                    bail!("{name} and {} differ: {expected:?} and {result:?} (rows, check)", report.name)
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

fn in_short(sample: &Sample) -> String {
    let figures: Vec<String> = sample
        .figures
        .iter()
        .map(|(name, value)| format!("{name} {}", super::print::figure(name, *value)))
        .collect();
    format!("{} (others had {:.0} % of the machine)", figures.join(", "), sample.others * 100.0)
}
