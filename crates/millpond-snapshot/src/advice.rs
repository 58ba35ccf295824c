//! The next step after a store failed, where the reason makes it plain; and the reason at a length that people read.

use std::error::Error as StdError;
use std::io;

/// The longest text of a store's that a message repeats. A proxy may answer with a whole page.
const REASON_CHARS: usize = 600;

type Cause<'a> = &'a (dyn StdError + 'static);

/// What to do, in brackets and with a blank before it; nothing if that is not plain.
pub(crate) fn advice(source: &(dyn StdError + Send + Sync + 'static)) -> &'static str {
    let causes = || causes(source);
    // Without credentials, clients ask the machine that they run on, and what they report is that it does not answer.
    let text = source.to_string();
    if ["169.254.169.254", "metadata.google.internal"].iter().any(|service| text.contains(service)) {
        return " (no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, or \
                AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY)";
    }
    causes()
        .find_map(system)
        .or_else(|| causes().find_map(network))
        .or_else(|| causes().find_map(service))
        .or_else(|| status(&text))
        .unwrap_or("")
}

fn causes<'a>(source: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    std::iter::successors(Some(source), |&cause| cause.source())
}

/// What a store said, on one line and cut where it gets long.
pub(crate) fn reason(source: &(dyn StdError + Send + Sync + 'static)) -> String {
    let text = source.to_string();
    let mut reason = String::new();
    for word in text.split_whitespace() {
        if !reason.is_empty() {
            reason.push(' ');
        }
        reason.push_str(word);
        if let Some((cut, _)) = reason.char_indices().nth(REASON_CHARS) {
            reason.truncate(cut);
            reason.push('…');
            break;
        }
    }
    reason
}

/// What the operating system of a store that is a directory said.
fn system(cause: Cause<'_>) -> Option<&'static str> {
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::PermissionDenied => Some(" (permission denied: give this user write access to the store)"),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some(" (the file system is read-only: remount it, or name another store)")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some(" (no space left: free some, `millpond snapshots gc` removes what nothing names)")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some(" (a file stands where a directory is needed)")
        }
        _ => None,
    }
}

/// What kept a request from being answered.
#[cfg(feature = "cloud")]
fn network(cause: Cause<'_>) -> Option<&'static str> {
    use object_store::client::{HttpError, HttpErrorKind};
    match cause.downcast_ref::<HttpError>()?.kind() {
        HttpErrorKind::Connect => Some(
            " (the store cannot be reached: check its address, AWS_ENDPOINT or its like, and the network, then try again)",
        ),
        HttpErrorKind::Timeout | HttpErrorKind::Interrupted | HttpErrorKind::Request => {
            Some(" (the store did not answer in time, or broke off: check the network, then try again)")
        }
        _ => None,
    }
}

#[cfg(not(feature = "cloud"))]
fn network(_: Cause<'_>) -> Option<&'static str> {
    None
}

/// How a service refused.
fn service(cause: Cause<'_>) -> Option<&'static str> {
    use object_store::Error as E;
    match cause.downcast_ref::<E>()? {
        E::Unauthenticated { .. } => Some(
            " (the store does not accept these credentials: check those in the environment, whether they have expired, and \
             the machine's clock)",
        ),
        E::PermissionDenied { .. } => Some(
            " (these credentials may not do that: give them read, write, list and delete on this bucket or container)",
        ),
        // What may be missing is treated as such: this is about what everything else stands in.
        E::NotFound { .. } => {
            Some(" (there is no such bucket, container or directory: create it, or check the address)")
        }
        E::NotImplemented { .. } | E::NotSupported { .. } => Some(
            " (the store cannot do that; a log needs writes that fail if the object exists: use a store that has conditional \
             put)",
        ),
        E::UnknownConfigurationKey { .. } => Some(" (mend the settings in the environment)"),
        _ => None,
    }
}

/// What the status of an answer means that has no error of its own.
fn status(text: &str) -> Option<&'static str> {
    if text.contains("redirect without LOCATION") {
        return Some(" (the bucket is in another region: set AWS_REGION)");
    }
    let (_, status) = text.split_once("status code: ")?;
    match status.get(..3)?.parse().ok()? {
        400u16 => {
            Some(" (the store does not understand the request: check AWS_REGION, AWS_ENDPOINT or their like)")
        }
        429 | 503 => Some(" (the store asks for fewer requests: try again later, or checkpoint less often)"),
        500..=599 => Some(" (the store is out of order: try again later)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use object_store::Error as E;

    use super::*;

    fn advise(error: impl StdError + Send + Sync + 'static) -> &'static str {
        advice(&error)
    }

    fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> E {
        E::Generic { store: "S3", source: source.into() }
    }

    #[test]
    fn each_reason_has_its_next_step() {
        let path = || "chunks/ab".to_owned();
        for (error, step) in [
            (E::Unauthenticated { path: path(), source: "expired".into() }, "credentials"),
            (E::PermissionDenied { path: path(), source: "403".into() }, "read, write, list and delete"),
            (E::NotFound { path: path(), source: "NoSuchBucket".into() }, "no such bucket"),
            (E::NotImplemented { operation: "put".into(), implementer: "x".into() }, "conditional put"),
            (generic("Server returned non-2xx status code: 503 Slow Down: "), "fewer requests"),
            (generic("Server returned non-2xx status code: 500 Oh: "), "out of order"),
            (generic("Server returned non-2xx status code: 400 Bad: "), "AWS_REGION"),
            (generic("Received redirect without LOCATION, this normally"), "another region"),
            (generic("Error performing PUT http://169.254.169.254/latest/api/token in 3s"), "AWS_ACCESS_KEY_ID"),
            (generic(io::Error::from(io::ErrorKind::StorageFull)), "no space left"),
        ] {
            let text = error.to_string();
            assert!(advise(error).contains(step), "{step}: {text}");
        }
        assert_eq!(advise(generic("status code: é")), "");
        assert_eq!(advise(generic(io::Error::from(io::ErrorKind::WouldBlock))), "");
    }

    #[cfg(feature = "cloud")]
    #[test]
    fn a_connection_that_is_refused_is_no_answer_of_the_operating_system() {
        use object_store::client::{HttpError, HttpErrorKind};
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let connect = generic(HttpError::new(HttpErrorKind::Connect, refused()));
        assert!(advise(connect).contains("cannot be reached"));
        let timeout = generic(HttpError::new(HttpErrorKind::Timeout, refused()));
        assert!(advise(timeout).contains("did not answer"));
    }

    #[test]
    fn a_page_for_an_answer_is_cut() {
        let page = format!("<html>\n\n  {}\n{}</html>", "é".repeat(10_000), "word ".repeat(10_000));
        let reason = reason(&generic(page));
        assert!(reason.starts_with("Generic S3 error: <html> é") && reason.ends_with('…'), "{reason}");
        assert_eq!(reason.chars().count(), REASON_CHARS + 1);
        assert_eq!(super::reason(&generic("short\n and whole")), "Generic S3 error: short and whole");
    }
}
