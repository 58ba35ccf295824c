//! Who runs a job.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A run, and where it runs. Also the content of a lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Holder {
    /// 32 hexadecimal digits that no other run has.
    pub(crate) id: String,
    /// The sequence of its start entry, once it has one.
    pub(crate) run: Option<u64>,
    pub(crate) host: Option<String>,
    pub(crate) pid: Option<u32>,
    /// Where its control server listens.
    pub(crate) control: Option<String>,
    pub(crate) since: Option<Timestamp>,
}

impl Holder {
    /// This process.
    pub(crate) fn this(id: String, control: Option<String>) -> Self {
        Holder {
            id,
            run: None,
            host: Some(gethostname::gethostname().to_string_lossy().into_owned()),
            pid: Some(std::process::id()),
            control,
            since: Some(Timestamp::now()),
        }
    }

    fn describe(&self) -> String {
        let mut text = match self.run {
            Some(run) => format!("run {run}"),
            None => "a run that is starting".to_owned(),
        };
        if let Some(since) = self.since {
            // To the second: it is for people.
            text.push_str(&format!(", since {since:.0}"));
        }
        if let Some(pid) = self.pid {
            text.push_str(&format!(", process {pid}"));
        }
        if let Some(host) = &self.host {
            text.push_str(&format!(" on {host}"));
        }
        match &self.control {
            Some(control) => text.push_str(&format!(", control server at http://{control}")),
            None => text.push_str(", without a control server"),
        }
        text
    }

    /// Why another run of the job is refused, and what can be done.
    pub(crate) fn refusal(&self, job: &str, store: &str) -> String {
        let end = match &self.control {
            Some(control) => format!(
                "stop it with a savepoint (millpond stop {job} --address http://{control}) or cancel it (millpond cancel \
                 {job} --address http://{control})"
            ),
            None => "end it (Ctrl-C, or kill the process: it goes on from its newest checkpoint)".to_owned(),
        };
        format!(
            "job '{job}' is running already in store {store}: {}\n{end}; run this beside it under another --name; or take \
             over with --take-over: the other run then ends as soon as it wants to write to the job's log",
            self.describe()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_since_when_where_and_what_to_do() {
        let holder = Holder {
            id: "a".into(),
            run: Some(7),
            host: Some("blue".into()),
            pid: Some(42),
            control: Some("127.0.0.1:8081".into()),
            since: Some("2026-11-24T10:00:00.123Z".parse().unwrap()),
        };
        let text = holder.refusal("flights", "./store");
        for part in [
            "'flights'",
            "./store",
            "run 7, since 2026-11-24T10:00:00Z, process 42 on blue, control server at http://127.0.0.1:8081",
            "millpond stop flights --address http://127.0.0.1:8081",
            "millpond cancel flights",
            "another --name",
            "--take-over",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let unknown = Holder::default().refusal("flights", "./store");
        assert!(unknown.contains("a run that is starting, without a control server"), "{unknown}");
    }
}
