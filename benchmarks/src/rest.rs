//! Flink's REST interface, which both sides speak.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where it listens.
#[derive(Clone)]
pub struct Rest {
    base: String,
    agent: ureq::Agent,
}

impl Rest {
    /// At this URL.
    pub fn at(base: String) -> Self {
        let config =
            ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build();
        Rest { base, agent: config.into() }
    }

    /// What is there.
    pub fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let mut answer = self.agent.get(&url).call().with_context(|| url.clone())?;
        let text = answer.body_mut().read_to_string()?;
        if !answer.status().is_success() {
            bail!("{url}: {}: {text}", answer.status());
        }
        serde_json::from_str(&text).with_context(|| format!("{url}: {text}"))
    }

    /// Asks for something.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let mut answer = self.agent.post(&url).send_json(body).with_context(|| url.clone())?;
        let text = answer.body_mut().read_to_string()?;
        if !answer.status().is_success() {
            bail!("{url}: {}: {text}", answer.status());
        }
        serde_json::from_str(&text).with_context(|| format!("{url}: {text}"))
    }

    /// Ends a job without a savepoint.
    pub fn cancel(&self, job: &str) -> Result<()> {
        let url = format!("{}/jobs/{job}?mode=cancel", self.base);
        self.agent.patch(&url).send_empty().with_context(|| url.clone())?;
        Ok(())
    }

    /// Takes a savepoint; where it is, and how long that took from asking to being told that it is there.
    pub fn savepoint(&self, job: &str, format: &str, patience: Duration) -> Result<(String, Duration)> {
        let asked = Instant::now();
        let answer = self.post(&format!("/jobs/{job}/savepoints"), &json!({ "formatType": format }))?;
        let id =
            answer["request-id"].as_str().context("a savepoint was asked for, and no id was given")?.to_owned();
        while asked.elapsed() < patience {
            let status = self.get(&format!("/jobs/{job}/savepoints/{id}"))?;
            if status["status"]["id"] == "COMPLETED" {
                return match status["operation"]["location"].as_str() {
                    Some(location) => Ok((location.to_owned(), asked.elapsed())),
                    None => bail!("the savepoint failed: {status}"),
                };
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("no savepoint within {} s", patience.as_secs())
    }
}
