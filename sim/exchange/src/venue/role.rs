//! What tells the services' processes apart: one arm each of what a process is, how it boots, how it begins to serve,
//! and what it exposes.

use std::collections::VecDeque;

use dex::exposition::DURATION_BOUNDS;
use dex::gateway::{Gateway, GatewayConfig};
use dex::release::{Build, Service};
use dex::risk::Reconciler;

use super::faults::Alarm;
use super::lifecycle::HEARTBEAT;
use super::{Due, SimulatedExchange};
use crate::mounts::Mounts;
use crate::pod::{Answer, GatewayState, MatchingState, RiskState, Role};
use sim::observe::SampleSink;
use sim::time::Micros;
use sim::workload::ContainerStart;

impl SimulatedExchange {
    /// What a process does first: reads its configuration, connects, looks at the ledger.
    pub(super) fn boot_role(
        &mut self,
        pod: usize,
        build: Option<Build>,
        container: &ContainerStart,
    ) -> Result<Role, String> {
        let build =
            build.ok_or_else(|| format!("exec: no such program in image {}", container.image))?;
        match build.service {
            Service::Gateway => {
                let config = GatewayConfig::from_env(&container.env)
                    .map_err(|error| format!("configuration: {error}"))?;
                let specs: Vec<_> = self
                    .db
                    .ledger()
                    .state()
                    .markets()
                    .map(|(spec, _)| *spec)
                    .collect();
                let index = self.gateways.len() as u32;
                let same = |other: &&GatewayState| *other.gateway.build() == build;
                let instance = self.gateways.iter().filter(same).count() as u64;
                self.gateways.push(GatewayState {
                    pod,
                    gateway: Gateway::new(
                        build,
                        instance,
                        config,
                        self.config.load.accounts,
                        &specs,
                    ),
                    mode: self.mode,
                    mode_version: self.mode_version,
                    mounts: Mounts::default(),
                    alive: true,
                    draining: false,
                    closes_at: u64::MAX,
                    busy_until: 0,
                    hops: VecDeque::with_capacity(usize::from(config.queue_max).min(1_024)),
                    answers: [0; 5],
                    durations: [0; DURATION_BOUNDS.len() + 1],
                    duration_sum_us: 0,
                });
                self.live_gateways.push(index);
                Ok(Role::Gateway(index))
            }
            Service::Matching | Service::Risk => {
                let role = if build.service == Service::Matching {
                    Role::Matching(MatchingState::default())
                } else {
                    let read = self.db.ledger().state().trade_id();
                    Role::Risk(Box::new(RiskState {
                        reconciler: Reconciler::starting_after(read),
                        reported: 0,
                    }))
                };
                // While the ledger is closed to connections, the process waits for it.
                if self.db.accepts_connections() {
                    self.check_rows(&build)
                        .map_err(|reason| format!("cannot load the ledger: {reason}"))?;
                }
                Ok(role)
            }
        }
    }

    /// How long a process loads before it is ready.
    pub(super) fn load_time(&self, pod: usize) -> Micros {
        let Role::Matching(_) = self.pods[pod].role else {
            return Micros::ZERO;
        };
        let ledger = self.db.ledger();
        let rows =
            ledger.state().ledger().balances().len() as u64 + ledger.state().open_orders() as u64;
        let timings = &self.config.service;
        Micros((rows * timings.load_row_ns + ledger.unapplied() * timings.replay_entry_ns) / 1_000)
    }

    /// A process has booted, loaded and become ready.
    pub(super) fn begin_to_serve(&mut self, at: Micros, index: usize) {
        match &mut self.pods[index].role {
            Role::Gateway(gateway) => {
                let gateway = *gateway as usize;
                self.gateways[gateway].mounts.looked(at, &mut self.looks);
                if self.gateways[gateway].mode_version < self.mode_version {
                    // A mounted ConfigMap is current when the container starts.
                    self.gateways[gateway].mode = self.mode;
                    self.gateways[gateway].mode_version = self.mode_version;
                }
                self.log(index, at, "info", "listening on :8080".to_owned());
                self.event_queue.push(at + HEARTBEAT, Due::Heartbeat(index));
            }
            Role::Matching(_) => {
                let newer = self.leader.as_ref().is_none_or(|leader| leader.pod < index);
                if newer && !self.pods[index].terminating {
                    self.take_lead(at, index);
                }
            }
            Role::Risk(risk) => {
                let read = self.db.ledger().state().trade_id();
                risk.reconciler = Reconciler::starting_after(read);
                self.log(index, at, "info", format!("reconciling from trade {read}"));
                self.event_queue.push(
                    at + self.config.service.reconcile_every,
                    Due::Reconcile(index),
                );
            }
            Role::Broken => {}
        }
    }

    /// What a process exposes of its service, always in the same order.
    pub(super) fn expose_role(&self, index: usize, sink: &mut dyn SampleSink) {
        match &self.pods[index].role {
            Role::Gateway(gateway) => {
                let gateway = &self.gateways[*gateway as usize];
                for (count, (code, maintenance)) in gateway.answers.iter().zip(Answer::LABELS) {
                    sink.sample(
                        "dex_requests_total",
                        &[("code", code), ("maintenance", maintenance)],
                        *count as f64,
                    );
                }
                let mut sum = 0;
                let bounds = DURATION_BOUNDS
                    .iter()
                    .map(|(_, text)| *text)
                    .chain(["+Inf"]);
                for (count, le) in gateway.durations.iter().zip(bounds) {
                    sum += count;
                    sink.sample(
                        "dex_request_duration_seconds_bucket",
                        &[("le", le)],
                        sum as f64,
                    );
                }
                let seconds = Micros(gateway.duration_sum_us).as_secs_f64();
                sink.sample("dex_request_duration_seconds_sum", &[], seconds);
                sink.sample("dex_request_duration_seconds_count", &[], sum as f64);
            }
            Role::Matching(state) => {
                let leads = self.leader.as_ref().filter(|leader| leader.pod == index);
                let (orders, trades) =
                    leads.map_or((0, 0), |leader| (leader.orders, leader.trades));
                sink.sample("dex_orders_total", &[], (state.orders + orders) as f64);
                sink.sample("dex_trades_total", &[], (state.trades + trades) as f64);
                let seq = self.db.ledger().log().last_seq();
                sink.sample("dex_order_log_seq", &[], seq.0 as f64);
                if state.refused > 0 {
                    sink.sample("dex_reconciliation_anomalies", &[], state.refused as f64);
                }
            }
            Role::Risk(risk) => {
                let reconciler = &risk.reconciler;
                let alarms = &self.faults.alarms;
                let raised = |alarm: Alarm| u64::from(alarms.contains_key(&alarm));
                for (metric, value) in [
                    (
                        "dex_reconciliation_anomalies",
                        reconciler.anomalies() + raised(Alarm::Books),
                    ),
                    ("dex_reconciliation_runs_total", reconciler.runs_total()),
                    (
                        "dex_matching_irregularities_total",
                        reconciler.irregularities_total() + raised(Alarm::Matching),
                    ),
                    (
                        "dex_state_hash_mismatches_total",
                        reconciler.hash_mismatches_total() + raised(Alarm::StateHash),
                    ),
                ] {
                    sink.sample(metric, &[], value as f64);
                }
            }
            Role::Broken => {}
        }
    }
}
