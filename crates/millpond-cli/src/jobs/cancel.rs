//! `millpond cancel`

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use super::{Connection, Job};
use crate::failure::Failure;
use crate::output::{Waiting, print, print_json};

const POLL: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    job: Job,
    /// Do not wait until the job has ended
    #[arg(long)]
    detached: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct Details {
    state: String,
}

impl Cancel {
    pub(super) fn run(self) -> Result<(), Failure> {
        let client = Client::new(&self.connection.address);
        let job = self.job.job.as_str();
        client.patch(&format!("/jobs/{job}?mode=cancel"))?;
        let status = if self.detached { "CANCELLING" } else { wait(&client, job)? };
        if self.connection.json {
            return print_json(&json!({ "job": job, "status": status }));
        }
        let done = if self.detached { "is being cancelled" } else { "is cancelled" };
        print(&format!("'{job}' {done}."))
    }
}

/// Returns when the job has ended: it says so, or it is gone.
fn wait(client: &Client, job: &str) -> Result<&'static str, Failure> {
    let _waiting = Waiting::new(format!("Cancelling '{job}'"));
    loop {
        match client.get::<Details>(&format!("/jobs/{job}")) {
            Ok(Details { state }) if state == "CANCELED" => return Ok("CANCELED"),
            Ok(Details { state }) if state == "FINISHED" || state == "FAILED" => {
                return Err(Failure::Refused(format!(
                    "'{job}' ended by itself before it could be cancelled: {state}"
                )));
            }
            Ok(_) => sleep(POLL),
            Err(Failure::Unreachable { .. }) => return Ok("CANCELED"),
            Err(failure) => return Err(failure),
        }
    }
}
