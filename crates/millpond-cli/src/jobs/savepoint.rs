//! `millpond savepoint` and `millpond stop`: both ask for a savepoint and wait for it.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use millpond_snapshot::Tag;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::{Connection, Job};
use crate::failure::Failure;
use crate::output::{Waiting, plain, print, print_json};

/// How often the job is asked whether it is done. A job that has ended stays for some seconds to be asked.
const POLL: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Savepoint {
    #[command(flatten)]
    job: Job,
    #[command(flatten)]
    how: How,
    /// Keep the newest checkpoint as a savepoint, rather than take a new one
    #[arg(long)]
    latest: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    job: Job,
    /// First bring event time to its end, so that all windows and timers fire; the job cannot go on afterwards as if
    /// it had only been interrupted
    #[arg(short, long)]
    drain: bool,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
struct How {
    /// A name for the savepoint: it is then found as JOB#TAG
    #[arg(long)]
    tag: Option<Tag>,
    /// Do not wait until it is done; prints the id of the request
    #[arg(long, conflicts_with = "wait")]
    detached: bool,
    /// Wait until it is done, which is the default
    #[arg(long)]
    wait: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Accepted {
    request_id: String,
}

/// What has become of a request.
#[derive(Deserialize)]
struct Progress {
    status: Status,
    operation: Option<Operation>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Operation {
    location: Option<String>,
    failure_cause: Option<Cause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cause {
    stack_trace: String,
}

impl Savepoint {
    pub(super) fn run(self) -> Result<(), Failure> {
        let body = json!({ "tag": self.how.tag, "latest": self.latest });
        let what = format!("Taking a savepoint of '{}'", self.job.job);
        ask_and_wait("savepoints", &body, what, &self.job, &self.how, &self.connection)
    }
}

impl Stop {
    pub(super) fn run(self) -> Result<(), Failure> {
        let body = json!({ "tag": self.how.tag, "drain": self.drain });
        let what = format!("Stopping '{}' with a savepoint", self.job.job);
        ask_and_wait("stop", &body, what, &self.job, &self.how, &self.connection)
    }
}

fn ask_and_wait(
    verb: &str,
    body: &Value,
    what: String,
    job: &Job,
    how: &How,
    connection: &Connection,
) -> Result<(), Failure> {
    let client = Client::new(&connection.address);
    let job = job.job.as_str();
    let request = client.post::<Accepted>(&format!("/jobs/{job}/{verb}"), body)?.request_id;
    let told = |status: &str, key: &str, value: Option<&str>| {
        let mut line = json!({ "job": job, "request-id": request, "status": status });
        if let Some(value) = value {
            line[key] = json!(value);
        }
        print_json(&line)
    };
    if how.detached {
        return if connection.json { told("IN_PROGRESS", "", None) } else { print(&plain(&request)) };
    }
    match wait(&client, job, &request, &connection.address, what) {
        Ok(location) if connection.json => told("COMPLETED", "location", Some(&location)),
        Ok(location) => print(&plain(&location)),
        Err(failure) => {
            if let (true, Failure::Savepoint { reason, .. }) = (connection.json, &failure) {
                told("FAILED", "failure", Some(reason))?;
            }
            Err(failure)
        }
    }
}

/// The address of the savepoint, once there is one.
fn wait(client: &Client, job: &str, request: &str, address: &str, what: String) -> Result<String, Failure> {
    let _waiting = Waiting::new(what);
    loop {
        let progress: Progress = match client.get(&format!("/jobs/{job}/savepoints/{request}")) {
            Err(Failure::Unreachable { .. }) => {
                return Err(Failure::Unheard { job: job.to_owned(), request: plain(request) });
            }
            other => other?,
        };
        if progress.status.id == "IN_PROGRESS" {
            sleep(POLL);
            continue;
        }
        return match progress.operation {
            Some(Operation { location: Some(location), .. }) => Ok(location),
            Some(Operation { failure_cause: Some(cause), .. }) => {
                Err(Failure::Savepoint { job: job.to_owned(), reason: plain(&cause.stack_trace) })
            }
            _ => Err(Failure::NotUnderstood {
                address: address.to_owned(),
                reason: "a finished request with neither location nor failure".to_owned(),
            }),
        };
    }
}
