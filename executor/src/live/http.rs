//! HTTP and HTTPS, for Prometheus and Loki.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use crate::ports::{HttpClient, HttpError};

/// Largest answer that is read, in bytes.
const BODY_MAX: usize = 64 << 20;

/// The TLS side could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}")]
pub struct HttpSetupError(String);

/// A client with a pool of connections, which verifies certificates as the platform does. It has no timeout of
/// its own: who asks goes by the [`Clock`](crate::clock::Clock). Needs a tokio runtime with its I/O driver.
///
/// # Errors
/// TLS can't be set up.
pub fn http_client() -> Result<HttpClient, HttpSetupError> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_platform_verifier(rustls::crypto::ring::default_provider())
        .map_err(|error| HttpSetupError(error.to_string()))?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    Ok(BoxCloneSyncService::new(service_fn(
        move |request: http::Request<Bytes>| {
            let client = client.clone();
            async move {
                let host = request.uri().host().unwrap_or_default().to_owned();
                let failed = |error: &dyn std::error::Error| HttpError {
                    host: host.clone(),
                    reason: chain(error),
                };
                let answer = client.request(request.map(Full::new)).await;
                let (parts, body) = answer.map_err(|error| failed(&error))?.into_parts();
                let body = Limited::new(body, BODY_MAX).collect().await;
                let body = body.map_err(|error| failed(&*error))?.to_bytes();
                Ok(http::Response::from_parts(parts, body))
            }
        },
    )))
}

/// An error with its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use bytes::Bytes;
    use tower::ServiceExt;

    use super::http_client;

    #[tokio::test]
    async fn asks_a_server_and_says_who_did_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
            stream.write_all(answer).expect("an answer");
            String::from_utf8_lossy(&request).into_owned()
        });
        let client = http_client().expect("a client");
        let get = || {
            http::Request::get(format!("http://{address}/api/v1/query?query=up"))
                .body(Bytes::new())
                .expect("a request")
        };
        let answer = client.oneshot(get()).await.expect("an answer");
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.body().as_ref(), b"busy");
        let seen = server.join().expect("the server");
        assert!(
            seen.starts_with("GET /api/v1/query?query=up HTTP/1.1\r\n"),
            "{seen}"
        );
        // Another client: this one may have a second connection in its pool, which would be reset rather than refused.
        let client = http_client().expect("a client");
        let error = client
            .oneshot(get())
            .await
            .expect_err("nobody listens any more");
        assert_eq!(error.host, "127.0.0.1");
        assert!(error.reason.contains("refused"), "{error}");
    }
}
