//! The front: how programs on the runtime reach the world.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use http_body::Frame;
use http_body_util::BodyExt;

use crate::application::{Application, Done, Operation};
use crate::cluster::ApiRequest;
use crate::fabric::{EffectSide, Server};
use crate::time::Micros;
use crate::world::state::{Call, Reply, WorldState};

/// A handle on the world. Clones share it.
pub struct World<A: Application> {
    state: Arc<Mutex<WorldState<A>>>,
}

impl<A: Application> Clone for World<A> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
        }
    }
}

/// The connection was cut before an answer came; whether the request took effect is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer")]
pub struct ConnectionCut;

impl<A: Application> World<A> {
    pub(crate) fn new(state: WorldState<A>) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, WorldState<A>> {
        // A panic inside the world has already failed the drill; its state is only read after that.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the world, or changes it, at the present instant.
    pub fn with<T>(&self, look: impl FnOnce(&mut WorldState<A>) -> T) -> T {
        look(&mut self.lock())
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.lock().now()
    }

    /// Completes at `at`, at once if that is past.
    pub fn sleep_until(&self, at: Micros) -> BoxFuture<'static, ()> {
        let (waker, woken) = oneshot::channel();
        self.lock().wake_at(at, waker);
        Box::pin(async move {
            // The sender is dropped only with the world.
            let _ = woken.await;
        })
    }

    /// Completes after `span`.
    pub fn sleep(&self, span: Micros) -> BoxFuture<'static, ()> {
        self.sleep_until(self.now() + span)
    }

    /// The API server, as a service for `kube::Client::new`; requests count as `origin`'s.
    #[must_use]
    pub fn kube(&self, origin: &str) -> KubeService<A> {
        KubeService {
            world: self.clone(),
            origin: origin.into(),
        }
    }

    /// Prometheus (host `prometheus`) and Loki (host `loki`).
    #[must_use]
    pub fn http(&self, origin: &str) -> HttpService<A> {
        HttpService {
            world: self.clone(),
            origin: origin.into(),
        }
    }

    /// One operation on the application's data store.
    ///
    /// # Errors
    /// [`ConnectionCut`] if the fabric cut the connection; the server's own refusal inside.
    pub async fn db(
        &self,
        origin: &str,
        op: A::Operation,
    ) -> Result<Done<A::Operation>, ConnectionCut> {
        let verb = op.verb();
        match self
            .call(origin, Server::Database, verb, "", Call::Db(op))
            .await
        {
            Reply::Db(result) => Ok(result),
            _ => Err(ConnectionCut),
        }
    }

    /// How many requests `origin` has sent.
    #[must_use]
    pub fn requests(&self, origin: &str) -> u64 {
        self.lock().fabric.requests(origin)
    }

    /// Arms a crash point: completes when request `number` of `origin` reaches that side of its effect.
    pub fn crash_at(&self, origin: &str, number: u64, side: EffectSide) -> oneshot::Receiver<()> {
        self.lock().fabric.crash_at(origin, number, side)
    }

    async fn call(
        &self,
        origin: &str,
        server: Server,
        verb: &str,
        path: &str,
        call: Call<A::Operation>,
    ) -> Reply<A::Operation> {
        let (to, reply) = oneshot::channel();
        self.lock().send(origin, server, verb, path, call, to);
        match reply.await {
            Ok(reply) => reply,
            // The sender's crash point was reached: it never learns anything again.
            Err(oneshot::Canceled) => futures::future::pending().await,
        }
    }
}

/// The body of an API server's answer: whole, or the frames of a watch.
pub struct WorldBody(Content);

enum Content {
    Whole(Option<Bytes>),
    Stream(mpsc::UnboundedReceiver<Bytes>),
}

impl From<Bytes> for WorldBody {
    fn from(bytes: Bytes) -> Self {
        Self::whole(bytes)
    }
}

impl WorldBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(Some(bytes)))
    }

    /// Whether frames come one after the other, as those of a watch do.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self.0, Content::Stream(_))
    }

    pub(crate) fn stream(frames: mpsc::UnboundedReceiver<Bytes>) -> Self {
        Self(Content::Stream(frames))
    }
}

impl http_body::Body for WorldBody {
    type Data = Bytes;
    type Error = ConnectionCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionCut>>> {
        match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Content::Stream(frames) => frames
                .poll_next_unpin(cx)
                .map(|f| f.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Whole(None))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Content::Whole(bytes) => {
                http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Content::Stream(_) => http_body::SizeHint::default(),
        }
    }
}

/// The API server as a tower service.
pub struct KubeService<A: Application> {
    world: World<A>,
    origin: Arc<str>,
}

impl<A: Application> Clone for KubeService<A> {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            origin: self.origin.clone(),
        }
    }
}

impl<A, B> tower::Service<http::Request<B>> for KubeService<A>
where
    A: Application,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Debug,
{
    type Response = http::Response<WorldBody>;
    type Error = ConnectionCut;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectionCut>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectionCut>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let Self { world, origin } = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| ConnectionCut)?.to_bytes();
            let header = |name| {
                parts
                    .headers
                    .get(name)
                    .and_then(|v: &http::HeaderValue| v.to_str().ok())
                    .map(str::to_owned)
            };
            let path = parts
                .uri
                .path_and_query()
                .map_or_else(String::new, ToString::to_string);
            let call = Call::Kube(ApiRequest {
                method: parts.method.clone(),
                content_type: header(http::header::CONTENT_TYPE),
                accept: header(http::header::ACCEPT),
                uri: parts.uri,
                body,
                user: origin.to_string(),
                user_agent: header(http::header::USER_AGENT),
            });
            match world
                .call(&origin, Server::Kube, parts.method.as_str(), &path, call)
                .await
            {
                Reply::Kube(response) => Ok(response),
                _ => Err(ConnectionCut),
            }
        })
    }
}

/// Prometheus and Loki as a tower service; the host in the URI says which.
pub struct HttpService<A: Application> {
    world: World<A>,
    origin: Arc<str>,
}

impl<A: Application> Clone for HttpService<A> {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            origin: self.origin.clone(),
        }
    }
}

impl<A: Application> tower::Service<http::Request<Bytes>> for HttpService<A> {
    type Response = http::Response<Bytes>;
    type Error = ConnectionCut;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectionCut>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectionCut>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Self::Future {
        let Self { world, origin } = self.clone();
        Box::pin(async move {
            let server = match request.uri().host() {
                Some(host) if host.split('.').next() == Some("prometheus") => Server::Prometheus,
                Some(host) if host.split('.').next() == Some("loki") => Server::Loki,
                // No such host: the connection is refused.
                _ => return Err(ConnectionCut),
            };
            let verb = request.method().to_string();
            let path = request
                .uri()
                .path_and_query()
                .map_or_else(String::new, ToString::to_string);
            match world
                .call(&origin, server, &verb, &path, Call::Http(server, request))
                .await
            {
                Reply::Http(response) => Ok(response),
                _ => Err(ConnectionCut),
            }
        })
    }
}
