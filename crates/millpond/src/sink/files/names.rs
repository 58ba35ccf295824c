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
}

/// The stage and the run of a file, if it is one of `job`.
pub(super) fn of_job(name: &str, job: &str) -> Option<(Stage, u64)> {
    let (name, stage) = match name.strip_prefix('.') {
        None => (name, Stage::Committed),
        Some(hidden) => match hidden.strip_suffix(".pending") {
            Some(name) => (name, Stage::Pending),
            None => (hidden.strip_suffix(".writing")?, Stage::Writing),
        },
    };
    let numbers = name.strip_prefix("part-")?.strip_prefix(job)?.strip_prefix('-')?;
    let (numbers, _extension) = numbers.split_once('.')?;
    // The name of another job may begin with that of this one.
    let numbers: Vec<u64> = numbers.split('-').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let expected = if stage == Stage::Writing { 2 } else { 3 };
    (numbers.len() == expected).then(|| (stage, numbers[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        let name = Part { job: "a-b", run: 7, epoch: 12, subtask: 3 }.committed("jsonl");
        assert_eq!(name, "part-a-b-000007-00000012-003.jsonl");
        assert_eq!(of_job(&name, "a-b"), Some((Stage::Committed, 7)));
        assert_eq!(of_job(&pending(&name), "a-b"), Some((Stage::Pending, 7)));
        assert_eq!(of_job(&writing("a-b", 7, 3, "jsonl"), "a-b"), Some((Stage::Writing, 7)));
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
