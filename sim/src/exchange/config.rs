//! How the exchange is loaded and how fast it is.

use crate::database::DatabaseTimings;
use crate::time::Micros;

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
    /// Requests that a gateway pod queues before it refuses more (503).
    pub gateway_queue_max: usize,
    /// From the start of a process until it listens and has loaded its configuration, in ms.
    pub boot_ms: (u64, u64),
    /// Loading one row of the ledger, in ns (`COPY … TO STDOUT` and decoding: 500,000 rows/s).
    pub load_row_ns: u64,
    /// Replaying one entry of the order log, in ns.
    pub replay_entry_ns: u64,
    /// How long a gateway goes on serving after SIGTERM, in ms: longer than kube-proxy needs to take
    /// the pod out of the Service.
    pub lame_duck_ms: u64,
    /// Until a pod sees a changed ConfigMap, in ms.
    pub config_lag_ms: (u64, u64),
    /// Until another matching pod notices that the leader is dead, in ms.
    pub takeover_ms: (u64, u64),
    /// Between two runs of reconciliation.
    pub reconcile_every: Micros,
}

impl Default for ServiceTimings {
    fn default() -> Self {
        Self {
            gateway_unit_ns: 1_000,
            matching_unit_ns: 1_000,
            gateway_queue_max: 128,
            boot_ms: (400, 1_200),
            load_row_ns: 2_000,
            replay_entry_ns: 4_000,
            lame_duck_ms: 3_000,
            config_lag_ms: (100, 10_000),
            takeover_ms: (200, 900),
            reconcile_every: Micros::from_secs(5),
        }
    }
}

/// Everything about the exchange that a scenario can set.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// The clients.
    pub load: LoadConfig,
    /// The pods.
    pub service: ServiceTimings,
    /// The database server.
    pub database: DatabaseTimings,
    /// Bytes of the ledger that were there before the drill (history of trades, archived orders):
    /// they make copies take as long as they do in production.
    pub ledger_base_bytes: u64,
    /// Rows of the ledger that were there before the drill: they make rewrites take long.
    pub ledger_base_rows: u64,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            load: LoadConfig::default(),
            service: ServiceTimings::default(),
            database: DatabaseTimings::default(),
            ledger_base_bytes: 2 << 30,
            ledger_base_rows: 2_000_000,
        }
    }
}
