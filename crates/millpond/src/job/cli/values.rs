//! One value each: what a flag takes, and what is said of anything else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use millpond_snapshot::{OperatorUid, StateName};

use crate::job::options::Listen;
use crate::source::{PositionError, SourcePosition};

/// Where the control server listens if nothing is said: Flink's port.
pub(super) const LISTEN: &str = "127.0.0.1:8081";

/// Longer is a slip, and would overflow where durations are added to the time of day.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A duration with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("'{text}' has no unit: write {text}s, {text}ms or {text}m"));
    }
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}: write a number and a unit, such as 500ms, 10s, 5m or 48h"))?;
    if duration > LONGEST {
        return Err("is longer than 10 years".to_owned());
    }
    Ok(duration)
}

/// A duration that is not zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// A number of bytes, with or without a unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.0 > 0 => Ok(size.0),
        Ok(_) => Err("must be more than nothing".to_owned()),
        Err(_) => Err("expected a number and a unit, such as 512MiB, 4GiB or 2GB".to_owned()),
    }
}

/// Where to listen: an IP address and a port, `localhost:PORT`, or `off`.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    if text == "off" {
        return Ok(Listen::Off);
    }
    let address = match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => text.parse().ok(),
    };
    match address {
        Some(address) => Ok(Listen::At(address.to_string())),
        None => {
            Err("expected an IP address and a port, such as 127.0.0.1:8081 (port 0: any free one), or off"
                .to_owned())
        }
    }
}

/// `HOST:PORT`, where other processes can reach it.
pub(super) fn host(text: &str) -> Result<String, String> {
    let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let host_ok =
            !host.is_empty() && !host.contains(char::is_whitespace) && (bracketed || !host.contains(':'));
        host_ok && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if valid { Ok(text.to_owned()) } else { Err("expected HOST:PORT, such as 10.0.0.1:7000".to_owned()) }
}

/// `OLD=NEW`: two uids.
pub(super) fn uid_pair(text: &str) -> Result<(String, String), String> {
    let (old, new) =
        text.split_once('=').ok_or("expected OLD=NEW: the uid in the snapshot, and the one in the job")?;
    Ok((uid(old)?, uid(new)?))
}

/// `UID=POSITION`. A uid may have a `=` in it: the last one counts.
pub(super) fn source_position(text: &str) -> Result<(String, SourcePosition), String> {
    let (source, position) =
        text.rsplit_once('=').ok_or("expected UID=POSITION: a source's uid, and where it begins")?;
    Ok((uid(source)?, position.parse().map_err(|error: PositionError| error.to_string())?))
}

/// `UID` or `UID/STATE`. The last `/` counts, so a uid that has one is followed by another.
pub(super) fn uid_and_state(text: &str) -> Result<(String, Option<String>), String> {
    match text.rsplit_once('/') {
        None => Ok((uid(text)?, None)),
        Some((operator, "")) => Ok((uid(operator)?, None)),
        Some((operator, state)) => {
            let state = StateName::new(state).map_err(|error| error.to_string())?;
            Ok((uid(operator)?, Some(state.into())))
        }
    }
}

fn uid(text: &str) -> Result<String, String> {
    OperatorUid::new(text).map(String::from).map_err(|error| error.to_string())
}
