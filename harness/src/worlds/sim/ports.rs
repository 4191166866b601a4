//! The executor's ports onto the simulated world.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use executor::clock::Clock;
use executor::ports::{Database, HttpClient, HttpError, Ports};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
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
        clock: record.injector.clock_of(origin),
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

/// The clock of a host in a simulated world, which is off by `skew`. Only the time that it shows is: it goes as fast as
/// any other.
pub(super) fn clock_off_by<A: Application>(
    world: &sim::World<A>,
    skew: Arc<Skew>,
) -> Arc<dyn Clock> {
    Arc::new(SkewedClock(SimClock(world.clone()), skew))
}

/// By how much the clocks of some hosts are ahead. Whoever sets it and those hosts share it.
#[derive(Debug, Default)]
pub(super) struct Skew {
    /// In microseconds; below zero: behind.
    ahead: AtomicI64,
    /// How often a clock was read that was off.
    read: AtomicU64,
}

impl Skew {
    /// The clocks are `ahead` from now on.
    pub(super) fn set(&self, ahead: SignedDuration) {
        let micros = i64::try_from(ahead.as_micros()).unwrap_or_default();
        self.ahead.store(micros, Ordering::Relaxed);
    }

    /// How often they were read while they were off.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn applied_to(&self, now: Timestamp) -> Timestamp {
        let ahead = SignedDuration::from_micros(self.looked_at());
        now.checked_add(ahead).unwrap_or(now)
    }

    /// By how much it is ahead, in microseconds, for a host that looks at it.
    fn looked_at(&self) -> i64 {
        let micros = self.ahead.load(Ordering::Relaxed);
        if micros != 0 {
            self.read.fetch_add(1, Ordering::Relaxed);
        }
        micros
    }
}

struct SkewedClock<A: Application>(SimClock<A>, Arc<Skew>);

impl<A: Application> Clock for SkewedClock<A> {
    fn now(&self) -> Timestamp {
        self.1.applied_to(self.0.now())
    }

    /// Nobody can set it, but who looks at it looks at a clock that is off.
    fn elapsed(&self) -> Duration {
        self.1.looked_at();
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}

struct SimClock<A: Application>(sim::World<A>);

impl<A: Application> Clock for SimClock<A> {
    fn now(&self) -> Timestamp {
        self.0.now().to_timestamp()
    }

    /// Since the world began.
    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.now().0)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Rounded up: who sleeps for the nanoseconds that are left of a budget would never see its end otherwise.
        self.0
            .sleep(Micros::from(duration + Duration::from_nanos(999)))
    }
}
