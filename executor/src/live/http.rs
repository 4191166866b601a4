//! HTTP and HTTPS, for Prometheus and Loki.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use super::settings::ServerSettings;
use super::tls::{Roots, TlsSetupError, Trust, client_config};
use crate::kubernetes::told_once;
use crate::ports::{HttpClient, HttpError};

/// Largest answer that is read, in bytes.
const BODY_MAX: usize = 64 << 20;

type Connections = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A server that is reached in a way of its own.
#[derive(Clone)]
struct Server {
    /// Scheme, host and port.
    origin: (Option<String>, Option<String>),
    settings: ServerSettings,
    connections: Connections,
}

/// A client with a pool of connections, which verifies certificates as the platform does. It has no timeout of
/// its own: who asks goes by the [`Clock`](crate::clock::Clock). Needs a tokio runtime with its I/O driver.
///
/// # Errors
/// TLS can't be set up.
pub fn http_client() -> Result<HttpClient, TlsSetupError> {
    http_client_for(&[])
}

/// As [`http_client`]; the servers at these base URLs are reached as their settings say. Credentials go to them only,
/// by scheme, host and port.
///
/// # Errors
/// TLS can't be set up, or a URL is none.
pub fn http_client_for(servers: &[(&str, &ServerSettings)]) -> Result<HttpClient, TlsSetupError> {
    let others = connections(&Trust::Host(Roots::System))?;
    let mut known = Vec::new();
    for (url, settings) in servers {
        let uri: http::Uri = url
            .parse()
            .map_err(|error| TlsSetupError(format!("{url}: {error}")))?;
        let connections = match &settings.ca_file {
            Some(file) => connections(&Trust::Host(Roots::File(file.clone())))?,
            None => others.clone(),
        };
        known.push(Server {
            origin: origin(&uri),
            settings: (*settings).clone(),
            connections,
        });
    }
    Ok(BoxCloneSyncService::new(service_fn(
        move |mut request: http::Request<Bytes>| {
            let asked = origin(request.uri());
            let server = known.iter().find(|server| server.origin == asked);
            let client = server.map_or(&others, |server| &server.connections).clone();
            let credentials = server.map_or(Ok(None), |server| authorization(&server.settings));
            async move {
                let host = request.uri().host().unwrap_or_default().to_owned();
                let failed = |error: &(dyn std::error::Error + 'static)| HttpError {
                    host: host.clone(),
                    reason: told_once(error),
                };
                match credentials {
                    Ok(Some(value)) => {
                        request.headers_mut().insert(AUTHORIZATION, value);
                    }
                    Ok(None) => {}
                    Err(reason) => {
                        return Err(HttpError {
                            host: host.clone(),
                            reason,
                        });
                    }
                }
                let answer = client.request(request.map(Full::new)).await;
                let (parts, body) = answer.map_err(|error| failed(&error))?.into_parts();
                let body = Limited::new(body, BODY_MAX).collect().await;
                let body = body.map_err(|error| failed(&*error))?.to_bytes();
                Ok(http::Response::from_parts(parts, body))
            }
        },
    )))
}

fn connections(trust: &Trust) -> Result<Connections, TlsSetupError> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(client_config(trust)?)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Scheme, and host with port, of a URL.
fn origin(uri: &http::Uri) -> (Option<String>, Option<String>) {
    let host = uri.authority().map(|it| it.as_str().to_ascii_lowercase());
    (uri.scheme_str().map(ToOwned::to_owned), host)
}

/// The header that says who asks, from files as they are now.
fn authorization(settings: &ServerSettings) -> Result<Option<HeaderValue>, String> {
    let secret = |file: &std::path::Path| {
        let text = std::fs::read_to_string(file);
        text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| format!("{}: {error}", file.display()))
    };
    let value = match (&settings.bearer_token_file, &settings.basic_auth) {
        (Some(file), _) => format!("Bearer {}", secret(file)?),
        (None, Some(basic)) => {
            let password = secret(&basic.password_file)?;
            let pair = format!("{}:{password}", basic.username);
            format!("Basic {}", STANDARD.encode(pair))
        }
        (None, None) => return Ok(None),
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| "a token or password holds what no header can".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use bytes::Bytes;
    use tower::ServiceExt;

    use super::{authorization, http_client, http_client_for};
    use crate::live::settings::{BasicAuth, ServerSettings};

    /// Answers one request with 503; what it was.
    fn serve_once() -> (std::net::SocketAddr, std::thread::JoinHandle<String>) {
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
        (address, server)
    }

    fn get(address: std::net::SocketAddr) -> http::Request<Bytes> {
        http::Request::get(format!("http://{address}/api/v1/query?query=up"))
            .body(Bytes::new())
            .expect("a request")
    }

    #[tokio::test]
    async fn asks_a_server_and_says_who_did_not_answer() {
        let (address, server) = serve_once();
        let client = http_client().expect("a client");
        let answer = client.oneshot(get(address)).await.expect("an answer");
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
            .oneshot(get(address))
            .await
            .expect_err("nobody listens any more");
        assert_eq!(error.host, "127.0.0.1");
        assert!(error.reason.contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn a_token_goes_to_its_server_only_and_is_read_anew() {
        let file = std::env::temp_dir().join(format!("firedrill-token-{}", std::process::id()));
        let settings = ServerSettings {
            bearer_token_file: Some(file.clone()),
            ..ServerSettings::default()
        };
        let (address, server) = serve_once();
        let base = format!("http://{address}/prometheus");
        let client = http_client_for(&[(&base, &settings)]).expect("a client");
        let error = client
            .clone()
            .oneshot(get(address))
            .await
            .expect_err("no file");
        assert!(error.reason.contains("firedrill-token"), "{error}");
        std::fs::write(&file, "secret\n").expect("written");
        client
            .clone()
            .oneshot(get(address))
            .await
            .expect("an answer");
        let seen = server.join().expect("the server").to_ascii_lowercase();
        assert!(seen.contains("authorization: bearer secret\r\n"), "{seen}");
        let (other, server) = serve_once();
        client.oneshot(get(other)).await.expect("an answer");
        let seen = server.join().expect("the server").to_ascii_lowercase();
        assert!(!seen.contains("authorization"), "{seen}");
        std::fs::remove_file(&file).expect("removed");
    }

    #[test]
    fn basic_authentication_is_as_the_standard_has_it() {
        let file = std::env::temp_dir().join(format!("firedrill-password-{}", std::process::id()));
        std::fs::write(&file, "open sesame").expect("written");
        let settings = ServerSettings {
            basic_auth: Some(BasicAuth {
                username: "Aladdin".to_owned(),
                password_file: file.clone(),
            }),
            ..ServerSettings::default()
        };
        let value = authorization(&settings).expect("readable").expect("given");
        // RFC 7617, section 2.
        assert_eq!(
            value.to_str().ok(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        std::fs::remove_file(&file).expect("removed");
    }
}
