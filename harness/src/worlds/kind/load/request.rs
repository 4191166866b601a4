//! One request of a client, and what its answer says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use dex::service::api::{MAINTENANCE_HEADER, OrderReply, OrderRequest};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;

use super::super::clock::within;
use super::clients::{Shared, lock};
use super::record::Seen;

/// How long a client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A client with a connection of its own.
pub(super) type Http = Client<HttpConnector, Full<Bytes>>;

/// A request that is under way, until its client has learned what became of it or has panicked.
pub(super) struct InFlight(Arc<Shared>);

impl InFlight {
    pub(super) fn begun(shared: &Arc<Shared>) -> Self {
        shared.in_flight.fetch_add(1, Ordering::AcqRel);
        Self(shared.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.store(true, Ordering::Release);
        }
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One request of one client.
pub(super) async fn ask(in_flight: InFlight, client: Http, request: OrderRequest) {
    let shared = &in_flight.0;
    let sent = shared.clock.now_us();
    let seen = match within(TIMEOUT, answer(&client, &shared.uri, &request)).await {
        None => Seen::Error("timeout".to_owned()),
        Some(Err(error)) => Seen::Error(error),
        Some(Ok(seen)) => seen,
    };
    let at = shared.clock.now_us();
    if let Seen::Ok(reply) = &seen {
        lock(&shared.flow).learn(&request, reply);
    }
    lock(&shared.record).add(at, at.saturating_sub(sent), &request, seen);
}

/// What kind of error a text tells of: the numbers in it make no kinds of their own.
fn kind_of(text: &str) -> String {
    let mut kind = String::new();
    for c in text.chars().take(120) {
        if !c.is_ascii_digit() {
            kind.push(c);
        } else if !kind.ends_with('#') {
            kind.push('#');
        }
    }
    kind
}

async fn answer(client: &Http, uri: &http::Uri, request: &OrderRequest) -> Result<Seen, String> {
    let body = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    let message = http::Request::post(uri.clone())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::from(body))
        .map_err(|error| error.to_string())?;
    let response = client.request(message).await.map_err(|error| {
        if error.is_connect() {
            "no connection".to_owned()
        } else {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("connection lost: {}", cause.unwrap_or_default())
        }
    })?;
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| format!("answer broke off: {error}"))?
        .to_bytes();
    Ok(match head.status.as_u16() {
        200 => match serde_json::from_slice::<OrderReply>(&body) {
            Ok(reply) => Seen::Ok(reply),
            Err(error) => Seen::Error(format!("unreadable answer: {error}")),
        },
        400 => Seen::Rejected,
        503 if head.headers.contains_key(MAINTENANCE_HEADER) => Seen::Maintenance,
        status => {
            let text = String::from_utf8_lossy(&body);
            Seen::Error(format!("{status}: {}", kind_of(&text)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn errors_about_different_accounts_are_of_one_kind() {
        let kind = kind_of("cannot decode the balance of account 458");
        assert_eq!(kind, "cannot decode the balance of account #");
        assert_eq!(kind, kind_of("cannot decode the balance of account 7"));
    }
}
