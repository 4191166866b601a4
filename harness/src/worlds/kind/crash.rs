//! The executor's death: at its k-th request to the API server from the trigger on it is dropped, with all that it had
//! under way. Its sessions in the database end with it; what it had asked for may still happen, as after a real one.
//!
//! The same place counts the requests of all executors of the drill. Unlike in the simulation, only requests to the API
//! server are counted, not those to Prometheus and the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, pending};
use kube::client::Body;
use tokio::sync::Notify;
use tower::{Layer, Service};

use crate::scenario::CrashSide;

/// What a request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passes,
    NeverSent,
    NeverAnswered,
}

/// Where the executor dies.
#[derive(Debug)]
pub(super) struct Trap {
    /// Requests so far.
    seen: AtomicU64,
    /// Requests until then; 0: not armed, or over.
    left: AtomicU64,
    side: CrashSide,
    sprung: Notify,
}

impl Trap {
    /// One that is not armed.
    pub(super) fn new(side: CrashSide) -> Arc<Self> {
        Arc::new(Self {
            seen: AtomicU64::new(0),
            left: AtomicU64::new(0),
            side,
            sprung: Notify::new(),
        })
    }

    /// The `request`-th request from now on is the last one.
    pub(super) fn arm(&self, request: u64) {
        self.left.store(request, Ordering::Release);
    }

    /// How many requests have come so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Completes once that request has come.
    pub(super) async fn sprung(&self) {
        self.sprung.notified().await;
    }

    fn fate(&self) -> Fate {
        self.seen.fetch_add(1, Ordering::AcqRel);
        let before = self
            .left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                left.checked_sub(1)
            });
        match (before, self.side) {
            (Ok(1), CrashSide::Before) => Fate::NeverSent,
            (Ok(1), CrashSide::After) => Fate::NeverAnswered,
            _ => Fate::Passes,
        }
    }
}

/// Puts a trap before a client.
#[derive(Clone)]
pub(super) struct Trapping(pub(super) Arc<Trap>);

impl<S> Layer<S> for Trapping {
    type Service = Trapped<S>;

    fn layer(&self, inner: S) -> Trapped<S> {
        Trapped {
            inner,
            trap: Arc::clone(&self.0),
        }
    }
}

/// A client with a trap before it.
#[derive(Clone)]
pub(super) struct Trapped<S> {
    inner: S,
    trap: Arc<Trap>,
}

impl<S> Service<http::Request<Body>> for Trapped<S>
where
    S: Service<http::Request<Body>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.trap.fate() {
            Fate::Passes => Box::pin(self.inner.call(request)),
            Fate::NeverSent => {
                self.trap.sprung.notify_one();
                Box::pin(pending())
            }
            Fate::NeverAnswered => {
                let answer = self.inner.call(request);
                let trap = Arc::clone(&self.trap);
                Box::pin(async move {
                    drop(answer.await);
                    trap.sprung.notify_one();
                    pending().await
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Trap};
    use crate::scenario::CrashSide;

    #[test]
    fn one_request_meets_it_and_only_once_it_is_armed() {
        let trap = Trap::new(CrashSide::After);
        assert_eq!(trap.fate(), Fate::Passes);
        trap.arm(2);
        let fates = [trap.fate(), trap.fate(), trap.fate()];
        assert_eq!(fates, [Fate::Passes, Fate::NeverAnswered, Fate::Passes]);
        assert_eq!(trap.seen(), 4);
        let trap = Trap::new(CrashSide::Before);
        trap.arm(1);
        assert_eq!(trap.fate(), Fate::NeverSent);
    }
}
