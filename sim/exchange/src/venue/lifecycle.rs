//! What the kubelet and kube-proxy do to the pods, and what happens inside them by themselves.

use std::collections::BTreeMap;

use dex::gateway::TradingMode;
use dex::release::{CRASHES_AFTER_S, Defect, Service, TRADING};

use super::{Due, SimulatedExchange};
use crate::config::ServiceTimings;
use crate::pod::{Pod, Role};
use sim::measured::Distribution;
use sim::time::Micros;
use sim::workload::{
    ContainerResponse, ContainerStart, LogLine, ProcessId, StartOutcome, Workload,
};

/// Between two lines of a gateway that has nothing else to say.
pub(super) const HEARTBEAT: Micros = Micros::from_secs(10);
/// Exit code of a Rust program that panicked.
const PANICKED: i32 = 101;
/// Between two looks of a gateway whose engine serves no list of markets that it can read.
const NEXT_LOOK: Micros = Micros::from_secs(1);
/// How long before its exit a draining gateway has closed all idle connections.
const LAST_CALL: Micros = Micros::from_millis(300);

/// One of the timings that each service has its own of.
type Timed = dyn Fn(&ServiceTimings) -> [Distribution; Service::ALL.len()];

impl Workload for SimulatedExchange {
    fn start(&mut self, now: Micros, container: &ContainerStart) -> StartOutcome {
        self.catch_up(now);
        let index = self.pods.len();
        let build = self.build_of(&container.image);
        let instance = self.rng.next_u64();
        let ContainerStart { uid, app, .. } = container;
        self.pods
            .push(Pod::new(container, build, Role::Broken, instance));
        self.pods[index].previous = self.by_uid.insert(uid.clone(), index);
        let after = self.takes(&|t| t.boot, build.map(|b| b.service));
        match self.boot_role(index, build, container) {
            Ok(role) => {
                self.pods[index].role = role;
                self.refresh_route();
                let version = build.map_or("?", |b| b.version);
                self.log(index, now, "info", format!("starting {app} {version}"));
                let load = self.load_time(index);
                self.event_queue.push(now + after + load, Due::Ready(index));
                if build.is_some_and(|build| build.has(Defect::CrashLoop)) {
                    return StartOutcome::Exits {
                        after: after + load + Micros::from_secs(CRASHES_AFTER_S),
                        code: PANICKED,
                    };
                }
                StartOutcome::Running
            }
            Err(reason) => {
                self.log(index, now, "error", reason);
                StartOutcome::Exits {
                    after: Micros(after.0 / 3),
                    code: 1,
                }
            }
        }
    }

    fn terminate(&mut self, now: Micros, process: ProcessId<'_>) -> Micros {
        self.catch_up(now);
        let Some(index) = self.running(process.uid) else {
            return Micros::ZERO;
        };
        self.pods[index].terminating = true;
        self.log(index, now, "info", "SIGTERM: draining".to_owned());
        let service = self.pods[index].build.map(|b| b.service);
        let drain = self.takes(&|t| t.drain, service);
        match self.pods[index].role {
            Role::Gateway(gateway) if self.pods[index].ready => {
                let lame_duck = Micros::from_millis(self.config.service.lame_duck_ms);
                let gateway = &mut self.gateways[gateway as usize];
                gateway.draining = true;
                gateway.closes_at = (now + lame_duck).saturating_sub(LAST_CALL).0;
                // Whatever is queued now is answered first.
                let queued = Micros(gateway.busy_until).saturating_sub(now) + LAST_CALL;
                lame_duck.max(queued).max(drain)
            }
            Role::Matching(_) => {
                if self
                    .leader
                    .as_ref()
                    .is_some_and(|leader| leader.pod == index)
                {
                    self.step_down(now);
                    self.fill_vacancy(now);
                }
                drain
            }
            _ => drain,
        }
    }

    fn gone(&mut self, now: Micros, process: ProcessId<'_>) {
        self.catch_up(now);
        let uid = process.uid;
        let Some(index) = self.running(uid) else {
            return;
        };
        self.pods[index].alive = false;
        self.pods[index].ready = false;
        self.db.disconnect(uid);
        self.fold(&[now.0, index as u64]);
        if let Role::Gateway(gateway) = self.pods[index].role {
            let state = &mut self.gateways[gateway as usize];
            state.alive = false;
            state.hops.clear();
            self.live_gateways.retain(|g| *g != gateway);
            self.refresh_route();
            self.reset_connections(now, gateway);
            self.find_next_hop();
        }
        if self
            .leader
            .as_ref()
            .is_some_and(|leader| leader.pod == index)
        {
            self.step_down(now);
            let (lo, hi) = self.config.service.takeover_ms;
            let lag = Micros::from_millis(self.rng.between(lo, hi));
            self.event_queue.push(now + lag, Due::Takeover);
        }
    }

    fn get(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        path: &str,
    ) -> Option<ContainerResponse> {
        self.catch_up(now);
        let index = self.running(process.uid)?;
        if matches!(self.pods[index].role, Role::Broken) {
            return None;
        }
        let plain = |status, body: &str| ContainerResponse {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.to_owned(),
        };
        Some(match path.split('?').next().unwrap_or(path) {
            "/health" if self.is_sick(index) => plain(503, "cannot reach the clearing house"),
            "/health" => match self.unhealthy(index) {
                None => plain(200, "ok"),
                Some(reason) => plain(503, &reason),
            },
            "/livez" => match &self.pods[index].failed {
                None => plain(200, "ok"),
                Some(reason) => plain(500, reason),
            },
            "/metrics" => ContainerResponse {
                status: 200,
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: self.render_metrics(index),
            },
            _ => plain(404, "not found"),
        })
    }

    fn logs(
        &mut self,
        now: Micros,
        process: ProcessId<'_>,
        since: Micros,
        previous: bool,
    ) -> Vec<LogLine> {
        self.catch_up(now);
        let latest = self.by_uid.get(process.uid).copied();
        let index = if previous {
            latest.and_then(|index| self.pods[index].previous)
        } else {
            latest
        };
        let lines = index.map_or(&[][..], |index| &self.pods[index].lines);
        // They are not in the order of their instants, and a kubelet looks at each line (`pkg/kubelet/logs`).
        lines
            .iter()
            .filter(|line| line.at >= since)
            .cloned()
            .collect()
    }

    fn route(&mut self, now: Micros, service: &str, uids: &[String]) {
        self.catch_up(now);
        if service == Service::Gateway.name() {
            self.route_uids = uids.to_vec();
            self.refresh_route();
            self.fold(&[now.0, uids.len() as u64]);
        }
    }

    fn config(&mut self, now: Micros, name: &str, data: &BTreeMap<String, String>) {
        self.catch_up(now);
        if name != TRADING {
            return;
        }
        let mode = data
            .get("mode")
            .map_or(TradingMode::Open, |mode| TradingMode::parse(mode));
        if mode == self.mode {
            return;
        }
        self.mode = mode;
        self.mode_version += 1;
        for gateway in self.live_gateways.clone() {
            // Looked up in any case, so that a fault leaves the other draws alone.
            let mounts = &mut self.gateways[gateway as usize].mounts;
            let mut seen = mounts.changed(now, self.mode_version, &mut self.looks);
            if let Some(fault) = &mut self.faults.flag {
                fault.hits += 1;
                seen = fault.delay.map(|delay| now + delay);
            }
            if let Some(at) = seen {
                self.event_queue
                    .push(at, Due::Mode(gateway, mode, self.mode_version));
            }
        }
    }
}

impl SimulatedExchange {
    /// How long a process of `service` takes for something that it does by itself; an unknown one as long as a gateway.
    fn takes(&mut self, of: &Timed, service: Option<Service>) -> Micros {
        let service = service.unwrap_or(Service::Gateway);
        let place = Service::ALL.iter().position(|it| *it == service);
        of(&self.config.service)[place.unwrap_or(0)].draw(&mut self.rng)
    }

    /// A process has booted and loaded.
    pub(super) fn become_ready(&mut self, at: Micros, index: usize) {
        if !self.pods[index].alive {
            return;
        }
        if self.uses_database(index) {
            if !self.open_sessions(index) {
                let again = at + self.db.reconnect_delay();
                self.event_queue.push(again, Due::Ready(index));
                return;
            }
            if let Some(build) = self.pods[index].build
                && let Err(reason) = self.check_rows(&build)
            {
                self.fail(at, index, reason);
                return;
            }
        }
        if self.has_no_market_list(index) {
            if !std::mem::replace(&mut self.pods[index].waits, true) {
                let text =
                    "not ready: the matching engine serves no list of markets that it can read";
                self.log(index, at, "warn", text.to_owned());
            }
            self.event_queue.push(at + NEXT_LOOK, Due::Ready(index));
            return;
        }
        self.pods[index].ready = true;
        self.fold(&[at.0, index as u64]);
        self.begin_to_serve(at, index);
    }

    /// Whether a gateway starts beside an engine that serves no list of markets which its build can read. Beside an
    /// engine that doesn't answer it becomes ready: that is no reason to take the gateways away as well.
    fn has_no_market_list(&self, index: usize) -> bool {
        let Role::Gateway(_) = self.pods[index].role else {
            return false;
        };
        let engine = self.leader.as_ref().map(|leader| leader.pod);
        let engine = engine.and_then(|pod| self.pods[pod].build);
        let own = self.pods[index].build;
        own.zip(engine)
            .is_some_and(|(own, engine)| !own.starts_beside(&engine))
    }

    /// A gateway comes to see the halt flag.
    pub(super) fn see_mode(&mut self, at: Micros, gateway: u32, mode: TradingMode, version: u64) {
        let state = &mut self.gateways[gateway as usize];
        // One look may bring several changes; the last one is what the file then says.
        if !state.alive || state.mode_version >= version || state.mounts.brings_more(at, version) {
            return;
        }
        state.mode = mode;
        state.mode_version = version;
        let pod = state.pod;
        let text = match mode {
            TradingMode::Open => "trading is open",
            TradingMode::Maintenance => "trading is halted",
        };
        self.log(pod, at, "info", text.to_owned());
        self.fold(&[at.0, pod as u64, version]);
    }

    /// A gateway writes a heartbeat, so that silence in its log means something.
    pub(super) fn heartbeat(&mut self, at: Micros, index: usize) {
        if self.pods[index].alive {
            self.log(index, at, "info", "heartbeat".to_owned());
            self.event_queue.push(at + HEARTBEAT, Due::Heartbeat(index));
        }
    }

    /// One run of reconciliation.
    pub(super) fn reconcile(&mut self, at: Micros, index: usize) {
        if !self.pods[index].alive {
            return;
        }
        self.event_queue.push(
            at + self.config.service.reconcile_every,
            Due::Reconcile(index),
        );
        if self.pods[index].failed.is_some() || !self.db.connected(&self.pods[index].uid) {
            return;
        }
        if let Some(build) = self.pods[index].build
            && let Err(reason) = self.check_rows(&build)
        {
            self.fail(at, index, reason);
            return;
        }
        let ledger = self.db.ledger();
        let Role::Risk(risk) = &mut self.pods[index].role else {
            return;
        };
        // A restored ledger has fewer trades than were read before.
        let last = ledger.state().trade_id();
        let read = risk.reconciler.last_trade().min(last);
        let from = self.unread_trades.partition_point(|trade| trade.id <= read);
        let to = self.unread_trades.partition_point(|trade| trade.id <= last);
        let trades = &self.unread_trades[from..to];
        let findings = risk.reconciler.run(ledger.state(), trades, ledger.log());
        let previously = std::mem::replace(&mut risk.reported, findings.anomalies);
        let read_by_all = self
            .pods
            .iter()
            .filter(|pod| pod.alive)
            .filter_map(|pod| match &pod.role {
                Role::Risk(risk) => Some(risk.reconciler.last_trade()),
                _ => None,
            })
            .min();
        if let Some(read) = read_by_all {
            let to = self.unread_trades.partition_point(|trade| trade.id <= read);
            self.unread_trades.drain(..to);
        }
        self.fold(&[at.0, findings.anomalies, findings.irregularities]);
        if findings.anomalies != previously {
            let level = if findings.anomalies > 0 {
                "error"
            } else {
                "info"
            };
            self.log(
                index,
                at,
                level,
                format!("reconciliation: {} balance anomalies", findings.anomalies),
            );
        }
        if findings.irregularities > 0 {
            self.log(
                index,
                at,
                "error",
                format!("matching irregularities: {}", findings.irregularities),
            );
        }
        if findings.hash_mismatch == Some(true) {
            self.log(
                index,
                at,
                "error",
                "state hash differs from the shadow's".to_owned(),
            );
        }
    }

    /// Why a process is not ready; `None` if it is.
    fn unhealthy(&self, index: usize) -> Option<String> {
        let pod = &self.pods[index];
        if let Some(reason) = &pod.failed {
            return Some(format!("cannot load the ledger: {reason}"));
        }
        if !pod.ready {
            return Some("loading".to_owned());
        }
        if pod.terminating {
            return Some("draining".to_owned());
        }
        if self.uses_database(index) && !self.db.connected(&pod.uid) {
            return Some("no session to the ledger database".to_owned());
        }
        None
    }

    /// Looks up what listens behind the addresses that kube-proxy has.
    pub(super) fn refresh_route(&mut self) {
        self.route.clear();
        for uid in &self.route_uids {
            let listens = self
                .by_uid
                .get(uid)
                .and_then(|index| match self.pods[*index].role {
                    Role::Gateway(gateway) if self.pods[*index].alive => Some(gateway),
                    _ => None,
                });
            self.route.push(listens);
        }
    }
}
