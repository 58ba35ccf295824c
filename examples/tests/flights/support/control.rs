//! A job's control server, by its REST paths.

use std::process::Command;

use serde_json::{Value, json};

use super::binary;
use super::run::{Ended, Run};
use super::until;

/// The control server of a job.
pub(crate) struct Control {
    job: String,
    address: String,
}

impl Control {
    pub(crate) fn new(job: &str, address: &str) -> Self {
        Control { job: job.to_owned(), address: address.to_owned() }
    }

    /// The URL of the job, or of a path below it.
    fn url(&self, path: &str) -> String {
        format!("{}/jobs/{}{path}", self.address, self.job)
    }

    /// The answer to a GET; `None` if nobody answers.
    fn get(&self, path: &str) -> Option<Value> {
        ureq::get(self.url(path)).call().ok()?.body_mut().read_json().ok()
    }

    /// Whether the job takes requests.
    pub(crate) fn is_running(&self) -> bool {
        self.get("").is_some_and(|job| job["state"] == "RUNNING")
    }

    /// How many records the sources have read in this run.
    pub(crate) fn records_read(&self) -> u64 {
        self.get("").and_then(|job| job["records-read"].as_u64()).unwrap_or(0)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = self.url(path);
        let mut answer = ureq::post(&url).send_json(body).unwrap_or_else(|error| panic!("POST {url}: {error}"));
        answer.body_mut().read_json().unwrap()
    }

    /// Takes a savepoint, and gives its address once it is there.
    pub(crate) fn savepoint(&self, tag: Option<&str>) -> String {
        self.outcome(&self.post("/savepoints", &json!({ "tag": tag })))
    }

    /// Lets the job take a savepoint and end, and gives the savepoint's address. The answer must be there even if the
    /// job has ended by then.
    pub(crate) fn stop(&self, drain: bool) -> String {
        self.outcome(&self.post("/stop", &json!({ "drain": drain })))
    }

    fn outcome(&self, trigger: &Value) -> String {
        let request = trigger["request-id"].as_str().unwrap_or_else(|| panic!("no request-id in {trigger}"));
        until("the savepoint", || {
            let status = self.get(&format!("/savepoints/{request}")).expect("the control server answers");
            if status["status"]["id"] != "COMPLETED" {
                return None;
            }
            let location = status["operation"]["location"].as_str();
            Some(location.unwrap_or_else(|| panic!("the savepoint failed: {status}")).to_owned())
        })
    }

    /// Asks the job to end.
    pub(crate) fn cancel(&self) {
        let url = self.url("?mode=cancel");
        ureq::patch(&url).send_empty().unwrap_or_else(|error| panic!("PATCH {url}: {error}"));
    }

    /// Runs the `millpond` command on this job, with these arguments, separated by blanks.
    pub(crate) fn command(&self, arguments: &str) -> Ended {
        let mut command = Command::new(binary::millpond());
        command.args(arguments.split_whitespace()).arg("--address").arg(&self.address);
        Run::start(command).wait()
    }
}
