//! Probes (`pkg/kubelet/prober`): the first tick when the container is known, then one each period.

use super::pod::{PodRun, container_spec};
use crate::cluster::due_items::{ProbeKind, Step};
use crate::cluster::json::Value;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{int, text};
use crate::time::Micros;
use crate::workload::Workload;

/// How a probe asks.
#[derive(Clone, Debug)]
enum Handler {
    /// GET of this path: 200 to 399 is a success.
    Http(String),
    /// A connection to the port.
    Tcp,
    /// A command; it succeeds while the process runs.
    Exec,
}

/// A probe and what it has found so far.
#[derive(Clone, Debug)]
pub(crate) struct ProbeRun {
    pub(crate) kind: ProbeKind,
    handler: Handler,
    period: Micros,
    initial_delay: Micros,
    success_threshold: i64,
    failure_threshold: i64,
    in_a_row: i64,
    last: Option<bool>,
    /// The result that counts: readiness begins false, liveness true.
    healthy: bool,
}

fn parse(spec: &Value, kind: ProbeKind) -> ProbeRun {
    let seconds = |f: &str, default: i64| {
        Micros::from_secs(u64::try_from(int(spec, &[f]).unwrap_or(default)).unwrap_or(0))
    };
    let handler = if spec.get("httpGet").is_some() {
        Handler::Http(text(spec, &["httpGet", "path"]).to_owned())
    } else if spec.get("exec").is_some() {
        Handler::Exec
    } else {
        Handler::Tcp
    };
    ProbeRun {
        kind,
        handler,
        period: seconds("periodSeconds", 10).max(Micros::from_secs(1)),
        initial_delay: seconds("initialDelaySeconds", 0),
        success_threshold: int(spec, &["successThreshold"]).unwrap_or(1),
        failure_threshold: int(spec, &["failureThreshold"]).unwrap_or(3),
        in_a_row: 0,
        last: None,
        healthy: kind == ProbeKind::Liveness,
    }
}

/// The probes of a pod's process.
pub(super) fn probes_of(pod: &Value) -> Vec<ProbeRun> {
    let container = container_spec(pod);
    [
        ("startupProbe", ProbeKind::Startup),
        ("readinessProbe", ProbeKind::Readiness),
        ("livenessProbe", ProbeKind::Liveness),
    ]
    .into_iter()
    .filter_map(|(field, kind)| container.get(field).map(|spec| parse(spec, kind)))
    .collect()
}

/// What a tick leads to.
enum Verdict {
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

    /// The first tick at or after `from` that the initial delay allows.
    fn first(&self, from: Micros, process_since: Micros) -> Micros {
        let earliest = process_since + self.initial_delay;
        let mut tick = from;
        while tick < earliest {
            tick += self.period;
        }
        tick
    }
}

fn verdict(run: &PodRun, kind: ProbeKind, healthy: bool, changed: bool) -> Verdict {
    match kind {
        _ if !changed => Verdict::Nothing,
        ProbeKind::Readiness => Verdict::Ready(healthy),
        ProbeKind::Startup if healthy && !run.started => Verdict::Started,
        ProbeKind::Startup if healthy => Verdict::Nothing,
        ProbeKind::Liveness if healthy => Verdict::Nothing,
        _ => Verdict::Kill,
    }
}

impl Cluster {
    /// Starts the probes of a container that has just been seen running.
    pub(super) fn start_probes(&mut self, id: u32) {
        let now = self.now;
        let Some(run) = self.kubelet.pods.get(&id) else {
            return;
        };
        let since = run.process_since;
        let from = now + self.timings.first_probe.draw(&mut self.rng.kubelet);
        let first: Vec<(ProbeKind, Micros)> = run
            .probes
            .iter()
            .map(|p| (p.kind, p.first(from, since)))
            .collect();
        for (kind, at) in first {
            self.step_after(id, at - now, Step::Probe(kind));
        }
    }

    /// One tick.
    pub(super) fn probe(&mut self, id: u32, kind: ProbeKind, workload: &mut dyn Workload) {
        let now = self.now;
        let held_back = kind == ProbeKind::Readiness && self.held_back(id);
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        let gated = kind != ProbeKind::Startup && !run.started;
        let Some(i) = run.probes.iter().position(|p| p.kind == kind) else {
            return;
        };
        let period = run.probes[i].period;
        if gated {
            self.step_after(id, period, Step::Probe(kind));
            return;
        }
        let answer = match &run.probes[i].handler {
            Handler::Http(path) => workload.get(now, &run.uid, path).map(|r| r.status),
            Handler::Tcp => workload.get(now, &run.uid, "/").map(|_| 200),
            Handler::Exec => run.process.then_some(200),
        };
        let answer = if held_back { Some(503) } else { answer };
        let success = answer.is_some_and(|s| (200..400).contains(&s));
        let changed = run.probes[i].take(success);
        let healthy = run.probes[i].healthy;
        let verdict = verdict(run, kind, healthy, changed);
        if !success {
            let what = match kind {
                ProbeKind::Startup => "Startup",
                ProbeKind::Readiness => "Readiness",
                ProbeKind::Liveness => "Liveness",
            };
            let why = match answer {
                Some(status) => format!("HTTP probe failed with statuscode: {status}"),
                None => format!(
                    "Get \"http://{0}:{1}\": dial tcp {0}:{1}: connect: connection refused",
                    run.ip, run.port
                ),
            };
            self.pod_event(
                id,
                true,
                "Unhealthy",
                &format!("{what} probe failed: {why}"),
            );
        }
        match verdict {
            Verdict::Nothing => {}
            Verdict::Ready(ready) => {
                if let Some(run) = self.kubelet.pods.get_mut(&id) {
                    run.ready = ready;
                }
                self.mark_status(id);
            }
            Verdict::Started => {
                self.set_started(id);
                self.mark_status(id);
                self.restart_ticks(id);
                return;
            }
            Verdict::Kill => {
                self.kill_to_restart(id, kind, workload);
                return;
            }
        }
        self.step_after(id, period, Step::Probe(kind));
    }

    /// The startup probe has succeeded.
    fn set_started(&mut self, id: u32) {
        if let Some(run) = self.kubelet.pods.get_mut(&id) {
            run.started = true;
            run.ready = !run.probes.iter().any(|p| p.kind == ProbeKind::Readiness);
        }
    }

    /// Readiness is probed at once, liveness after its period; pending ticks are void.
    fn restart_ticks(&mut self, id: u32) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        run.epoch += 1;
        let ticks: Vec<(ProbeKind, Micros)> = run
            .probes
            .iter()
            .filter(|p| p.kind != ProbeKind::Startup)
            .map(|p| match p.kind {
                ProbeKind::Readiness => (p.kind, Micros::ZERO),
                _ => (p.kind, p.period),
            })
            .collect();
        for (kind, delay) in ticks {
            self.step_after(id, delay, Step::Probe(kind));
        }
    }
}
