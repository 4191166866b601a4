//! The executor's ports onto the simulated world.

use std::sync::Arc;
use std::time::Duration;

use executor::clock::Clock;
use executor::ports::{Database, HttpClient, HttpError, Ports};
use futures::future::BoxFuture;
use jiff::Timestamp;
use sim::Application;
use sim::time::Micros;
use sim::world::ConnectionCut;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use super::recorder::ActsRecord;
use crate::worlds::common::acts::ArtifactStore;

/// Under which name the executor's requests are numbered.
pub(crate) const ORIGIN: &str = "executor";

/// The name of the `n`-th host that runs the executor, from 1.
pub(super) fn origin(n: u32) -> String {
    if n == 1 {
        ORIGIN.to_owned()
    } else {
        format!("{ORIGIN}-{n}")
    }
}

/// Whether requests of that name are an executor's.
pub(super) fn is_executor(origin: &str) -> bool {
    origin
        .strip_prefix(ORIGIN)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Everything that the executor on host `origin` acts through, on an application in `namespace` with that `database`.
pub(super) fn of<A: Application>(
    record: &ActsRecord<A>,
    origin: &str,
    namespace: &str,
    database: Arc<dyn Database>,
) -> Ports {
    let world = &record.world;
    Ports {
        kube: kube::Client::new(world.kube(origin), namespace),
        http: http(world, origin),
        database,
        clock: clock(world),
        evidence: Arc::new(ArtifactStore(record.clone())),
    }
}

/// Prometheus and Loki of a simulated world, as `origin` reaches them.
#[must_use]
pub fn http<A: Application>(world: &sim::World<A>, origin: &str) -> HttpClient {
    let http = world.http(origin).map_err(|cut: ConnectionCut| HttpError {
        host: "the world".to_owned(),
        reason: cut.to_string(),
    });
    BoxCloneSyncService::new(http)
}

/// The clock of a simulated world.
#[must_use]
pub fn clock<A: Application>(world: &sim::World<A>) -> Arc<dyn Clock> {
    Arc::new(SimClock(world.clone()))
}

struct SimClock<A: Application>(sim::World<A>);

impl<A: Application> Clock for SimClock<A> {
    fn now(&self) -> Timestamp {
        self.0.now().to_timestamp()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Rounded up: who sleeps for the nanoseconds that are left of a budget would never see its end otherwise.
        self.0
            .sleep(Micros::from(duration + Duration::from_nanos(999)))
    }
}
