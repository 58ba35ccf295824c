//! The names of part files, made and read.

/// What identifies a part file that has been prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) job: &'a str,
    pub(super) run: u64,
    pub(super) epoch: u64,
    pub(super) subtask: usize,
}

impl Part<'_> {
    /// The name that readers see. Names of a job sort by run, epoch and subtask.
    pub(super) fn committed(&self, extension: &str) -> String {
        let Part { job, run, epoch, subtask } = self;
        format!("part-{job}-{run:06}-{epoch:08}-{subtask:03}.{extension}")
    }
}

/// The name of a file that is prepared and will be called `committed`.
pub(super) fn pending(committed: &str) -> String {
    format!(".{committed}.pending")
}

/// The name of the file that a subtask writes.
pub(super) fn writing(job: &str, run: u64, subtask: usize, extension: &str) -> String {
    format!(".part-{job}-{run:06}-{subtask:03}.{extension}.writing")
}

/// What became of a file that the sink made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Writing,
    Pending,
    Committed,
    /// Committed once, and part of a history that was left.
    Superseded,
}

/// A file that the sink made, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) stage: Stage,
    pub(super) run: u64,
    /// Not known while it is being written.
    pub(super) epoch: Option<u64>,
}

/// The name of a committed file that readers are not to see any more.
pub(super) fn superseded(committed: &str) -> String {
    format!(".{committed}.superseded")
}

/// The name under which readers see a file that was superseded.
pub(super) fn shown(superseded: &str) -> Option<&str> {
    superseded.strip_prefix('.')?.strip_suffix(".superseded")
}

/// What a file is, if it is one of `job`.
pub(super) fn of_job(name: &str, job: &str) -> Option<Found> {
    let (name, stage) = match name.strip_prefix('.') {
        None => (name, Stage::Committed),
        Some(hidden) => match hidden.rsplit_once('.')? {
            (name, "pending") => (name, Stage::Pending),
            (name, "superseded") => (name, Stage::Superseded),
            (name, "writing") => (name, Stage::Writing),
            _ => return None,
        },
    };
    let numbers = name.strip_prefix("part-")?.strip_prefix(job)?.strip_prefix('-')?;
    let (numbers, _extension) = numbers.split_once('.')?;
    // The name of another job may begin with that of this one.
    let numbers: Vec<u64> = numbers.split('-').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let expected = if stage == Stage::Writing { 2 } else { 3 };
    let epoch = numbers.get(1).copied().filter(|_| stage != Stage::Writing);
    (numbers.len() == expected).then(|| Found { stage, run: numbers[0], epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        let name = Part { job: "a-b", run: 7, epoch: 12, subtask: 3 }.committed("jsonl");
        assert_eq!(name, "part-a-b-000007-00000012-003.jsonl");
        let found = |stage, epoch| Some(Found { stage, run: 7, epoch });
        assert_eq!(of_job(&name, "a-b"), found(Stage::Committed, Some(12)));
        assert_eq!(of_job(&pending(&name), "a-b"), found(Stage::Pending, Some(12)));
        assert_eq!(of_job(&superseded(&name), "a-b"), found(Stage::Superseded, Some(12)));
        assert_eq!(shown(&superseded(&name)), Some(name.as_str()));
        assert_eq!(of_job(&writing("a-b", 7, 3, "jsonl"), "a-b"), found(Stage::Writing, None));
    }

    #[test]
    fn files_of_others_are_not_taken_for_those_of_the_job() {
        let of_other = Part { job: "a-000001", run: 7, epoch: 12, subtask: 3 }.committed("jsonl");
        for name in
            [of_other.as_str(), "part-a-notes.jsonl", "part-a.jsonl", "part-a-1-2.csv", ".part-a-1-2-3.csv", ""]
        {
            assert_eq!(of_job(name, "a"), None, "{name}");
        }
    }
}
