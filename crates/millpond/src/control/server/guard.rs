//! Who may ask.
//!
//! A page in a browser can send requests to loopback in two ways, and both are refused: straight (the browser
//! then adds `Origin`), and through a name of its own that it points at this machine (then `Host` has that name).

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::reply::Refused;

/// Lets a request pass, or refuses it.
pub(super) async fn guard(
    State(listening): State<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<Response, Refused> {
    check(listening, request.headers())?;
    Ok(next.run(request).await)
}

fn check(listening: SocketAddr, headers: &HeaderMap) -> Result<(), Refused> {
    if headers.contains_key(header::ORIGIN) {
        return Err(Refused::forbidden("requests from web pages are refused: a page must not steer a job"));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if host_is_ours(listening.ip(), host) {
        return Ok(());
    }
    Err(Refused::forbidden(format!(
        "the host {host:?} is refused, because any web page may take a name and point it here: use http://{listening} \
         or http://localhost:{}",
        listening.port()
    )))
}

/// Whether `Host` is a name that nobody else can point here.
fn host_is_ours(listening: IpAddr, host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    // Only names can be pointed elsewhere, so where every address of the machine is listened on, each may be used.
    bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == listening || listening.is_unspecified())
}

/// What to tell whoever lets others than this machine reach the server.
pub(super) fn warning(listening: SocketAddr) -> Option<String> {
    (!listening.ip().is_loopback()).then(|| {
        format!(
            "the control server listens at {listening} and knows no passwords: whoever reaches it may stop this job; let only \
             those near whom you trust, or listen on loopback (--listen 127.0.0.1:{})",
            listening.port()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_others_reach_it_is_it_worth_a_warning() {
        for own in ["127.0.0.1:8081", "127.9.9.9:1", "[::1]:8081"] {
            assert_eq!(warning(own.parse().unwrap()), None, "{own}");
        }
        for open in ["0.0.0.0:8081", "[::]:8081", "10.0.0.1:8081", "[fe80::1]:8081"] {
            let warning = warning(open.parse().unwrap()).expect(open);
            assert!(warning.contains(open) && warning.contains("--listen 127.0.0.1:8081"), "{warning}");
        }
    }

    #[test]
    fn only_loopback_and_the_address_itself_are_ours() {
        let loopback = "127.0.0.1".parse().unwrap();
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.9.9.9", "[::1]:8081"] {
            assert!(host_is_ours(loopback, host), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example:8081", "10.0.0.1", "127.0.0.1.evil.example", "a b"]
        {
            assert!(!host_is_ours(loopback, host), "{host}");
        }
    }

    #[test]
    fn an_address_may_be_used_where_it_is_listened_on_but_no_name() {
        let (one, all) = ("10.0.0.1".parse().unwrap(), "0.0.0.0".parse().unwrap());
        assert!(host_is_ours(one, "10.0.0.1:8081"));
        assert!(!host_is_ours(one, "10.0.0.2:8081"));
        assert!(host_is_ours(all, "10.0.0.2:8081"));
        assert!(!host_is_ours(all, "job.example:8081"));
    }
}
