//! A report for people.

use comfy_table::{Table, presets};

use super::report::{Report, Spread};
use super::{Bound, Target};

/// A figure as its name says it is meant.
pub(super) fn figure(name: &str, value: f64) -> String {
    let unit = name.rsplit('_').next().unwrap_or_default();
    match unit {
        _ if name.ends_with("bytes") => format!("{:.1} MB", value / 1e6),
        "ratio" => format!("{value:.4}"),
        "ms" => format!("{value:.1} ms"),
        "seconds" => format!("{value:.3} s"),
        _ if name.ends_with("per_second") => format!("{:.2} M/s", value / 1e6),
        _ => format!("{value:.1}"),
    }
}

fn spread(name: &str, spread: Spread) -> String {
    format!("{} ({} – {})", figure(name, spread.median), figure(name, spread.least), figure(name, spread.greatest))
}

fn bound(target: &Target) -> String {
    let (sign, value) = match target.bound {
        Bound::AtLeast(value) => ("≥", value),
        Bound::AtMost(value) => ("≤", value),
    };
    match &target.to {
        Some(other) => format!("{} of {} {sign} {value:.3} × {other}", target.figure, target.of),
        None => format!("{} of {} {sign} {}", target.figure, target.of, figure(&target.figure, value)),
    }
}

impl Report {
    /// Medians, with the least and the greatest, and how the targets stand.
    pub fn render(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["", "figure", "median (least – greatest)"]);
        for subject in &self.subjects {
            let mut name = subject.name.as_str();
            for figure in subject.figures() {
                if let Some(found) = subject.spread(&figure) {
                    table.add_row([name, &figure, &spread(&figure, found)]);
                    name = "";
                }
            }
        }
        let machine = &self.machine;
        let mut text = format!(
            "{}: {}\n{} at {}; {} cores of {}, {:.0} GB, Linux {}; Millpond {} ({}), Flink {}, {}, {} workers, {} rounds\n{table}\n",
            self.benchmark,
            self.about,
            if self.scale == 1.0 { "in full".to_owned() } else { format!("scaled by {}", self.scale) },
            self.taken_at,
            machine.cores,
            machine.processor,
            machine.memory_bytes as f64 / 1e9,
            machine.kernel,
            machine.millpond,
            machine.commit,
            self.flink,
            machine.rustc,
            self.parallelism,
            self.subjects.iter().map(|subject| subject.samples.len()).max().unwrap_or(0),
        );
        for verdict in &self.verdicts {
            let name = &verdict.target.figure;
            let found = match verdict.target.to {
                Some(_) => format!(
                    "{:.3} ({:.3} – {:.3})",
                    verdict.found.median, verdict.found.least, verdict.found.greatest
                ),
                None => spread(name, verdict.found),
            };
            let word = if verdict.met { "met   " } else { "missed" };
            text.push_str(&format!("{word}  {}: {found}\n", bound(&verdict.target)));
        }
        text
    }
}
