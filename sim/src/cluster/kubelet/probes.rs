//! Probes (`pkg/kubelet/prober/worker.go`): one tick each period, counted from when the pod came to the node.
//!
//! A readiness probe is also asked at once whenever the pod's status is computed while its container is not ready
//! ([`super::syncs`]), and its period begins anew then.

use super::container::{ContainerRef, ContainerRun};
use super::pod::PodRun;
use crate::cluster::due_items::{ProbeKind, Step};
use crate::cluster::json::Value;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{at, int, items, text};
use crate::time::Micros;
use crate::workload::Workload;

/// How a probe asks.
#[derive(Clone, Debug)]
enum Handler {
    /// GET of this path: 200 to 399 is a success.
    Http(String),
    /// A connection to the port.
    Tcp,
    /// The health service of gRPC (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>), asked as
    /// [`GRPC_HEALTH`]: 200 to 399 is `SERVING`.
    Grpc,
    /// A command; the application says whether it succeeds.
    Exec(Vec<String>),
}

/// In µs.
const SECOND: u64 = 1_000_000;

/// The path of the method that a gRPC probe calls.
const GRPC_HEALTH: &str = "/grpc.health.v1.Health/Check";

/// A probe and what it has found so far.
#[derive(Clone, Debug)]
pub(crate) struct ProbeRun {
    pub(crate) kind: ProbeKind,
    handler: Handler,
    /// The port that it asks, if it names one that there is.
    port: Option<i64>,
    /// Its own grace period, for a container that it stops (`isProbeTerminationGracePeriodSecondsSet`).
    pub(crate) grace: Option<Micros>,
    period: Micros,
    /// When the next tick is due. A tick that comes sooner was put off.
    due: Micros,
    initial_delay: Micros,
    success_threshold: i64,
    failure_threshold: i64,
    in_a_row: i64,
    last: Option<bool>,
    /// The result that counts: readiness begins false, liveness true.
    healthy: bool,
}

fn parse(spec: &Value, kind: ProbeKind, container: &ContainerRun) -> ProbeRun {
    let whole = |n: i64| Micros::from_secs(u64::try_from(n).unwrap_or(0));
    let seconds = |f: &str, default: i64| whole(int(spec, &[f]).unwrap_or(default));
    let port = ["httpGet", "tcpSocket", "grpc"]
        .iter()
        .find_map(|handler| at(spec, &[handler, "port"]));
    let handler = if spec.get("httpGet").is_some() {
        Handler::Http(text(spec, &["httpGet", "path"]).to_owned())
    } else if spec.get("exec").is_some() {
        let words = items(spec, &["exec", "command"]).iter();
        let word = |it: &Value| it.as_str().unwrap_or("").to_owned();
        Handler::Exec(words.map(word).collect())
    } else if spec.get("grpc").is_some() {
        Handler::Grpc
    } else {
        Handler::Tcp
    };
    ProbeRun {
        kind,
        handler,
        port: port.and_then(|port| container.resolve(port)),
        grace: int(spec, &["terminationGracePeriodSeconds"]).map(whole),
        period: seconds("periodSeconds", 10).max(Micros::from_secs(1)),
        due: Micros::ZERO,
        initial_delay: seconds("initialDelaySeconds", 0),
        success_threshold: int(spec, &["successThreshold"]).unwrap_or(1),
        failure_threshold: int(spec, &["failureThreshold"]).unwrap_or(3),
        in_a_row: 0,
        last: None,
        healthy: kind == ProbeKind::Liveness,
    }
}

/// The probes of a container's process, by its spec.
pub(super) fn probes_of(spec: &Value, container: &ContainerRun) -> Vec<ProbeRun> {
    [
        ("startupProbe", ProbeKind::Startup),
        ("readinessProbe", ProbeKind::Readiness),
        ("livenessProbe", ProbeKind::Liveness),
    ]
    .into_iter()
    .filter_map(|(field, kind)| {
        let spec = spec.get(field)?;
        Some(parse(spec, kind, container))
    })
    .collect()
}

/// What a tick leads to.
enum ProbeVerdict {
    Nothing,
    Ready(bool),
    Started,
    Kill,
}

impl ProbeRun {
    /// Takes in one result; true if the result that counts has changed (or a threshold is met again).
    fn take(&mut self, success: bool) -> bool {
        if self.last == Some(success) {
            self.in_a_row += 1;
        } else {
            self.last = Some(success);
            self.in_a_row = 1;
        }
        let threshold = if success {
            self.success_threshold
        } else {
            self.failure_threshold
        };
        if self.in_a_row < threshold {
            return false;
        }
        let changed = self.healthy != success || (!success && self.kind != ProbeKind::Readiness);
        self.healthy = success;
        changed
    }

    /// The first tick after `now`: the worker's clock runs since the pod came to the node (`prober_manager.go` AddPod).
    fn next_tick(&self, admitted: Micros, now: Micros) -> Micros {
        let ticks = now.saturating_sub(admitted).0 / self.period.0 + 1;
        admitted + Micros(ticks * self.period.0)
    }

    /// Whether `initialDelaySeconds` are not over yet. They count from the start that the pod's status shows, in whole
    /// seconds (`pkg/kubelet/status/status_manager.go` normalizeStatus).
    fn is_too_early(&self, now: Micros, process_since: Micros) -> bool {
        let shown = Micros(process_since.0 / SECOND * SECOND);
        now < shown + self.initial_delay
    }
}

fn verdict(run: &ContainerRun, kind: ProbeKind, healthy: bool, changed: bool) -> ProbeVerdict {
    match kind {
        _ if !changed => ProbeVerdict::Nothing,
        ProbeKind::Readiness => ProbeVerdict::Ready(healthy),
        ProbeKind::Startup if healthy && !run.started => ProbeVerdict::Started,
        ProbeKind::Startup if healthy => ProbeVerdict::Nothing,
        ProbeKind::Liveness if healthy => ProbeVerdict::Nothing,
        _ => ProbeVerdict::Kill,
    }
}

impl PodRun {
    /// What a probe of the container at this place is answered: the status, if anybody listens on the port.
    fn ask(
        &self,
        place: u16,
        probe: &ProbeRun,
        now: Micros,
        workload: &mut dyn Workload,
    ) -> Option<u16> {
        let own = &self.containers[usize::from(place)];
        let port = probe.port.unwrap_or_else(|| self.port_of(place));
        let asked = self.listener(port, place);
        let mut get = |path: &str| {
            let listens = self.containers[usize::from(asked)].process;
            listens.then(|| workload.get(now, self.process(asked), path))?
        };
        match &probe.handler {
            Handler::Http(path) => get(path).map(|r| r.status),
            Handler::Tcp => get("/").map(|_| 200),
            Handler::Grpc => get(GRPC_HEALTH).map(|r| r.status),
            Handler::Exec(command) => {
                let succeeds = own.process && workload.exec(now, self.process(place), command);
                succeeds.then_some(200)
            }
        }
    }
}

impl Cluster {
    /// Starts the probes of a container that has just been seen running.
    pub(super) fn start_probes(&mut self, of: ContainerRef) {
        let now = self.now;
        let asked = now + self.timings.first_probe.draw(self.rng.of(of));
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let admitted = run.admitted;
        let container = &mut run.containers[usize::from(of.place)];
        let started = container.started;
        for probe in &mut container.probes {
            probe.due = if probe.kind == ProbeKind::Readiness && started {
                // The status that says that it runs has it asked.
                asked
            } else {
                probe.next_tick(admitted, now)
            };
        }
        self.await_ticks(of);
    }

    /// Puts the next tick of each probe on the event queue.
    fn await_ticks(&mut self, of: ContainerRef) {
        let now = self.now;
        let Some(container) = self.kubelet.container(of) else {
            return;
        };
        let probes = container.probes.iter();
        let ticks: Vec<(ProbeKind, Micros)> = probes.map(|p| (p.kind, p.due)).collect();
        for (kind, due) in ticks {
            self.step_after(of, due.saturating_sub(now), Step::Probe(kind));
        }
    }

    /// Readiness is asked at once, and its period begins anew (`worker.go` run, `manualTriggerCh`).
    pub(super) fn ask_readiness(&mut self, of: ContainerRef) {
        let now = self.now;
        let Some(container) = self.kubelet.container_mut(of) else {
            return;
        };
        let mut probes = container.probes.iter_mut();
        if let Some(probe) = probes.find(|p| p.kind == ProbeKind::Readiness) {
            probe.due = now;
            self.step_after(of, Micros::ZERO, Step::Probe(ProbeKind::Readiness));
        }
    }

    /// The pod is being stopped: liveness and startup are asked no more, and readiness is asked on
    /// (`prober_manager.go` StopLivenessAndStartup), at once where it is not ready.
    pub(super) fn ask_while_it_stops(&mut self, of: ContainerRef) {
        let Some(container) = self.kubelet.container_mut(of) else {
            return;
        };
        container.probes.retain(|p| p.kind == ProbeKind::Readiness);
        if !container.process {
            return;
        }
        if container.asks_readiness() {
            self.ask_readiness(of);
        } else {
            self.await_ticks(of);
        }
    }

    /// One tick.
    pub(super) fn probe(&mut self, of: ContainerRef, kind: ProbeKind, workload: &mut dyn Workload) {
        let now = self.now;
        let held_back = kind == ProbeKind::Readiness && self.held_back(of);
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let place = usize::from(of.place);
        let container = &run.containers[place];
        let started = container.started;
        let Some(i) = container.probes.iter().position(|p| p.kind == kind) else {
            return;
        };
        // A startup probe that has succeeded is on hold until the container is another one.
        let over = kind == ProbeKind::Startup && started;
        if over || now < container.probes[i].due {
            return;
        }
        let gated = kind != ProbeKind::Startup && !started;
        let skipped = gated || container.probes[i].is_too_early(now, container.process_since);
        let period = container.probes[i].period;
        run.containers[place].probes[i].due = now + period;
        self.step_after(of, period, Step::Probe(kind));
        if skipped {
            return;
        }
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        let container = &run.containers[place];
        let answer = run.ask(of.place, &container.probes[i], now, workload);
        let answer = if held_back { Some(503) } else { answer };
        let success = answer.is_some_and(|s| (200..400).contains(&s));
        let port = container.probes[i].port;
        let port = port.unwrap_or_else(|| run.port_of(of.place));
        let container = &mut run.containers[place];
        let changed = container.probes[i].take(success);
        let healthy = container.probes[i].healthy;
        let verdict = verdict(container, kind, healthy, changed);
        if !success {
            let what = match kind {
                ProbeKind::Startup => "Startup",
                ProbeKind::Readiness => "Readiness",
                ProbeKind::Liveness => "Liveness",
            };
            let why = match answer {
                Some(status) => format!("HTTP probe failed with statuscode: {status}"),
                None => format!(
                    "Get \"http://{0}:{port}\": dial tcp {0}:{port}: connect: connection refused",
                    run.ip
                ),
            };
            let message = format!("{what} probe failed: {why}");
            self.pod_event(of.pod, true, "Unhealthy", &message);
        }
        match verdict {
            ProbeVerdict::Nothing => {}
            ProbeVerdict::Ready(ready) => {
                if let Some(container) = self.kubelet.container_mut(of) {
                    container.ready = ready;
                }
                self.mark_status(of);
                self.sync_soon(of.pod);
            }
            ProbeVerdict::Started => {
                if let Some(container) = self.kubelet.container_mut(of) {
                    container.started = true;
                }
                self.mark_status(of);
                self.sync_soon(of.pod);
                self.sidecar_started(of);
            }
            ProbeVerdict::Kill => {
                let epoch = self.kubelet.container(of).map_or(0, |c| c.epoch);
                if let Some(container) = self.kubelet.container_mut(of) {
                    // On hold until the container is another one.
                    container.probes[i].due = Micros(u64::MAX);
                }
                self.container_step(of, epoch, Step::Restart(kind), workload);
            }
        }
    }
}
