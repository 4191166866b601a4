//! What all services have in common as HTTP servers: the probes, the metrics, and a graceful end.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::middleware::map_response;
use axum::routing::get;
use axum::serve::ListenerExt;
use serde::Serialize;
use tokio::net::TcpListener;

use super::api::{ErrorReply, LEADER_HEADER, MAINTENANCE_HEADER};
use super::metrics;
use super::status::Status;

/// An answer in plain text.
fn plain(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer in JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    match serde_json::to_string(body) {
        Ok(text) => plain(status, "application/json", text),
        Err(error) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            error.to_string(),
        ),
    }
}

/// A refusal.
pub(super) fn refusal(status: StatusCode, error: &str) -> Response<Body> {
    let body = ErrorReply {
        error: error.to_owned(),
    };
    json(status, &body)
}

/// A refusal because trading is halted on purpose.
pub(super) fn maintenance(reason: &str) -> Response<Body> {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, reason);
    let headers = response.headers_mut();
    headers.insert(MAINTENANCE_HEADER, HeaderValue::from_static("true"));
    response
}

/// A refusal by an engine that does not lead.
pub(super) fn misdirected(leader: Option<&str>) -> Response<Body> {
    let mut response = refusal(StatusCode::MISDIRECTED_REQUEST, "another engine leads");
    if let Some(leader) = leader.and_then(|l| HeaderValue::from_str(l).ok()) {
        response.headers_mut().insert(LEADER_HEADER, leader);
    }
    response
}

/// Adds `/health`, `/livez` and `/metrics`, and ends connections once the process drains.
pub(super) fn with_probes<F>(router: Router, status: &Arc<Status>, expose: F) -> Router
where
    F: Fn() -> String + Clone + Send + Sync + 'static,
{
    const TEXT: &str = "text/plain; charset=utf-8";
    let (ready, alive, ending) = (status.clone(), status.clone(), status.clone());
    router
        .route(
            "/health",
            get(move || async move {
                match ready.unhealthy() {
                    None => plain(StatusCode::OK, TEXT, "ok".to_owned()),
                    Some(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, reason),
                }
            }),
        )
        .route(
            "/livez",
            get(move || async move {
                match alive.failed() {
                    None => plain(StatusCode::OK, TEXT, "ok".to_owned()),
                    Some(reason) => plain(StatusCode::INTERNAL_SERVER_ERROR, TEXT, reason),
                }
            }),
        )
        .route(
            "/metrics",
            get(move || async move { plain(StatusCode::OK, metrics::CONTENT_TYPE, expose()) }),
        )
        .layer(map_response(move |mut response: Response<Body>| {
            let draining = ending.is_draining();
            async move {
                if draining {
                    let headers = response.headers_mut();
                    headers.insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        }))
}

/// Serves until `stop`, then answers what is under way.
pub(super) async fn serve<S>(listener: TcpListener, router: Router, stop: S) -> std::io::Result<()>
where
    S: Future<Output = ()> + Send + 'static,
{
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait for an acknowledgement; it works without.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}
