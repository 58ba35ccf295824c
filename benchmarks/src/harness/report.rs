//! Medians over the rounds, ratios within them, and whether the targets are met.

use serde::{Deserialize, Serialize};

use super::{Benchmark, Sample, Settings, Target};
use crate::machine::Machine;

/// All samples of a subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubjectReport {
    pub name: String,
    pub samples: Vec<Sample>,
}

impl SubjectReport {
    /// The names of its figures.
    pub fn figures(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.samples.iter().flat_map(|sample| sample.figures.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn values(&self, figure: &str) -> Vec<f64> {
        self.samples.iter().filter_map(|sample| sample.figures.get(figure).copied()).collect()
    }

    /// The spread of a figure over the rounds.
    pub fn spread(&self, figure: &str) -> Option<Spread> {
        Spread::of(self.values(figure))
    }
}

/// Least, median and greatest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub greatest: f64,
}

impl Spread {
    /// Of some values; none, if there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Spread { least, median, greatest })
    }
}

/// How a target stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    pub target: Target,
    pub found: Spread,
    pub met: bool,
}

/// What came of a benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub benchmark: String,
    pub about: String,
    pub taken_at: jiff::Timestamp,
    pub machine: Machine,
    pub flink: String,
    pub scale: f64,
    pub parallelism: usize,
    pub subjects: Vec<SubjectReport>,
    pub verdicts: Vec<Verdict>,
}

impl Report {
    pub(super) fn new(
        benchmark: &Benchmark,
        settings: &Settings,
        machine: Machine,
        subjects: Vec<SubjectReport>,
    ) -> Self {
        let verdicts = benchmark.targets.iter().filter_map(|target| verdict(target, &subjects)).collect();
        Report {
            benchmark: benchmark.name.to_owned(),
            about: benchmark.about.to_owned(),
            taken_at: jiff::Timestamp::now(),
            machine,
            flink: crate::flink::install::VERSION.to_owned(),
            scale: settings.scale,
            parallelism: settings.parallelism,
            subjects,
            verdicts,
        }
    }
}

/// `None` if somebody whom it needs did not take part.
fn verdict(target: &Target, subjects: &[SubjectReport]) -> Option<Verdict> {
    let values = |name: &String| subjects.iter().find(|s| s.name == *name).map(|s| s.values(&target.figure));
    let ours = values(&target.of)?;
    let found = match &target.to {
        None => Spread::of(ours)?,
        Some(other) => Spread::of(ours.iter().zip(values(other)?).map(|(ours, theirs)| ours / theirs).collect())?,
    };
    Some(Verdict { target: target.clone(), found, met: target.bound.holds(found.median) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Bound;

    fn subject(name: &str, values: &[f64]) -> SubjectReport {
        let samples = values.iter().map(|value| Sample::default().with("rate", *value)).collect();
        SubjectReport { name: name.to_owned(), samples }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 3.0, 2.0]).map(|s| s.median), Some(2.5));
        assert_eq!(
            Spread::of(vec![5.0, 1.0, 9.0]).map(|s| (s.least, s.median, s.greatest)),
            Some((1.0, 5.0, 9.0))
        );
        assert_eq!(Spread::of(vec![]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine became half as fast for everybody; the ratio does not show it.
        let subjects = [subject("a", &[100.0, 50.0, 100.0]), subject("b", &[10.0, 5.0, 20.0])];
        let target = Target::ratio("rate", "a", "b", Bound::AtLeast(8.0));
        let verdict = verdict(&target, &subjects).unwrap();
        assert_eq!(verdict.found, Spread { least: 5.0, median: 10.0, greatest: 10.0 });
        assert!(verdict.met);
    }

    #[test]
    fn a_target_that_names_an_absent_subject_has_no_verdict() {
        let target = Target::ratio("rate", "a", "c", Bound::AtLeast(8.0));
        assert!(verdict(&target, &[subject("a", &[1.0])]).is_none());
    }
}
