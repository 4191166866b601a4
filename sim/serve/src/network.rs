//! The network side: who may connect, how much a client may send, and which server a request is for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::answer::Door;
use crate::bridge::{AnswerTo, Asked, Body, Frames, FromOutside, To, Unread};
use crate::pace::{Activity, Pacing, Served};

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; those beyond are closed at once.
    pub connections: usize,
    /// Bytes of one body. The API server itself refuses more than 3 MiB.
    pub body: usize,
    /// Bytes of all bodies that are under way.
    pub bodies: usize,
    /// Bytes of all answers that clients have not read yet: those that are whole, and frames of watches, each.
    pub unread: usize,
    /// How long a client may take for the head of a request, for its body, and to read what it is sent.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            body: 4 << 20,
            bodies: 64 << 20,
            unread: 256 << 20,
            patience: Duration::from_secs(30),
        }
    }
}

/// Which server listens at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The API server. It also serves as an HTTP proxy to the hosts `prometheus` and `loki`.
    Kube,
    /// Prometheus.
    Prometheus,
    /// Loki.
    Loki,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {error}")]
pub struct NetworkError {
    address: SocketAddr,
    error: std::io::Error,
}

/// A network of listeners, with threads of its own. Dropped, it ends them and every connection.
pub struct Network {
    addresses: Vec<(Listener, SocketAddr)>,
    to_world: Sender<FromOutside>,
    from_outside: Option<Receiver<FromOutside>>,
    activity: Activity,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// Where that server listens.
    #[must_use]
    pub fn address(&self, of: Listener) -> Option<SocketAddr> {
        let mut all = self.addresses.iter();
        all.find(|(listener, _)| *listener == of)
            .map(|(_, address)| *address)
    }

    /// The pace of the world that this network leads to, and the door through which its requests come.
    ///
    /// # Panics
    /// The second time.
    pub fn open(&mut self, pacing: Pacing) -> (Served, Door) {
        let from_outside = self
            .from_outside
            .take()
            .expect("a network leads to one world");
        let (to_program, requests) = futures::channel::mpsc::unbounded();
        let activity = self.activity.clone();
        let pace = Served::new(pacing, from_outside, to_program, activity.clone());
        let door = Door::new(requests, activity, self.to_world.clone());
        (pace, door)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Everything that the connections share.
struct Shared {
    token: String,
    limits: Limits,
    to_world: Sender<FromOutside>,
    activity: Activity,
    /// Requests that the world has not answered yet, whether or not their clients still wait.
    under_way: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    frames: Unread,
    streams: AtomicU64,
}

/// Listens at `addresses`; requests to the API server need `token`.
///
/// # Errors
/// An address can't be listened at.
///
/// # Panics
/// The system gives no thread.
pub fn listen(
    addresses: &[(Listener, SocketAddr)],
    token: &str,
    limits: Limits,
) -> Result<Network, NetworkError> {
    let mut listeners = Vec::new();
    for &(listener, address) in addresses {
        let told = |error| NetworkError { address, error };
        let socket = std::net::TcpListener::bind(address).map_err(told)?;
        socket.set_nonblocking(true).map_err(told)?;
        let address = socket.local_addr().map_err(told)?;
        listeners.push((listener, address, socket));
    }
    let (to_world, from_outside) = channel();
    let activity = Activity::default();
    let shared = Arc::new(Shared {
        token: token.to_owned(),
        limits,
        to_world: to_world.clone(),
        activity: activity.clone(),
        // Twice as many as there can be clients: whoever hangs up makes room soon.
        under_way: Arc::new(Semaphore::new(2 * limits.connections)),
        bodies: Arc::new(Semaphore::new(limits.bodies)),
        answers: Arc::new(Semaphore::new(limits.unread)),
        frames: Unread::at_most(limits.unread),
        streams: AtomicU64::new(1),
    });
    let addresses = listeners.iter().map(|(of, at, _)| (*of, *at)).collect();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("network".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("the system has what a runtime needs");
            runtime.block_on(async move {
                let connections = Arc::new(Semaphore::new(limits.connections));
                for (listener, _, socket) in listeners {
                    let socket = TcpListener::from_std(socket).expect("the socket does not block");
                    let (shared, connections) = (Arc::clone(&shared), Arc::clone(&connections));
                    tokio::spawn(accept(listener, socket, shared, connections));
                }
                // The sender is dropped to stop.
                let _ = stopped.await;
            });
            // Connections that are still open are cut.
            runtime.shutdown_background();
        })
        .expect("the system gives a thread");
    Ok(Network {
        addresses,
        to_world,
        from_outside: Some(from_outside),
        activity,
        stop: Some(stop),
        thread: Some(thread),
    })
}

async fn accept(
    listener: Listener,
    socket: TcpListener,
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
) {
    loop {
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            // No file descriptor is left, or the client has gone: there is room again once others have ended.
            Err(_) => {
                pause(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            continue;
        };
        tokio::spawn(connection(listener, stream, Arc::clone(&shared), permit));
    }
}

async fn connection(
    listener: Listener,
    stream: TcpStream,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
) {
    // Small answers must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut stream = tokio_io_timeout::TimeoutStream::new(stream);
    stream.set_write_timeout(Some(shared.limits.patience));
    let patience = shared.limits.patience;
    let epoch = shared.activity.epoch();
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { respond(listener, request, epoch, &shared).await }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(64 << 10);
    // A client that breaks the protocol is cut off, and nobody needs to know.
    let _ = server
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .await;
}

/// What is sent back.
pub(crate) struct Sent(Content);

enum Content {
    Whole {
        whole: Full<Bytes>,
        /// What it takes of the limits until it is sent.
        _room: Option<OwnedSemaphorePermit>,
    },
    Stream {
        frames: Frames,
        number: u64,
        to_world: Sender<FromOutside>,
    },
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Whole { whole, .. } => Pin::new(whole).poll_frame(cx),
            Content::Stream { frames, .. } => frames
                .poll_next(cx)
                .map(|it| it.map(|it| Ok(Frame::data(it)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole { whole, .. } => whole.is_end_stream(),
            Content::Stream { .. } => false,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Content::Whole { whole, .. } => whole.size_hint(),
            Content::Stream { .. } => http_body::SizeHint::default(),
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Content::Stream {
            number, to_world, ..
        } = &self.0
        {
            // The world may have ended before its clients.
            let _ = to_world.send(FromOutside::Gone(*number));
        }
    }
}

async fn respond(
    listener: Listener,
    request: Request<Incoming>,
    epoch: u64,
    shared: &Shared,
) -> Result<Response<Sent>, Cut> {
    match ask(listener, request, epoch, shared).await {
        Ok(response) => Ok(response),
        Err(Unanswered::Refused(refusal)) => Ok(refusal.response()),
        Err(Unanswered::Cut(cut)) => Err(cut),
    }
}

/// The world cut the connection, or has ended: the client gets no answer, and its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("the connection to the simulated server was cut, or the world has ended")]
struct Cut;

/// Why no server of the world answers a request.
enum Unanswered {
    /// It never gets to one.
    Refused(Refusal),
    Cut(Cut),
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Cut> for Unanswered {
    fn from(cut: Cut) -> Self {
        Self::Cut(cut)
    }
}

/// A request that never gets to a server of the world.
struct Refusal {
    status: StatusCode,
    reason: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }

    /// A `Status`, as the API server writes it.
    fn response(self) -> Response<Sent> {
        let body = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.status.as_u16(),
        });
        let mut response = Response::builder()
            .status(self.status)
            .header(CONTENT_TYPE, "application/json");
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response = response.header(RETRY_AFTER, "1");
        }
        response
            .body(Sent(Content::Whole {
                whole: Full::new(body.to_string().into()),
                _room: None,
            }))
            .expect("status and headers are valid")
    }
}

async fn ask(
    listener: Listener,
    request: Request<Incoming>,
    epoch: u64,
    shared: &Shared,
) -> Result<Response<Sent>, Unanswered> {
    let (mut head, body) = request.into_parts();
    let has_token = in_path(&mut head.uri, &shared.token) || has_token(&head, &shared.token);
    let (server, uri) = route(listener, &head)?;
    if server != To::Http && !is_open(uri.path()) && !has_token {
        let refused = Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
        return Err(refused.into());
    }
    // Held until the answer is there.
    let mut room = vec![place(
        &shared.under_way,
        1,
        "too many requests are under way",
    )?];
    let (body, mut its_room) = whole(body, shared).await?;
    room.append(&mut its_room);
    // Who took part when this client connected has left: the world goes on by itself, or serves somebody else.
    if shared.activity.is_alone() || shared.activity.epoch() != epoch {
        let refused = Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "nobody is served at this point of the drill",
        );
        return Err(refused.into());
    }
    let stream = shared.streams.fetch_add(1, Ordering::Relaxed);
    let mut request = Request::from_parts(head, body);
    *request.uri_mut() = uri;
    let (to, answered) = oneshot::channel();
    let unread = shared.frames.clone();
    let asked = FromOutside::Asked(Box::new(Asked {
        to: server,
        request,
        stream,
        answer: AnswerTo::Client { to, unread },
        room,
    }));
    shared.to_world.send(asked).map_err(|_| Cut)?;
    let mut hang_up = HangUp {
        number: stream,
        to_world: shared.to_world.clone(),
        forgotten: false,
    };
    let answer = answered.await.map_err(|_| Cut)?;
    hang_up.forgotten = true;
    let content = match answer.body {
        Body::Whole(bytes) => {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let room = place(&shared.answers, length, "clients leave too much unread")?;
            Content::Whole {
                whole: Full::new(bytes),
                _room: Some(room),
            }
        }
        Body::Stream(frames) => Content::Stream {
            frames,
            number: stream,
            to_world: shared.to_world.clone(),
        },
    };
    Ok(Response::from_parts(answer.head, Sent(content)))
}

/// Tells the world if a client hangs up before it is answered.
struct HangUp {
    number: u64,
    to_world: Sender<FromOutside>,
    forgotten: bool,
}

impl Drop for HangUp {
    fn drop(&mut self) {
        if !self.forgotten {
            // The world may have ended before its clients.
            let _ = self.to_world.send(FromOutside::Gone(self.number));
        }
    }
}

/// Paths that anybody may ask for.
fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/healthz" | "/version")
}

/// Takes the token off the beginning of the path; whether it was there. `kubectl` sends no bearer token without TLS
/// (`client-go/tools/clientcmd/client_config.go`), so that the kubeconfig has it in the server's path.
fn in_path(uri: &mut http::Uri, token: &str) -> bool {
    let path = uri
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let rest = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(token));
    let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) else {
        return false;
    };
    let rest = if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    };
    let Ok(rest) = rest.parse() else {
        return false;
    };
    *uri = rest;
    true
}

fn has_token(head: &http::request::Parts, token: &str) -> bool {
    let given = head.headers.get(AUTHORIZATION);
    let given = given.and_then(|it| it.to_str().ok());
    given.and_then(|it| it.strip_prefix("Bearer ")) == Some(token)
}

/// Room for so much of what all clients share.
fn place(
    all: &Arc<Semaphore>,
    much: u32,
    why: &'static str,
) -> Result<OwnedSemaphorePermit, Refusal> {
    let taken = Arc::clone(all).try_acquire_many_owned(much);
    taken.map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", why))
}

/// The body, within the limits, and the room that it takes.
async fn whole(
    body: Incoming,
    shared: &Shared,
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>), Refusal> {
    let limits = shared.limits;
    let read = async {
        let (mut body, mut room, mut whole) = (body, Vec::new(), BytesMut::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let why = format!("the body can't be read: {error}");
                Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", why)
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if whole.len() + data.len() > limits.body {
                return Err(Refusal::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    format!("Request entity too large: limit is {}", limits.body),
                ));
            }
            let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
            room.push(place(
                &shared.bodies,
                bytes,
                "too many bodies are under way",
            )?);
            whole.extend_from_slice(&data);
        }
        Ok((whole.freeze(), room))
    };
    match select(Box::pin(read), Box::pin(pause(limits.patience))).await {
        Either::Left((read, _)) => read,
        Either::Right(((), _)) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "Timeout",
            "the body did not come in time",
        )),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "clients outside the process keep time by the wall clock; no world sees it"
)]
fn pause(duration: Duration) -> tokio::time::Sleep {
    tokio::time::sleep(duration)
}

/// Which server a request is for, and under which URI it knows the request.
fn route(listener: Listener, head: &http::request::Parts) -> Result<(To, http::Uri), Refusal> {
    let own = head.headers.get(HOST).and_then(|it| it.to_str().ok());
    let host = head.uri.host().or(own).unwrap_or_default();
    let host = host.split(['.', ':']).next().unwrap_or_default();
    let server = match (listener, host) {
        (Listener::Prometheus, _) | (Listener::Kube, "prometheus") => Some("prometheus"),
        (Listener::Loki, _) | (Listener::Kube, "loki") => Some("loki"),
        (Listener::Kube, _) => None,
    };
    let path = head
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let to = match (server, head.uri.path()) {
        (Some(_), _) => To::Http,
        (None, "/firedrill/v1/sleep") => To::Sleep,
        (None, "/firedrill/v1/deadline") => To::Deadline,
        (None, "/firedrill/v1/date") => To::Date,
        (None, path) if path.starts_with("/firedrill/v1/store/") => To::Store,
        (None, _) => To::Kube,
    };
    let uri = match server {
        Some(server) => format!("http://{server}{path}"),
        None => path.to_owned(),
    };
    let uri = uri.parse().map_err(|_| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "the path is no path of a server",
        )
    })?;
    Ok((to, uri))
}
