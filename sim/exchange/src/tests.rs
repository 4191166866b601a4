//! Tests of the exchange, with a small stand-in for kubelet and kube-proxy.

mod database;
mod faults;
mod laziness;
mod traffic;

use std::collections::BTreeMap;

use super::{ExchangeConfig, SimulatedExchange};
use crate::database::{DbOp, DbReply};
use contract::ledger::DatabaseError;
use sim::application::Application as _;
use sim::time::Micros;
use sim::workload::{ContainerStart, ProcessId, StartOutcome, Workload};

/// The one process of a pod.
fn process(uid: &str) -> ProcessId<'_> {
    let container = uid.split('-').next().unwrap_or(uid);
    ProcessId { uid, container }
}

/// The exchange, the time, and the pods that run.
struct Rig {
    exchange: SimulatedExchange,
    now: Micros,
    started: u32,
    pods: BTreeMap<&'static str, Vec<String>>,
}

impl Rig {
    /// The stable release has been up for some seconds when the clients begin.
    fn new(config: ExchangeConfig, seed: u64) -> Self {
        let mut rig = Self {
            exchange: SimulatedExchange::new(config, seed),
            now: Micros::ZERO,
            started: 0,
            pods: BTreeMap::new(),
        };
        for app in ["matching", "risk", "gateway"] {
            rig.deploy(app, "1.4.2");
        }
        assert!(rig.now < Micros::from_secs(10));
        rig.until(10);
        rig
    }

    fn small(seed: u64) -> Self {
        Self::new(small(), seed)
    }

    fn start(&mut self, app: &'static str, version: &str) -> (String, StartOutcome) {
        self.started += 1;
        let uid = format!("{app}-{}", self.started);
        let outcome = self.exchange.start(
            self.now,
            &ContainerStart {
                namespace: dex::release::NAMESPACE.to_owned(),
                pod: uid.clone(),
                uid: uid.clone(),
                app: app.to_owned(),
                container: app.to_owned(),
                image: format!("dex/{app}:{version}"),
                env: BTreeMap::new(),
                restart: 0,
            },
        );
        (uid, outcome)
    }

    /// Replaces all pods of `app`: new ones first, then the route, then the old ones end.
    fn deploy(&mut self, app: &'static str, version: &str) -> Vec<String> {
        let count = if app == "gateway" { 3 } else { 1 };
        let new: Vec<String> = (0..count).map(|_| self.start(app, version).0).collect();
        self.pass(2_000);
        for uid in &new {
            assert_eq!(self.status(uid, "/health"), 200, "{uid}");
        }
        self.exchange.route(self.now, app, &new);
        for old in self.pods.insert(app, new.clone()).unwrap_or_default() {
            let drain = self.exchange.terminate(self.now, process(&old));
            let ends_at = self.now + drain;
            self.now = ends_at;
            self.exchange.gone(ends_at, process(&old));
        }
        new
    }

    fn pass(&mut self, ms: u64) {
        self.now += Micros::from_millis(ms);
        self.exchange.advance(self.now);
    }

    fn until(&mut self, second: u64) {
        self.now = Micros::from_secs(second).max(self.now);
        self.exchange.advance(self.now);
    }

    fn db(&mut self, op: DbOp) -> Result<DbReply, DatabaseError> {
        let duration = self.exchange.begin(self.now, &op)?;
        self.now += duration;
        self.exchange.finish(self.now, &op)
    }

    fn status(&mut self, uid: &str, path: &str) -> u16 {
        self.exchange
            .get(self.now, process(uid), path)
            .map_or(0, |response| response.status)
    }

    fn metrics(&mut self, uid: &str) -> String {
        self.exchange
            .get(self.now, process(uid), "/metrics")
            .map_or_else(String::new, |response| response.body)
    }

    fn halt(&mut self, mode: &str) {
        let data = BTreeMap::from([("mode".to_owned(), mode.to_owned())]);
        self.exchange.config(self.now, "dex-trading", &data);
    }

    /// Errors that clients have seen in all.
    fn errors(&mut self) -> u64 {
        self.exchange.clients(self.now).errors_by_kind.iter().sum()
    }

    /// Every request has ended, and what was acknowledged is there.
    fn settle(&mut self) {
        self.exchange.stop_clients(self.now);
        self.pass(3_000);
        assert_eq!(self.exchange.in_flight(self.now), 0);
        let missing = self.exchange.missing(self.now);
        assert_eq!(
            (missing.orders.len(), missing.trades.len()),
            (0, 0),
            "{missing:?}"
        );
        let record = self.exchange.clients(self.now);
        assert_eq!(
            record.between(0, usize::MAX).total(),
            record.sent,
            "every request has one outcome"
        );
    }

    /// Whether every asset is conserved.
    fn books_balance(&self) -> bool {
        self.exchange
            .database()
            .ledger()
            .state()
            .ledger()
            .imbalances()
            .iter()
            .all(|a| a.0 == 0)
    }
}

/// Fewer accounts, and a database that is copied quickly.
fn small() -> ExchangeConfig {
    let mut config = ExchangeConfig {
        ledger_base_bytes: 50_000_000,
        ledger_base_rows: 50_000,
        ..Default::default()
    };
    config.load.accounts = 60;
    config.load.markets = 2;
    config
}
