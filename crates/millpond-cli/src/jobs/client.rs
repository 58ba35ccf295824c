//! Requests to a control server.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::failure::Failure;
use crate::output::plain;
use crate::user::user;

/// Longer than a job takes to say whether it will do what it is asked.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads `--address`; `http://` may be left out.
pub(super) fn address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    if rest.is_empty() || rest.contains("://") || rest.contains(|c: char| c.is_whitespace() || c == '/') {
        return Err("expected http://HOST:PORT, such as http://127.0.0.1:8081".to_owned());
    }
    Ok(format!("http://{rest}"))
}

/// The control server at one address.
pub(super) struct Client {
    address: String,
    agent: Agent,
}

/// How the server says no.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

impl Client {
    pub(super) fn new(address: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The job is near; a proxy for the web would look for it elsewhere.
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("millpond/", env!("CARGO_PKG_VERSION")))
            .build();
        Client { address: address.to_owned(), agent: config.into() }
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.read(self.agent.get(self.url(path)).call())
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.read(self.agent.post(self.url(path)).header("x-requested-by", user()).send_json(body))
    }

    pub(super) fn patch(&self, path: &str) -> Result<Value, Failure> {
        self.read(self.agent.patch(self.url(path)).header("x-requested-by", user()).send_empty())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn read<T: DeserializeOwned>(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<T, Failure> {
        let mut answer = answer
            .map_err(|error| Failure::Unreachable { address: self.address.clone(), reason: error.to_string() })?;
        let not_understood = |reason: String| Failure::NotUnderstood { address: self.address.clone(), reason };
        let status = answer.status();
        let body = answer.body_mut().read_to_vec().map_err(|error| not_understood(error.to_string()))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| not_understood(error.to_string()));
        }
        match serde_json::from_slice::<Errors>(&body) {
            Ok(Errors { errors }) => Err(Failure::Refused(plain(&errors.join("; ")))),
            Err(_) => Err(not_understood(format!("status {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_may_leave_out_what_goes_without_saying() {
        for text in ["http://h:1", "http://h:1/", "h:1"] {
            assert_eq!(address(text).as_deref(), Ok("http://h:1"), "{text}");
        }
        for text in ["", "http://", "https://h:1", "ftp://h", "http://h:1/jobs", "h 1"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
