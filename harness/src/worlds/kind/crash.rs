//! The executor's death: at its k-th request to the API server from the trigger on it is dropped, with all that it had
//! under way. Its sessions in the database end with it; what it had asked for may still happen, as after a real one.
//!
//! The same place counts the requests of all executors of the drill. Unlike in the simulation, only requests to the API
//! server are counted, not those to Prometheus and the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use contract::wire::ReportLine;
use futures::future::{BoxFuture, Either, pending, select};
use kube::client::Body;
use tokio::sync::Notify;
use tower::{Layer, Service};

use crate::scenario::{Crash, CrashSide};
use crate::worlds::common::host::{Death, Failed};

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
    /// The death that the scenario wants, if it wants one.
    crash: Option<Crash>,
    sprung: Notify,
}

impl Trap {
    /// One that is not armed.
    pub(super) fn new(crash: Option<Crash>) -> Arc<Self> {
        Arc::new(Self {
            seen: AtomicU64::new(0),
            left: AtomicU64::new(0),
            crash,
            sprung: Notify::new(),
        })
    }

    /// A trigger has fired: the request that the scenario names is the last one, counted from now on.
    pub(super) fn arm(&self) {
        if let Some(crash) = self.crash {
            self.left.store(crash.request, Ordering::Release);
        }
    }

    /// `run` on a host that dies where the scenario wants it.
    pub(super) async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed> {
        let Some(crash) = self.crash else {
            return run.await;
        };
        match select(Box::pin(self.sprung.notified()), run).await {
            Either::Right((ended, _)) => ended,
            Either::Left(_) => Err(Failed::Killed(Death {
                at_request: true,
                resume_after: crash.resume_after,
            })),
        }
    }

    /// How many requests have come so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    fn fate(&self) -> Fate {
        self.seen.fetch_add(1, Ordering::AcqRel);
        let before = self
            .left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                left.checked_sub(1)
            });
        match (before, self.crash.map(|crash| crash.side)) {
            (Ok(1), Some(CrashSide::Before)) => Fate::NeverSent,
            (Ok(1), Some(CrashSide::After)) => Fate::NeverAnswered,
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
    use std::time::Duration;

    use futures::future::{pending, ready};

    use super::{Death, Failed, Fate, Trap};
    use crate::scenario::{Crash, CrashSide};

    fn at(request: u64, side: CrashSide) -> Option<Crash> {
        Some(Crash {
            request,
            side,
            resume_after: Duration::from_secs(5),
        })
    }

    #[test]
    fn one_request_meets_it_and_only_once_it_is_armed() {
        let trap = Trap::new(at(2, CrashSide::After));
        assert_eq!(trap.fate(), Fate::Passes);
        trap.arm();
        let fates = [trap.fate(), trap.fate(), trap.fate()];
        assert_eq!(fates, [Fate::Passes, Fate::NeverAnswered, Fate::Passes]);
        assert_eq!(trap.seen(), 4);
        let trap = Trap::new(at(1, CrashSide::Before));
        trap.arm();
        assert_eq!(trap.fate(), Fate::NeverSent);
        let trap = Trap::new(None);
        trap.arm();
        assert_eq!([trap.fate(), trap.fate()], [Fate::Passes; 2]);
    }

    #[tokio::test]
    async fn a_host_dies_once_the_request_has_come_and_the_next_one_lives() {
        let trap = Trap::new(at(1, CrashSide::Before));
        trap.sprung.notify_one();
        let died = trap.on_host(Box::pin(pending())).await;
        let death = Death {
            at_request: true,
            resume_after: Duration::from_secs(5),
        };
        assert_eq!(died, Err(Failed::Killed(death)));
        let refused = || Failed::Harness("it ends by itself".to_owned());
        let next = trap.on_host(Box::pin(ready(Err(refused())))).await;
        assert_eq!(next, Err(refused()));
    }
}
