//! How people name a snapshot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{JobName, Sequence, Tag};
use crate::log::SnapshotId;
use crate::{Error, Result};

/// A snapshot as a person or a log entry names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SnapshotAddress {
    /// `JOB@42`: an entry of a job's log.
    Entry(SnapshotId),
    /// `JOB@latest`: the newest snapshot of a job, whoever asked for it.
    Latest(JobName),
    /// `JOB#tag`: a snapshot that was given a name.
    Tagged(JobName, Tag),
    /// The path or URL of an exported directory: anything that holds a `/`, begins with a `.`, or has neither `@` nor
    /// `#`.
    Directory(String),
}

impl FromStr for SnapshotAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let help = || {
            let given: String = text.chars().take(120).collect();
            Error::InvalidInput(format!(
                "{given:?} does not name a snapshot; use JOB@42, JOB@latest, JOB#tag, or a path such as ./directory"
            ))
        };
        if text.contains(['/', '\\']) || text.starts_with('.') {
            return Ok(SnapshotAddress::Directory(text.to_owned()));
        }
        if let Some((job, tag)) = text.split_once('#') {
            return Ok(SnapshotAddress::Tagged(job.parse()?, tag.parse()?));
        }
        let (job, at) = match text.split_once('@') {
            Some(parts) => parts,
            None if text.is_empty() => return Err(help()),
            None => return Ok(SnapshotAddress::Directory(text.to_owned())),
        };
        let job: JobName = job.parse()?;
        if at == "latest" {
            return Ok(SnapshotAddress::Latest(job));
        }
        let digits = !at.is_empty() && at.bytes().all(|b| b.is_ascii_digit());
        let sequence = digits.then(|| at.parse().ok()).flatten().map(Sequence).ok_or_else(help)?;
        Ok(SnapshotAddress::Entry(SnapshotId { job, sequence }))
    }
}

impl fmt::Display for SnapshotAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotAddress::Entry(id) => id.fmt(f),
            SnapshotAddress::Latest(job) => write!(f, "{job}@latest"),
            SnapshotAddress::Tagged(job, tag) => write!(f, "{job}#{tag}"),
            SnapshotAddress::Directory(path) => f.write_str(path),
        }
    }
}

impl TryFrom<String> for SnapshotAddress {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SnapshotAddress> for String {
    fn from(address: SnapshotAddress) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_written() {
        for text in
            ["flights@42", "flights@latest", "a.b-c#v1.0", "./dir", "dir", "/a/b", "s3://bucket/x", "a/b@42"]
        {
            assert_eq!(text.parse::<SnapshotAddress>().unwrap().to_string(), text);
        }
        assert!(matches!("a/b@42".parse(), Ok(SnapshotAddress::Directory(_))));
    }

    #[test]
    fn what_names_nothing_says_how_to_name_something() {
        for text in ["", "flights@", "flights@x", "flights@-1", "flights@+1", "@1", "a b@1", "a#"] {
            let error = text.parse::<SnapshotAddress>().unwrap_err();
            assert!(matches!(error, Error::InvalidInput(_)), "{text}: {error}");
        }
    }
}
