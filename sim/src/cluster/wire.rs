//! What crosses the border between the API server and the fabric.

use bytes::Bytes;

/// One HTTP request to the API server.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// Method.
    pub method: http::Method,
    /// Path and query; scheme and authority are ignored.
    pub uri: http::Uri,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// Body.
    pub body: Bytes,
    /// Who asks; recorded, never refused.
    pub user: String,
    /// `User-Agent`. Who changes an object is known by it, if the request does not name a field manager.
    pub user_agent: Option<String>,
}

/// The API server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiResponse {
    /// One body.
    Unary {
        /// HTTP status code.
        status: u16,
        /// `Content-Type`.
        content_type: &'static str,
        /// `Retry-After`, seconds.
        retry_after_s: Option<u32>,
        /// The headers `Warning`.
        warnings: Vec<http::HeaderValue>,
        /// Body.
        body: Bytes,
    },
    /// 200 with a stream of JSON lines; see [`Cluster::take_watch_frames`](super::Cluster::take_watch_frames).
    Watch(WatchId),
    /// 200 with a stream of the lines of a log, in the same way.
    Log(WatchId),
}

impl ApiResponse {
    /// One body, without headers that are seldom there.
    pub(crate) fn whole(status: u16, content_type: &'static str, body: Bytes) -> Self {
        Self::Unary {
            status,
            content_type,
            retry_after_s: None,
            warnings: Vec::new(),
            body,
        }
    }
}

/// An open watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// A request that waits for its kind's watch cache; see [`Cluster::await_cache`](super::Cluster::await_cache).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// A piece of a watch's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchFrame {
    /// One JSON line with its newline.
    Data(Bytes),
    /// The server closes the stream.
    End,
}

/// A pod as service discovery sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Pod name.
    pub pod: String,
    /// Namespace.
    pub namespace: String,
    /// Pod UID.
    pub uid: String,
    /// Label `app`.
    pub app: String,
    /// Pod IP.
    pub ip: String,
    /// The first port that a container of it declares; 80 if none does.
    pub port: u16,
    /// Whether the process of that container runs, or if none declares a port, that of the first one.
    pub running: bool,
}
