//! The API server as an executor sees it whose client changes requests or answers.

use async_trait::async_trait;
use bytes::Bytes;
use executor::ports::Ports;
use http::header::DATE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;

/// What comes of a request.
pub type Answered = Result<Response<Bytes>, kube::Error>;

/// The API server behind the decorated client.
#[derive(Clone)]
pub struct Server(kube::Client);

impl Server {
    /// Sends a request and collects its whole answer.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send(&self, request: Request<Bytes>) -> Answered {
        let (parts, body) = self.0.send(request.map(Body::from)).await?.into_parts();
        let whole = body.collect().await?.to_bytes();
        Ok(Response::from_parts(parts, whole))
    }

    /// The answer to a plain GET of `uri`.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn get(&self, uri: &str) -> Answered {
        let request = Request::get(uri).body(Bytes::new());
        self.send(request.map_err(kube::Error::HttpError)?).await
    }
}

/// What stands between an executor and the API server. Watches pass by it, as they are streams.
#[async_trait]
pub trait Between: Send + Sync + 'static {
    /// What becomes of `request`.
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered;
}

/// Ports whose requests to the API server go through `between`. They keep their host's name,
/// by which the world knows them.
pub fn through(ports: Ports, between: impl Between) -> Ports {
    let between = std::sync::Arc::new(between);
    answered_by(ports, move |inner, request| {
        let (server, between) = (Server(inner), std::sync::Arc::clone(&between));
        async move {
            if request
                .uri()
                .query()
                .is_some_and(|it| it.contains("watch=true"))
            {
                return server.0.send(request).await;
            }
            let (parts, body) = request.into_parts();
            let whole = body.collect().await?.to_bytes();
            let request = Request::from_parts(parts, whole);
            Ok(between.exchange(request, &server).await?.map(Body::from))
        }
    })
}

/// Ports to whose host no answer of the API server says when it was made, so that it goes by its own clock.
#[must_use]
pub fn undated(ports: Ports) -> Ports {
    answered_by(ports, |inner, request| async move {
        let mut answer = inner.send(request).await?;
        answer.headers_mut().remove(DATE);
        Ok(answer)
    })
}

/// Ports to which `answer` answers for the API server, which it is given with each request.
fn answered_by<F, A>(ports: Ports, answer: F) -> Ports
where
    F: Fn(kube::Client, Request<Body>) -> A + Send + 'static,
    A: Future<Output = Result<Response<Body>, kube::Error>> + Send + 'static,
{
    let inner = ports.kube.clone();
    let namespace = inner.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| answer(inner.clone(), request));
    Ports {
        kube: kube::Client::new(service, namespace),
        ..ports
    }
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its method.
    pub method: Method,
    /// The path of its address.
    pub path: String,
    /// The query of its address; empty: it has none.
    pub query: String,
    /// Its body.
    pub body: Bytes,
}

impl Sent {
    /// A copy of `request`.
    #[must_use]
    pub fn of(request: &Request<Bytes>) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            body: request.body().clone(),
        }
    }

    /// Whether it changes something.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether it is about the ConfigMap `name`, or about a ConfigMap of that name that is to be created.
    #[must_use]
    pub fn is_config_map(&self, name: &str) -> bool {
        let (_, rest) = self.path.split_once("/configmaps").unwrap_or_default();
        match rest.strip_prefix('/') {
            Some(found) => found == name,
            None => {
                self.method == Method::POST
                    && json(&self.body)["metadata"]["name"].as_str() == Some(name)
            }
        }
    }
}

struct Answers<F>(F);

#[async_trait]
impl<F> Between for Answers<F>
where
    F: Fn(&Sent, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
{
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        Ok(self.0(&sent, server.send(request).await?))
    }
}

/// Ports whose API server's answers are seen as `edit` has them.
pub fn answers(
    ports: Ports,
    edit: impl Fn(&Sent, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
) -> Ports {
    through(ports, Answers(edit))
}

/// What becomes of a request to the API server.
pub enum Passes {
    /// It goes on, perhaps changed.
    On(Request<Bytes>),
    /// It is answered in the server's place.
    Answered(Response<Bytes>),
}

struct Requests<F>(F);

#[async_trait]
impl<F> Between for Requests<F>
where
    F: Fn(Request<Bytes>) -> Passes + Send + Sync + 'static,
{
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        match self.0(request) {
            Passes::On(request) => server.send(request).await,
            Passes::Answered(answer) => Ok(answer),
        }
    }
}

/// Ports whose requests to the API server are what `edit` makes of them.
pub fn requests(
    ports: Ports,
    edit: impl Fn(Request<Bytes>) -> Passes + Send + Sync + 'static,
) -> Ports {
    through(ports, Requests(edit))
}

/// An answer of the API server with `status` and `object`.
#[must_use]
pub fn answer(status: StatusCode, object: impl Into<Bytes>) -> Response<Bytes> {
    let mut answer = Response::new(object.into());
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    answer
}

/// The server's answer that it has stored `object`.
#[must_use]
pub fn stored(object: impl Into<Bytes>) -> Response<Bytes> {
    answer(StatusCode::OK, object)
}

/// The server's answer that there is no such object.
#[must_use]
pub fn missing() -> Response<Bytes> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
    });
    answer(StatusCode::NOT_FOUND, status.to_string())
}

/// Whether an answer says that the server could not, or the connection broke.
#[must_use]
pub fn has_failed(answered: &Answered) -> bool {
    match answered {
        Ok(answer) => {
            answer.status().is_server_error() || answer.status() == StatusCode::TOO_MANY_REQUESTS
        }
        Err(_) => true,
    }
}

/// What a body holds; null if it is no JSON.
#[must_use]
pub fn json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// An object without the version that a write would have as its precondition.
#[must_use]
pub fn without_version(bytes: &Bytes) -> Bytes {
    let mut object = json(bytes);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    Bytes::from(object.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_is_told_by_its_path_or_by_the_object_that_is_created() {
        let sent = |method: Method, path: &str, body: &'static str| Sent {
            method,
            path: path.to_owned(),
            query: String::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let maps = "/api/v1/namespaces/x/configmaps";
        assert!(sent(Method::GET, &format!("{maps}/a"), "").is_config_map("a"));
        assert!(!sent(Method::GET, &format!("{maps}/ab"), "").is_config_map("a"));
        assert!(!sent(Method::GET, maps, "").is_config_map("a"));
        let object = r#"{"metadata":{"name":"a"}}"#;
        assert!(sent(Method::POST, maps, object).is_config_map("a"));
        assert!(!sent(Method::POST, maps, object).is_config_map("b"));
    }

    #[test]
    fn a_version_is_taken_off_and_nothing_else() {
        let object = Bytes::from_static(br#"{"metadata":{"name":"a","resourceVersion":"7"}}"#);
        assert_eq!(without_version(&object), r#"{"metadata":{"name":"a"}}"#);
    }
}
