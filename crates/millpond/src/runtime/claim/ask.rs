//! Asking the run that the log says has not ended whether it lives.
//!
//! Its start entry says where its control server listens. Whoever answers there may be anybody: the answer counts only if
//! it names the same job, the same run and the same id.

use std::net::SocketAddr;
use std::time::Duration;

use millpond_snapshot::JobName;
use millpond_snapshot::log::{Entry, EntryBody};
use serde::Deserialize;

use super::Holder;

/// Under which a start entry says who its run is.
pub(crate) const RUN_ID: &str = "id";
pub(crate) const RUN_HOST: &str = "host";
pub(crate) const RUN_PID: &str = "pid";
pub(crate) const RUN_CONTROL: &str = "control";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest answer that is read.
const ANSWER_BYTES: u64 = 4 << 20;

/// The newest run that has not ended, as its start entry describes it.
pub(crate) fn unended(entries: &[Entry]) -> Option<Holder> {
    let start = entries.iter().rev().find(|entry| matches!(entry.body, EntryBody::Start { .. }))?;
    if entries.iter().any(|entry| entry.run == start.sequence && entry.ends_run()) {
        return None;
    }
    let EntryBody::Start { options, .. } = &start.body else { return None };
    let option = |name: &str| options.get(name).cloned();
    Some(Holder {
        id: option(RUN_ID).unwrap_or_default(),
        run: Some(start.sequence.0),
        host: option(RUN_HOST),
        pid: option(RUN_PID).and_then(|pid| pid.parse().ok()),
        control: option(RUN_CONTROL),
        since: Some(start.time),
    })
}

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    jid: String,
    name: String,
    run: u64,
    state: String,
}

impl Answer {
    fn is_of(&self, run: &Holder, job: &JobName) -> bool {
        let over = ["FINISHED", "CANCELED", "FAILED"].contains(&self.state.as_str());
        !over && self.jid == run.id && self.name == job.as_str() && Some(self.run) == run.run
    }
}

/// Whether the run answers at its control server.
pub(super) async fn is_live(run: &Holder, job: &JobName) -> bool {
    let Some(address) = run.control.as_deref().and_then(reachable) else { return false };
    let (url, run, job) = (format!("http://{address}/jobs/{}", run.id), run.clone(), job.clone());
    let asked = tokio::task::spawn_blocking(move || ask(&url));
    matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(Some(answer))) if answer.is_of(&run, &job))
}

/// Where a server can be asked that listens at `address`. One that listens everywhere is asked on this machine: on
/// another it could only be found by a name, which it refuses.
fn reachable(address: &str) -> Option<SocketAddr> {
    let mut address: SocketAddr = address.parse().ok()?;
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    Some(address)
}

fn ask(url: &str) -> Option<Answer> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).proxy(None).build();
    let mut answer = ureq::Agent::new_with_config(config).get(url).call().ok()?;
    answer.body_mut().with_config().limit(ANSWER_BYTES).read_json().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use millpond_snapshot::Sequence;

    use super::*;

    fn entry(sequence: u64, run: u64, body: EntryBody) -> Entry {
        Entry::new("j".parse().unwrap(), Sequence(sequence), Sequence(run), body).unwrap()
    }

    fn start(sequence: u64) -> Entry {
        let options = [(RUN_ID, "abc"), (RUN_PID, "7"), (RUN_CONTROL, "127.0.0.1:1")];
        let options: BTreeMap<_, _> = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        entry(sequence, sequence, EntryBody::Start { parallelism: 1, restored_from: None, options })
    }

    #[test]
    fn the_newest_run_has_not_ended_unless_an_entry_of_its_own_says_so() {
        assert_eq!(unended(&[]), None);
        let cancel = |sequence, run| entry(sequence, run, EntryBody::Cancel { retained: false });
        let failure = entry(4, 3, EntryBody::Failure { operator: None, reason: "x".into(), restart: false });
        let found = unended(&[start(1), cancel(2, 1), start(3), failure]).unwrap();
        assert_eq!((found.run, found.id.as_str(), found.pid), (Some(3), "abc", Some(7)));
        assert_eq!(found.control.as_deref(), Some("127.0.0.1:1"));
        assert_eq!(unended(&[start(1), start(3), cancel(4, 3)]), None);
    }

    #[test]
    fn an_answer_counts_if_it_names_the_same_job_run_and_id_and_is_not_over() {
        let run = unended(&[start(3)]).unwrap();
        let job = "j".parse().unwrap();
        let answer = |jid: &str, name: &str, run, state: &str| Answer {
            jid: jid.into(),
            name: name.into(),
            run,
            state: state.into(),
        };
        assert!(answer("abc", "j", 3, "RUNNING").is_of(&run, &job));
        assert!(answer("abc", "j", 3, "RESTARTING").is_of(&run, &job));
        for other in [
            answer("abd", "j", 3, "RUNNING"),
            answer("abc", "k", 3, "RUNNING"),
            answer("abc", "j", 4, "RUNNING"),
            answer("abc", "j", 3, "FAILED"),
            answer("abc", "j", 3, "FINISHED"),
        ] {
            assert!(!other.is_of(&run, &job));
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        assert_eq!(reachable("0.0.0.0:80"), "127.0.0.1:80".parse().ok());
        assert_eq!(reachable("[::]:80"), "[::1]:80".parse().ok());
        assert_eq!(reachable("10.0.0.1:80"), "10.0.0.1:80".parse().ok());
        assert_eq!(reachable("blue:80"), None);
    }
}
