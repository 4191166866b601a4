//! What the kubelet remembers of each container of a pod.

use super::hooks::Hook;
use super::probes::ProbeRun;
use super::termination::Kill;
use crate::cluster::due_items::ProbeKind;
use crate::cluster::json::Value;
use crate::cluster::value::{int, items, text};
use crate::time::Micros;

/// A container of a pod on a node: the pod by its admission, the container by its place. Containers come first in the
/// order of the spec, then init containers in theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContainerRef {
    pub(crate) pod: u32,
    pub(crate) place: u16,
}

impl ContainerRef {
    /// Whether it is the first of the containers that are no init containers. What happens to it is drawn from the
    /// kubelet's own stream, and what happens to all others from another one.
    pub(crate) fn leads(self) -> bool {
        self.place == 0
    }
}

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// One of `spec.containers`.
    Main,
    /// An init container: it must end well before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: it must have started before the next one starts, and runs on.
    Sidecar,
}

/// A container's state as the status shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    Waiting {
        reason: &'static str,
        message: String,
    },
    Running {
        since: Micros,
    },
    Terminated(Exit),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    pub(crate) started: Micros,
    pub(crate) finished: Micros,
}

/// A doubling delay (`client-go/util/flowcontrol/backoff.go`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff {
    delay: Micros,
    updated: Micros,
}

impl BackOff {
    fn expired(self, event: Micros, max: Micros) -> bool {
        self.delay == Micros::ZERO || event.saturating_sub(self.updated).0 > 2 * max.0
    }

    /// Whether an event at `event` still has to wait.
    pub(crate) fn holds(self, event: Micros, now: Micros, max: Micros) -> bool {
        !self.expired(event, max) && now.saturating_sub(event) < self.delay
    }

    /// The next, longer delay.
    pub(crate) fn next(&mut self, event: Micros, now: Micros, first: Micros, max: Micros) {
        self.delay = if self.expired(event, max) {
            first
        } else {
            Micros(self.delay.0 * 2).min(max)
        };
        self.updated = now;
    }

    pub(crate) fn delay(self) -> Micros {
        self.delay
    }
}

/// A container of a pod on a node.
#[derive(Debug)]
pub(crate) struct ContainerRun {
    pub(crate) name: String,
    pub(crate) image: String,
    /// Whether the registry is asked at each start (`imagePullPolicy: Always`).
    pub(super) always_pulls: bool,
    pub(crate) role: Role,
    /// Names and numbers of the ports that it declares.
    ports: Vec<(String, i64)>,
    /// Changes whenever pending steps lose their meaning.
    pub(crate) epoch: u32,
    /// Whether its turn to be started has come.
    pub(crate) asked: bool,
    /// Of an init container: whether the next one may start.
    pub(crate) initialized: bool,
    /// Whether a process runs.
    pub(crate) process: bool,
    pub(crate) process_since: Micros,
    pub(crate) state: State,
    pub(crate) last: Option<Exit>,
    /// An exit that the kubelet has not noticed yet.
    pub(crate) exit: Option<Exit>,
    pub(crate) starts: u32,
    pub(crate) started: bool,
    pub(crate) ready: bool,
    pub(crate) probes: Vec<ProbeRun>,
    pub(crate) crash_back_off: BackOff,
    pub(crate) pull_back_off: BackOff,
    pub(crate) pull_failed: Option<Micros>,
    /// To be started again after an exit.
    pub(crate) restarting: bool,
    /// What runs before it is sent SIGTERM.
    pub(crate) pre_stop: Option<Hook>,
    /// How it is being stopped, until SIGTERM is sent.
    pub(crate) kill: Option<Kill>,
}

impl ContainerRun {
    pub(crate) fn new(now: Micros, spec: &Value, role: Role, waits_for: &'static str) -> Self {
        let mut run = Self {
            name: text(spec, &["name"]).to_owned(),
            image: text(spec, &["image"]).to_owned(),
            always_pulls: text(spec, &["imagePullPolicy"]) == "Always",
            role,
            ports: items(spec, &["ports"])
                .iter()
                .filter_map(|p| {
                    let number = int(p, &["containerPort"])?;
                    Some((text(p, &["name"]).to_owned(), number))
                })
                .collect(),
            epoch: 0,
            asked: false,
            initialized: false,
            process: false,
            process_since: now,
            state: State::Waiting {
                reason: waits_for,
                message: String::new(),
            },
            last: None,
            exit: None,
            starts: 0,
            started: false,
            ready: false,
            probes: Vec::new(),
            crash_back_off: BackOff::default(),
            pull_back_off: BackOff::default(),
            pull_failed: None,
            restarting: false,
            pre_stop: None,
            kill: None,
        };
        run.pre_stop = Hook::of(spec, &run);
        run
    }

    /// The first port that it declares.
    pub(crate) fn port(&self) -> Option<i64> {
        self.ports.first().map(|(_, number)| *number)
    }

    pub(crate) fn declares(&self, port: i64) -> bool {
        self.ports.iter().any(|(_, number)| *number == port)
    }

    /// The port that a probe or a hook means, by number or by the name that this container gives it
    /// (`pkg/probe/util.go` ResolveContainerPort).
    pub(crate) fn resolve(&self, port: &Value) -> Option<i64> {
        let named = |wanted: &str| {
            let mut declared = self.ports.iter();
            declared
                .find(|(name, _)| name == wanted)
                .map(|(_, number)| *number)
        };
        port.as_i64()
            .or_else(|| port.as_str().and_then(|s| s.parse().ok()))
            .or_else(|| port.as_str().and_then(named))
    }

    /// How often it was started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    /// Whether it may be started again after an exit with `code`, in a pod with this restart policy
    /// (`pkg/kubelet/container/helpers.go` ShouldContainerBeRestarted, `kuberuntime_container.go`
    /// computeInitContainerActions).
    pub(crate) fn restarts_after(&self, code: i32, policy: &str) -> bool {
        match (self.role, policy) {
            (Role::Sidecar, _) => true,
            (_, "Never") => false,
            (Role::Init, _) | (Role::Main, "OnFailure") => code != 0,
            (Role::Main, _) => true,
        }
    }

    /// Whether the status shows that it runs and has started, and it is not ready. An init container never is.
    pub(super) fn is_unready(&self) -> bool {
        let runs = matches!(self.state, State::Running { .. }) && self.role != Role::Init;
        runs && self.process && self.started && !self.ready
    }

    /// Whether it has a probe of this kind.
    pub(super) fn has_probe(&self, kind: ProbeKind) -> bool {
        self.probes.iter().any(|p| p.kind == kind)
    }

    /// Whether a status that is computed now has its readiness asked (`prober_manager.go` UpdatePodStatus).
    pub(super) fn asks_readiness(&self) -> bool {
        self.is_unready() && self.has_probe(ProbeKind::Readiness)
    }

    /// The process has ended or was never there: nothing is ready, nothing is probed.
    pub(crate) fn clear_process(&mut self) {
        self.process = false;
        self.started = false;
        self.ready = false;
        self.probes.clear();
        self.epoch += 1;
    }
}
