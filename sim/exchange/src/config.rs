//! How the exchange is loaded and how fast it is.

use dex::release::Service;

use crate::database::DatabaseTimings;
use crate::measured::Measured;
use sim::measured::Distribution;
use sim::time::Micros;

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// A Poisson process: exponentially distributed gaps.
    Poisson,
    /// Gaps drawn uniformly between half and one and a half times their mean.
    Even,
}

/// Which accounts trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// All alike.
    Uniform,
    /// Few trade much: an account's rank is the product of two uniform draws.
    Skewed,
}

/// Times in which the clients send at another rate, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// Requests per second meanwhile, at least 1.
    pub rate_per_s: u64,
    /// From the end of one burst to the end of the next; the first ends so long after the beginning.
    pub every: Micros,
    /// How long each lasts; less than `every`.
    pub lasts: Micros,
}

impl Bursts {
    /// Whether there is a burst at an instant, and when that changes next. Both in µs since the beginning.
    #[must_use]
    pub fn at(&self, at_us: u64) -> (bool, u64) {
        let every = self.every.0.max(1);
        let begins = every.saturating_sub(self.lasts.0);
        let (period, within) = (at_us / every * every, at_us % every);
        if within < begins {
            (false, period + begins)
        } else {
            (true, period + every)
        }
    }
}

/// The clients: an open loop, so a slow exchange does not slow them down.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    /// Requests per second, at least 1.
    pub rate_per_s: u64,
    /// Accounts, at least 1.
    pub accounts: u32,
    /// Markets, at least 1.
    pub markets: u16,
    /// Client processes. Each keeps one multiplexed connection to one gateway pod, until the pod
    /// closes it or goes away.
    pub connections: u16,
    /// When they come at another rate, if ever.
    pub bursts: Option<Bursts>,
    /// How requests arrive.
    pub arrivals: Arrivals,
    /// Which accounts trade.
    pub activity: Activity,
    /// When the clients begin. The first pods need a few seconds.
    pub start_at: Micros,
    /// When they end.
    pub stop_at: Micros,
    /// How long a client waits for an answer.
    pub timeout: Micros,
}

impl Default for LoadConfig {
    fn default() -> Self {
        Self {
            rate_per_s: 200,
            accounts: 1_000,
            markets: 4,
            connections: 64,
            bursts: None,
            arrivals: Arrivals::Poisson,
            activity: Activity::Uniform,
            start_at: Micros::from_secs(10),
            stop_at: Micros::MAX,
            timeout: Micros::from_secs(2),
        }
    }
}

/// How fast the pods are. The work itself is counted by the exchange's own code; this only says how
/// long a unit of it takes.
#[derive(Clone, Debug)]
pub struct ServiceTimings {
    /// One unit of work in a gateway pod, in ns. A pod has a fraction of a core.
    pub gateway_unit_ns: u64,
    /// One unit of work in the matching engine, in ns.
    pub matching_unit_ns: u64,
    /// From the start of a process until it can serve, in the order of [`Service::ALL`].
    pub boot: [Distribution; Service::ALL.len()],
    /// From SIGTERM to the end, in the same order; a gateway takes [`Self::lame_duck_ms`] at least.
    pub drain: [Distribution; Service::ALL.len()],
    /// Loading one row of the ledger, in ns (`COPY … TO STDOUT` and decoding: 500,000 rows/s).
    pub load_row_ns: u64,
    /// Replaying one entry of the order log, in ns.
    pub replay_entry_ns: u64,
    /// How long a gateway goes on serving after SIGTERM, in ms: longer than kube-proxy needs to take
    /// the pod out of the Service.
    pub lame_duck_ms: u64,
    /// Until another matching pod notices that the leader is dead, in ms.
    pub takeover_ms: (u64, u64),
    /// Between two runs of reconciliation.
    pub reconcile_every: Micros,
}

impl ServiceTimings {
    /// What was measured, with constants for what can't be. A service that is newer than the measurement takes as long
    /// as a gateway, which has no state either.
    ///
    /// # Panics
    /// No gateway was measured; a test of this crate finds that first in the record of this build.
    #[must_use]
    pub fn measured(measured: &Measured) -> Self {
        let of = |service: Service| measured.process.get(service.name());
        let gateway = of(Service::Gateway).unwrap_or_else(|| panic!("no gateway was measured"));
        let process = Service::ALL.map(|service| *of(service).unwrap_or(gateway));
        Self {
            gateway_unit_ns: 1_000,
            matching_unit_ns: 1_000,
            boot: process.map(|it| it.boot.distribution),
            drain: process.map(|it| it.drain.distribution),
            load_row_ns: 2_000,
            replay_entry_ns: 4_000,
            lame_duck_ms: 3_000,
            // Four looks at a leader that does not answer, a few times a second (`dex::service`).
            takeover_ms: (200, 900),
            reconcile_every: Micros::from_secs(5),
        }
    }
}

impl Default for ServiceTimings {
    fn default() -> Self {
        Self::measured(Measured::built_in())
    }
}

/// Everything about the exchange that a scenario can set.
#[derive(Clone, Debug, Default)]
pub struct ExchangeConfig {
    /// The clients.
    pub load: LoadConfig,
    /// The pods.
    pub service: ServiceTimings,
    /// The database server.
    pub database: DatabaseTimings,
    /// Bytes that the ledger holds besides the scenario's own accounts and orders (history of trades, archived orders).
    /// None in drills, as on a cluster; to try how long copies take in production, set it to what production has.
    pub ledger_base_bytes: u64,
    /// The same for the rows of the state tables, which migrations rewrite.
    pub ledger_base_rows: u64,
}

#[cfg(test)]
mod tests {
    use crate::measured::Measured;
    use dex::release::Service;

    use super::{Bursts, ServiceTimings};
    use sim::time::Micros;

    #[test]
    fn a_burst_is_at_the_end_of_each_period() {
        let bursts = Bursts {
            rate_per_s: 1,
            every: Micros(100),
            lasts: Micros(30),
        };
        assert_eq!(bursts.at(0), (false, 70));
        assert_eq!(bursts.at(69), (false, 70));
        assert_eq!(bursts.at(70), (true, 100));
        assert_eq!(bursts.at(99), (true, 100));
        assert_eq!(bursts.at(100), (false, 170));
    }

    #[test]
    fn only_services_of_the_exchange_were_measured_and_a_gateway_among_them() {
        let measured = Measured::built_in().process.keys();
        let measured: Vec<_> = measured.map(|name| Service::by_name(name)).collect();
        assert!(measured.contains(&Some(Service::Gateway)));
        assert!(!measured.contains(&None), "{measured:?}");
    }

    #[test]
    fn a_service_has_its_own_timings_and_one_that_was_not_measured_has_a_gateway_s() {
        let mut measured = Measured::built_in().clone();
        let at = |service: Service| service as usize;
        let own = ServiceTimings::measured(&measured);
        assert_ne!(own.boot[at(Service::Risk)], own.boot[at(Service::Gateway)]);
        measured.process.remove(Service::Risk.name());
        let newer = ServiceTimings::measured(&measured);
        assert_eq!(
            newer.boot[at(Service::Risk)],
            own.boot[at(Service::Gateway)]
        );
        assert_eq!(
            newer.drain[at(Service::Risk)],
            own.drain[at(Service::Gateway)]
        );
        assert_eq!(
            newer.boot[at(Service::Matching)],
            own.boot[at(Service::Matching)]
        );
    }
}
