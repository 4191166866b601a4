//! What can go wrong with the pods and what they say: the faults in force, and how often each has hit.

use std::collections::BTreeMap;

use dex::command::Command;
use dex::order_log::LogEntry;
use dex::release::{Build, Service};
use dex::types::{AccountId, Amount, AssetId, Seq};

use super::SimulatedExchange;
use crate::clients::DISCONNECTED;
use crate::database::DbFault;
use sim::time::Micros;

/// Gateways that run miss a change of the halt flag.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlagFault {
    /// How late they notice it; `None`: never.
    pub(super) delay: Option<Micros>,
    /// How many have missed one.
    pub(super) hits: u64,
}

/// Something that the reconciliation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// The books don't balance: a gauge, which is well again when the books are.
    Books,
    /// A replay gave another state hash: a counter, which stays where it is.
    StateHash,
    /// A trade was irregular: a counter, too.
    Matching,
}

/// Where a request that fails for no fault of the release shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownIn {
    /// In the gateways' counters and logs.
    Both,
    /// In the counters only.
    Metrics,
    /// In the logs only.
    Logs,
}

/// Gateways fail a share of the requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailingRequests {
    one_in: u64,
    pub(super) shown_in: ShownIn,
    /// The gateway that it hits; `None`: all.
    gateway: Option<u32>,
    met: u64,
    hits: u64,
}

/// The faults of the pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) flag: Option<FlagFault>,
    /// How many times risk pods have shown what is not so, by what it is.
    pub(super) alarms: BTreeMap<Alarm, u64>,
    pub(super) failing: Option<FailingRequests>,
    /// Services whose pods answer their health check with 503, and how often they did.
    sick: BTreeMap<&'static str, u64>,
    /// Builds that images' tags name instead of their own, and how often one was started.
    retagged: BTreeMap<String, (Build, u64)>,
    /// Before then no pod does anything by itself.
    pub(super) pods_still: Micros,
    /// Before then, in µs, no gateway works on a request.
    pub(super) gateways_still: u64,
    /// Requests that met a gateway that stood still.
    pub(super) held_up: u64,
}

impl SimulatedExchange {
    /// Fault of the database server: begins or ends; how often it has hit since it began.
    pub fn set_database_fault(&mut self, now: Micros, fault: DbFault, on: bool) -> u64 {
        self.catch_up(now);
        let hits = self.db.set_fault(fault, on);
        self.database_changed(now);
        hits
    }

    /// Fault: from now on every gateway that runs misses changes of the halt flag, for `delay` or for good.
    pub fn miss_flag(&mut self, delay: Option<Micros>) {
        self.faults.flag = Some(FlagFault { delay, hits: 0 });
    }

    /// Ends that fault: how many times a gateway has missed a change.
    pub fn heed_flag(&mut self) -> u64 {
        self.faults.flag.take().map_or(0, |fault| fault.hits)
    }

    /// Fault: from now on every risk pod shows one anomaly more than there is.
    pub fn raise_alarm(&mut self, now: Micros, alarm: Alarm) {
        self.catch_up(now);
        self.faults.alarms.insert(alarm, 0);
    }

    /// Ends that fault: how often the anomaly was scraped. A counter goes back, as if its process had started again.
    pub fn clear_alarm(&mut self, now: Micros, alarm: Alarm) -> u64 {
        self.catch_up(now);
        self.faults.alarms.remove(&alarm).unwrap_or(0)
    }

    /// Fault: from now on one request in `one_in` fails at the gateways, or at the one that came up last.
    pub fn fail_requests(&mut self, now: Micros, one_in: u64, shown_in: ShownIn, last_only: bool) {
        self.catch_up(now);
        self.faults.failing = Some(FailingRequests {
            one_in: one_in.max(1),
            shown_in,
            gateway: self.last_gateway().filter(|_| last_only),
            met: 0,
            hits: 0,
        });
    }

    /// Ends that fault: how many requests failed by it.
    pub fn fail_no_requests(&mut self, now: Micros) -> u64 {
        self.catch_up(now);
        self.faults.failing.take().map_or(0, |fault| fault.hits)
    }

    /// Whether the next request at `gateway` fails by that fault, and where it shows then.
    #[inline]
    pub(super) fn fails_here(&mut self, gateway: u32) -> Option<ShownIn> {
        let fault = self.faults.failing.as_mut()?;
        if fault.gateway.is_some_and(|only| only != gateway) {
            return None;
        }
        fault.met += 1;
        let fails = fault.met.is_multiple_of(fault.one_in);
        fault.hits += u64::from(fails);
        fails.then_some(fault.shown_in)
    }

    /// The gateway that came up last, of those that serve.
    fn last_gateway(&self) -> Option<u32> {
        let serves = |index: &&u32| self.pods[self.gateways[**index as usize].pod].ready;
        self.live_gateways.iter().filter(serves).max().copied()
    }

    /// Fault: the gateway that came up last keeps one connection, and gets one if it has none; all others go to the
    /// other gateways. How many connections that holds for.
    pub fn shun_last_gateway(&mut self, now: Micros) -> u64 {
        self.catch_up(now);
        let Some(shunned) = self.last_gateway() else {
            return 0;
        };
        let others = self.live_gateways.iter().filter(|it| **it != shunned);
        let others: Vec<u32> = others.copied().collect();
        if others.is_empty() {
            return 0;
        }
        let connections = &mut self.clients.connections;
        let kept = connections.iter().position(|to| *to == shunned);
        let kept = kept.unwrap_or(0);
        for (n, to) in connections.iter_mut().enumerate() {
            if n == kept {
                *to = shunned;
            } else if *to == shunned || *to == DISCONNECTED {
                *to = others[n % others.len()];
            }
        }
        connections.len() as u64
    }

    /// Fault: from now on the pods of `service` answer their health check with 503, whatever they do otherwise.
    pub fn make_sick(&mut self, service: Service) {
        self.faults.sick.insert(service.name(), 0);
    }

    /// Ends that fault: how often a pod has said so.
    pub fn make_well(&mut self, service: Service) -> u64 {
        self.faults.sick.remove(service.name()).unwrap_or(0)
    }

    /// Whether the pod is to say that it is not healthy.
    pub(super) fn is_sick(&mut self, index: usize) -> bool {
        let said = self.faults.sick.get_mut(self.pods[index].app.as_str());
        said.map(|said| *said += 1).is_some()
    }

    /// Fault: the tag of `image` names `build` from now on: who starts it, starts that.
    pub fn move_tag(&mut self, image: &str, build: Build) {
        self.faults.retagged.insert(image.to_owned(), (build, 0));
    }

    /// Ends that fault: how many processes it has started.
    pub fn move_tag_back(&mut self, image: &str) -> u64 {
        let moved = self.faults.retagged.remove(image);
        moved.map_or(0, |(_, started)| started)
    }

    /// The build that a container of `image` runs.
    pub(super) fn build_of(&mut self, image: &str) -> Option<Build> {
        match self.faults.retagged.get_mut(image) {
            Some((build, started)) => {
                *started += 1;
                Some(*build)
            }
            None => Build::by_image(image),
        }
    }

    /// Fault: the clients leave out a share of the requests that they would send, in parts per million.
    pub fn quieten_clients(&mut self, now: Micros, left_out_ppm: u32) {
        self.catch_up(now);
        self.clients.quieten(left_out_ppm);
    }

    /// Fault: somebody books `amount` to an account without a counter-entry.
    pub fn book_without_counter_entry(&mut self, now: Micros, amount: Amount) {
        self.catch_up(now);
        let ledger = self.db.ledger_mut();
        ledger
            .state
            .book_without_counter_entry(AccountId(0), AssetId(0), amount);
    }

    /// The newest order of the log once more, under the next number: nobody sent it. Only while the fence is up, as an
    /// engine that leads would not know of it. Whether there was one.
    pub fn log_newest_order_again(&mut self, now: Micros) -> bool {
        self.catch_up(now);
        let log = &mut self.db.ledger_mut().log;
        let placed = |entry: &&LogEntry| matches!(entry.command, Command::Place { .. });
        let Some(command) = log.entries().iter().rfind(placed).map(|it| it.command) else {
            return false;
        };
        let next = Seq(log.last_seq().0 + 1);
        log.append(next, command).is_ok()
    }

    /// Fault: no gateway that runs works on a request before `until`. Requests are taken in and wait, as they do before
    /// a process that stands still: the node's kernel answers the connection.
    pub fn hold_up_gateways(&mut self, now: Micros, until: Micros) {
        self.catch_up(now);
        self.faults.gateways_still = self.faults.gateways_still.max(until.0);
        for index in &self.live_gateways {
            let gateway = &mut self.gateways[*index as usize];
            gateway.busy_until = gateway.busy_until.max(until.0);
        }
    }
}
