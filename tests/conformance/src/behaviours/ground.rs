//! How a body talks to an API server.

use std::io;

use futures::{AsyncBufReadExt as _, AsyncRead, StreamExt as _, TryStreamExt as _};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::compare::same;

/// How often a change is waited for, each time for as long as a watch lasts.
const ROUNDS: u32 = 12;
/// How long a watch lasts, in seconds of the server.
const WATCH_S: u32 = 10;

/// A client, and the namespace that a body has for itself.
#[derive(Clone)]
pub struct Ground {
    client: Client,
    namespace: String,
}

/// What a server answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub code: u16,
    /// The body; text that is no JSON is a string.
    pub body: Value,
    /// The headers `Warning`.
    pub warnings: Vec<String>,
}

impl Answer {
    /// The body, if the answer has this status code.
    ///
    /// # Errors
    /// The answer has another one.
    pub fn with(self, code: u16) -> Result<Value, String> {
        if self.code == code {
            return Ok(self.body);
        }
        Err(format!("{} and not {code}: {}", self.code, self.body))
    }

    /// The body of an answer that grants the request.
    ///
    /// # Errors
    /// The request was refused.
    pub fn granted(self) -> Result<Value, String> {
        match StatusCode::from_u16(self.code) {
            Ok(code) if code.is_success() => Ok(self.body),
            _ => Err(format!("refused with {}: {}", self.code, self.body)),
        }
    }

    /// Holds against a `Status` that refuses the request with this code, this reason and this message.
    ///
    /// # Errors
    /// What differs.
    pub fn refuses(&self, code: u16, reason: &str, message: &str) -> Result<(), String> {
        let wanted = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": code, "reason": reason, "message": message,
        });
        same(&self.body, &wanted)?;
        self.clone().with(code).map(drop)
    }

    /// Like [`Self::refuses`], for a message of which only a part is known.
    ///
    /// # Errors
    /// What differs.
    pub fn refuses_saying(&self, code: u16, reason: &str, part: &str) -> Result<(), String> {
        let message = self.body["message"].as_str().unwrap_or_default();
        if !message.contains(part) {
            return Err(format!("{:?} does not say {part:?}", self.body));
        }
        self.refuses(code, reason, message)
    }
}

/// The format of a patch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patch {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Patch {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

const JSON: &str = "application/json";

impl Ground {
    /// A namespace of its own on the server of `client`.
    ///
    /// # Errors
    /// The server does not make one.
    pub async fn new(client: Client) -> Result<Self, String> {
        let mut on = Self {
            client,
            namespace: String::new(),
        };
        let labels = json!({"app.kubernetes.io/part-of": "firedrill-behaviours"});
        let asked = json!({"metadata": {"generateName": "behaviour-", "labels": labels}});
        let made = on.post("/api/v1/namespaces", &asked).await?.granted()?;
        on.namespace = made["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        // Pods are refused until their account is there (plugin/pkg/admission/serviceaccount/admission.go).
        on.wait("v1/serviceaccounts/default", "the account", |it| {
            it["metadata"]["uid"].is_string()
        })
        .await?;
        Ok(on)
    }

    /// Asks for the end of the namespace and all that is in it.
    ///
    /// # Errors
    /// The server refuses that.
    pub async fn leave(self) -> Result<(), String> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.delete(&path).await?.granted().map(drop)
    }

    /// The name of the namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The whole path of what is named as `v1/pods/name` or `apps/v1/deployments/name` in the own namespace. What
    /// begins with a slash stays as it is.
    fn path(&self, short: &str) -> String {
        if short.starts_with('/') {
            return short.to_owned();
        }
        let own = &self.namespace;
        match short.strip_prefix("v1/") {
            Some(rest) => format!("/api/v1/namespaces/{own}/{rest}"),
            None => {
                let mut parts = short.splitn(3, '/');
                let mut next = || parts.next().unwrap_or_default();
                let (group, version, rest) = (next(), next(), next());
                format!("/apis/{group}/{version}/namespaces/{own}/{rest}")
            }
        }
    }

    /// Sends one request, whole.
    ///
    /// # Errors
    /// No answer comes.
    pub async fn ask(&self, request: Request<Vec<u8>>) -> Result<Answer, String> {
        let request = request.map(Body::from);
        let answer = self.client.send(request).await;
        let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        let body = body.to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let warnings = head.headers.get_all(header::WARNING).iter();
        Ok(Answer {
            code: head.status.as_u16(),
            body: serde_json::from_slice(&body).unwrap_or_else(|_| text()),
            warnings: warnings
                .filter_map(|it| it.to_str().ok().map(str::to_owned))
                .collect(),
        })
    }

    /// Sends a request with a body of its own media type.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let request = Request::builder()
            .method(method)
            .uri(self.path(path))
            .header(header::CONTENT_TYPE, media)
            .header(header::ACCEPT, JSON)
            .body(body)
            .map_err(|error| format!("{path}: {error}"))?;
        self.ask(request).await
    }

    /// GET, with the media types that are accepted.
    pub(super) async fn get_as(&self, path: &str, accept: &str) -> Result<Answer, String> {
        let request = Request::get(self.path(path))
            .header(header::ACCEPT, accept)
            .body(Vec::new())
            .map_err(|error| format!("{path}: {error}"))?;
        self.ask(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.get_as(path, JSON).await
    }

    /// What stands there.
    pub(super) async fn read(&self, path: &str) -> Result<Value, String> {
        self.get(path).await?.with(200)
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        let body = body.to_string().into_bytes();
        self.send(Method::POST, path, JSON, body).await
    }

    /// Creates an object; it as the server has it.
    pub(super) async fn make(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.post(path, body).await?.with(201)
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Answer, String> {
        let body = body.to_string().into_bytes();
        self.send(Method::PUT, path, JSON, body).await
    }

    pub(super) async fn patch(
        &self,
        how: Patch,
        path: &str,
        body: &Value,
    ) -> Result<Answer, String> {
        let body = body.to_string().into_bytes();
        self.send(Method::PATCH, path, how.media_type(), body).await
    }

    /// A merge patch that is granted; the object as it is then.
    pub(super) async fn change(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.patch(Patch::Merge, path, body).await?.with(200)
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Answer, String> {
        self.send(Method::DELETE, path, JSON, Vec::new()).await
    }

    /// DELETE with `DeleteOptions` in its body.
    pub(super) async fn delete_with(&self, path: &str, options: &Value) -> Result<Answer, String> {
        let body = options.to_string().into_bytes();
        self.send(Method::DELETE, path, JSON, body).await
    }

    /// Lists until `enough` has something to say of the list; what it says.
    ///
    /// # Errors
    /// It never has. The error names `what` and the last list.
    pub(super) async fn wait_list<T>(
        &self,
        path: &str,
        what: &str,
        enough: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, String> {
        let mut list = Value::Null;
        let joined = if path.contains('?') { '&' } else { '?' };
        for _ in 0..ROUNDS {
            list = self.read(path).await?;
            let mut at = list["metadata"]["resourceVersion"].clone();
            if let Some(found) = enough(&list) {
                return Ok(found);
            }
            // Several changes may come one by one, in one watch.
            let version = at.take();
            let version = version.as_str().unwrap_or_default();
            let watch = format!(
                "{path}{joined}watch=true&resourceVersion={version}&timeoutSeconds={WATCH_S}"
            );
            let mut events = self.events(&watch).await?;
            while events.next().await?.is_some() {
                list = self.read(path).await?;
                if let Some(found) = enough(&list) {
                    return Ok(found);
                }
            }
        }
        Err(format!("never came: {what}; there is {list}"))
    }

    /// Waits for a change since `list`, or for as long as a watch lasts.
    pub(super) async fn next_change(&self, path: &str, list: &Value) -> Result<(), String> {
        let at = list["metadata"]["resourceVersion"].as_str();
        let at = at.unwrap_or_default();
        let watch = format!("{path}?watch=true&resourceVersion={at}&timeoutSeconds=1");
        self.events(&watch).await?.next().await.map(drop)
    }

    /// Reads an object until `enough` holds of it; it as it is then.
    ///
    /// # Errors
    /// It never does.
    pub(super) async fn wait(
        &self,
        path: &str,
        what: &str,
        enough: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let (kind, name) = path.rsplit_once('/').unwrap_or_default();
        let list = format!("{kind}?fieldSelector=metadata.name%3D{name}");
        let found = |list: &Value| {
            let items = list["items"].as_array()?;
            items.iter().find(|it| enough(it)).cloned()
        };
        self.wait_list(&list, what, found).await
    }

    /// Waits until an object has these fields, as [`same`] compares.
    ///
    /// # Errors
    /// It never has.
    pub(super) async fn until(&self, path: &str, wanted: &Value) -> Result<Value, String> {
        let what = wanted.to_string();
        self.wait(path, &what, |it| same(it, wanted).is_ok()).await
    }

    /// Waits until an object is no more.
    ///
    /// # Errors
    /// It stays.
    pub(super) async fn gone(&self, path: &str) -> Result<(), String> {
        let (kind, name) = path.rsplit_once('/').unwrap_or_default();
        let list = format!("{kind}?fieldSelector=metadata.name%3D{name}");
        let none = |list: &Value| list["items"].as_array()?.is_empty().then_some(());
        self.wait_list(&list, &format!("the end of {path}"), none)
            .await
    }

    /// Waits until there are so many objects; them.
    ///
    /// # Errors
    /// There never are.
    pub(super) async fn count(&self, path: &str, wanted: usize) -> Result<Vec<Value>, String> {
        let many = |list: &Value| {
            let items = list["items"].as_array()?;
            (items.len() == wanted).then(|| items.clone())
        };
        self.wait_list(path, &format!("{wanted} of {path}"), many)
            .await
    }

    /// Opens a watch.
    pub(super) async fn events(&self, path: &str) -> Result<Events, String> {
        self.events_as(path, JSON).await
    }

    /// Opens a watch, with the media types that are accepted.
    pub(super) async fn events_as(&self, path: &str, accept: &str) -> Result<Events, String> {
        let request = Request::get(self.path(path))
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .map_err(|error| format!("{path}: {error}"))?;
        let answer = self.client.send(request).await;
        let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
        if head.status != StatusCode::OK {
            return Err(format!("the watch {path} is refused with {}", head.status));
        }
        let frames = body.into_data_stream().map_err(io::Error::other);
        let lines: Box<dyn AsyncRead + Send + Unpin> = Box::new(frames.into_async_read());
        let lines = futures::io::BufReader::new(lines).lines();
        Ok(Events(Box::pin(lines)))
    }
}

/// The events of a watch.
pub(super) struct Events(futures::stream::BoxStream<'static, io::Result<String>>);

impl Events {
    /// The next event, or the end.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, String> {
        let Some(line) = self.0.next().await else {
            return Ok(None);
        };
        let line = line.map_err(|error| format!("a watch: {error}"))?;
        let event = serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))?;
        Ok(Some(event))
    }

    /// The next event, which must come.
    pub(super) async fn expect(&mut self) -> Result<Value, String> {
        let next = self.next().await?;
        next.ok_or_else(|| "the watch ended".to_owned())
    }

    /// The next event, with what must be in it.
    pub(super) async fn brings(&mut self, kind: &str, object: Value) -> Result<Value, String> {
        let event = self.expect().await?;
        same(&event, &json!({"type": kind, "object": object}))?;
        Ok(event)
    }

    /// All events up to the end.
    pub(super) async fn rest(mut self) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await? {
            all.push(event);
        }
        Ok(all)
    }
}
