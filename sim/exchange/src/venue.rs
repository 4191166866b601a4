//! The exchange as the world sees it: construction, time, database operations, what oracles ask.

mod application;
mod faults;
mod leader;
mod lifecycle;
mod metrics;
mod role;
mod traffic;

use std::collections::BTreeMap;

use dex::command::{Command, Trade};
use dex::exchange::AMPLE_DEPOSIT;
use dex::gateway::TradingMode;
use dex::migrations::Migration;
use dex::release::{Build, Service};

use crate::clients::Clients;
use crate::config::ExchangeConfig;
use crate::database::{LedgerDb, LedgerTables, order_content};
use crate::pod::{GatewayState, Pod, Role};
use crate::record::{Acknowledged, ClientRecord};
use contract::ledger::DatabaseError;
use faults::Faults;
use leader::Leader;
use sim::application::PodLogLine;
use sim::event_queue::EventQueue;
use sim::rng::Rng;
use sim::time::Micros;
use sim::workload::LogLine;
use traffic::{Executed, Replies};

pub use faults::{Alarm, ShownIn};

/// Acknowledged orders and trades that the ledger in use lacks, or shows with another content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Orders that are not in the order log, or differ.
    pub orders: Vec<u64>,
    /// Trades that are not in the table of trades, or differ.
    pub trades: Vec<u64>,
}

/// What happens inside pods at a set time.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A process has booted and loaded.
    Ready(usize),
    /// A gateway sees the halt flag's value.
    Mode(u32, TradingMode, u64),
    /// A pool opens its sessions again.
    Reconnect(usize),
    /// Reconciliation runs.
    Reconcile(usize),
    /// A gateway writes a heartbeat.
    Heartbeat(usize),
    /// A matching pod notices that there is no leader.
    Takeover,
}

/// The exchange and its clients.
pub struct SimulatedExchange {
    config: ExchangeConfig,
    rng: Rng,
    /// When kubelets look after pods.
    looks: Rng,
    pub(crate) db: LedgerDb,
    pods: Vec<Pod>,
    /// Latest process of each pod.
    by_uid: BTreeMap<String, usize>,
    gateways: Vec<GatewayState>,
    /// Gateways that are alive.
    live_gateways: Vec<u32>,
    /// Pods behind the Service `gateway`, as kube-proxy has it; `None`: nothing listens there any more.
    route: Vec<Option<u32>>,
    route_uids: Vec<String>,
    /// The halt flag as the API server has it.
    mode: TradingMode,
    /// How often it has changed.
    mode_version: u64,
    faults: Faults,
    leader: Option<Leader>,
    /// The matching engine works on one command at a time, until here.
    engine_free: u64,
    /// The command that has waited longest for the engine: when it got there, and from which gateway;
    /// `u64::MAX`: nobody knows of one.
    first_hop: (u64, u32),
    /// When and from which gateway the next command reaches the engine.
    next_hop: (u64, u32),
    replies: Replies,
    clients: Clients,
    event_queue: EventQueue<Due>,
    executed: Executed,
    /// Trades that some risk pod has not read yet.
    unread_trades: Vec<Trade>,
    /// Trades that the harness has not looked at yet.
    unseen_trades: Vec<Trade>,
    outbox: Vec<PodLogLine>,
    digest: u64,
    happenings: u64,
}

impl SimulatedExchange {
    /// An exchange without pods, with a ledger as the first deposits leave it.
    pub(crate) fn with_ledger(config: ExchangeConfig, seed: u64) -> Self {
        let build = Build::stable(Service::Matching);
        let state = dex::Exchange::genesis(
            build,
            config.load.accounts.max(1),
            config.load.markets.max(1),
            AMPLE_DEPOSIT,
        );
        let specs = state.markets().map(|(spec, _)| *spec).collect();
        let mut ledger = LedgerTables::new(
            state,
            config.database.empty_bytes + config.ledger_base_bytes,
            config.ledger_base_rows,
        );
        // A drill of a quarter of an hour; longer ones grow.
        let requests = config.load.rate_per_s as usize * 900;
        ledger.reserve(requests);
        Self {
            rng: Rng::derive(seed, "exchange"),
            looks: Rng::derive(seed, "kubelet looks"),
            db: LedgerDb::new(ledger, config.database.clone(), seed),
            pods: Vec::new(),
            by_uid: BTreeMap::new(),
            gateways: Vec::new(),
            live_gateways: Vec::new(),
            route: Vec::new(),
            route_uids: Vec::new(),
            mode: TradingMode::Open,
            mode_version: 0,
            faults: Faults::default(),
            leader: None,
            engine_free: 0,
            first_hop: (u64::MAX, 0),
            next_hop: (u64::MAX, 0),
            replies: Replies::new(),
            clients: Clients::new(&config.load, specs, seed),
            event_queue: EventQueue::default(),
            executed: Executed::new(),
            unread_trades: Vec::with_capacity(4_096),
            unseen_trades: Vec::with_capacity(4_096),
            outbox: Vec::new(),
            digest: 0x243f_6a88_85a3_08d3,
            happenings: 0,
            config,
        }
    }

    /// What the clients saw up to `now`.
    pub fn clients(&mut self, now: Micros) -> &ClientRecord {
        self.catch_up(now);
        &self.clients.record
    }

    /// The clients send no more requests; those under way are still answered.
    pub fn stop_clients(&mut self, now: Micros) {
        self.catch_up(now);
        self.clients.stop(now);
    }

    /// Content of every order that clients have sent and don't know the fate of at `now`.
    pub fn unanswered(&mut self, now: Micros) -> Vec<u64> {
        self.catch_up(now);
        let mut record = self.clients.record.unanswered.clone();
        let open = self.clients.in_flight.commands();
        record.extend(
            open.filter(|command| matches!(command, Command::Place { .. }))
                .map(order_content),
        );
        record
    }

    /// Requests that clients wait for.
    pub fn in_flight(&mut self, now: Micros) -> usize {
        self.catch_up(now);
        self.clients.in_flight.open()
    }

    /// The database server, as of the last thing that happened.
    #[must_use]
    pub fn database(&self) -> &LedgerDb {
        &self.db
    }

    /// The database server, for faults (a long transaction that holds locks).
    pub fn database_mut(&mut self, now: Micros) -> &mut LedgerDb {
        self.catch_up(now);
        &mut self.db
    }

    /// Trades executed for clients since the last call, in order.
    pub fn take_trades(&mut self) -> Vec<Trade> {
        std::mem::take(&mut self.unseen_trades)
    }

    /// Runs the migrations of the release that is there at first, before anybody connects.
    ///
    /// # Errors
    /// The script that the server refuses.
    pub fn set_up_schema(&mut self, migrations: &[Migration]) -> Result<(), DatabaseError> {
        self.db.set_up_schema(migrations)
    }

    /// Acknowledged orders and trades that the ledger in use lacks at `now`. Trades that a matching engine
    /// has replayed in memory and not yet written (the fence is up) count as present.
    pub fn missing(&mut self, now: Micros) -> Missing {
        self.catch_up(now);
        let ledger = self.db.ledger();
        let replayed = self
            .leader
            .as_ref()
            .map_or(&[][..], Leader::unwritten_trades);
        let trades: BTreeMap<u64, u64> = ledger
            .trades()
            .iter()
            .chain(replayed)
            .map(|row| (row.id, row.content))
            .collect();
        let record = &self.clients.record;
        let order_is_there = |order: &&Acknowledged| {
            let entry = ledger.log().get(dex::types::Seq(order.id));
            entry.is_some_and(|entry| order_content(&entry.command) == order.content)
        };
        Missing {
            orders: record
                .orders
                .iter()
                .filter(|o| !order_is_there(o))
                .map(|o| o.id)
                .collect(),
            trades: record
                .trades
                .iter()
                .filter(|t| trades.get(&t.id) != Some(&t.content))
                .map(|t| t.id)
                .collect(),
        }
    }

    #[inline]
    fn fold(&mut self, words: &[u64]) {
        self.happenings += 1;
        for w in words {
            self.digest = (self.digest.rotate_left(5) ^ w).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    /// A pod writes a line.
    fn log(&mut self, pod: usize, at: Micros, level: &'static str, text: String) {
        let pod = &mut self.pods[pod];
        pod.lines.push(LogLine {
            at,
            text: format!("{level} {text}"),
        });
        self.outbox.push(PodLogLine {
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            app: pod.app.clone(),
            namespace: pod.namespace.clone(),
            level,
            at,
            text,
        });
    }

    /// The process that runs in a pod.
    fn running(&self, uid: &str) -> Option<usize> {
        let index = *self.by_uid.get(uid)?;
        self.pods[index].alive.then_some(index)
    }

    /// Whether the process keeps sessions to the database.
    fn uses_database(&self, pod: usize) -> bool {
        matches!(self.pods[pod].role, Role::Matching(_) | Role::Risk(_))
    }
}
