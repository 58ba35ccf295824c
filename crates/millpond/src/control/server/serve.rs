//! The server: where it listens, what it answers, and how it ends.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::reply::Refused;
use super::shared::Shared;
use super::{guard, read, steer};
use crate::control::request::Requests;
use crate::control::view::JobView;
use crate::error::Error;
use crate::job::options::Listen;

/// The longest body that is read.
const MAX_BODY: usize = 64 * 1024;

/// How long requests under way may then still take.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Takes the address to listen at; `None` if there is to be no server. Warns if others than this machine reach it.
///
/// # Errors
/// If the address cannot be taken. One that is only preferred gives way to another port.
pub(crate) async fn bind(listen: &Listen) -> Result<Option<TcpListener>, Error> {
    let (address, may_move) = match listen {
        Listen::Off => return Ok(None),
        Listen::At(address) => (address, false),
        Listen::Prefer(address) => (address, true),
    };
    let failed = |error: std::io::Error| {
        Error::input(format!(
            "the control server cannot listen at {address}: {error}; give --listen another address (port 0: any that is \
             free), or --listen off"
        ))
    };
    let listener = match TcpListener::bind(address).await {
        Err(error) if may_move && error.kind() == std::io::ErrorKind::AddrInUse => {
            let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
            TcpListener::bind(format!("{host}:0")).await
        }
        bound => bound,
    };
    let listener = listener.map_err(failed)?;
    if let Some(warning) = listener.local_addr().ok().and_then(guard::warning) {
        tracing::warn!("{warning}");
    }
    Ok(Some(listener))
}

/// Answers until `shutdown`, and then for a short time more if somebody has not yet heard what became of a
/// savepoint. The view must go on to be readable until this returns; requests need not be taken.
///
/// # Errors
/// If the listener breaks.
pub(crate) async fn serve(
    listener: TcpListener,
    view: watch::Receiver<Arc<JobView>>,
    requests: Requests,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::input(format!("the control server failed: {error}"));
    let listening = listener.local_addr().map_err(failed)?;
    let server = Arc::new(Shared::new(view, requests));
    let ending = Arc::new(Notify::new());
    let until = {
        let (server, ending) = (Arc::clone(&server), Arc::clone(&ending));
        async move {
            shutdown.await;
            server.linger().await;
            ending.notify_one();
        }
    };
    let serving = axum::serve(listener, router(server, listening)).with_graceful_shutdown(until);
    tokio::select! {
        result = async { serving.await } => result.map_err(failed),
        // A client that never finishes its request must not keep the program alive.
        () = async { ending.notified().await; tokio::time::sleep(LAST_CALL).await } => Ok(()),
    }
}

fn router(server: Arc<Shared>, listening: SocketAddr) -> Router {
    let paths = Router::new()
        .route("/overview", get(read::cluster))
        .route("/config", get(read::config))
        .route("/jobs", get(read::ids))
        .route("/jobs/overview", get(read::overview))
        .route("/jobs/{job}", get(read::details).patch(steer::cancel))
        .route("/jobs/{job}/plan", get(read::plan))
        .route("/jobs/{job}/exceptions", get(read::exceptions))
        .route("/jobs/{job}/checkpoints", get(read::checkpoints))
        .route("/jobs/{job}/checkpoints/details/{checkpoint}", get(read::checkpoint))
        .route("/jobs/{job}/savepoints", post(steer::savepoint))
        .route("/jobs/{job}/savepoints/{trigger}", get(read::operation))
        .route("/jobs/{job}/stop", post(steer::stop));
    Router::new()
        .nest("/v1", paths.clone())
        .merge(paths)
        .fallback(async |uri: axum::http::Uri| {
            Refused::not_found(format!("no path {:?} here: begin at /jobs/overview", uri.path()))
        })
        .method_not_allowed_fallback(async |method: axum::http::Method, uri: axum::http::Uri| {
            Refused::method_not_allowed(format!("{} does not take {method}", uri.path()))
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(listening, guard::guard))
        .with_state(server)
}
