//! What the kubelet remembers of each pod.

use std::collections::BTreeMap;

use super::images::ImageState;
use super::obstacle::Hindered;
use super::probes::ProbeRun;
use crate::cluster::json::Value;
use crate::cluster::value::{self, int, items, text};
use crate::time::Micros;

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

/// A pod on a node.
#[derive(Debug)]
pub(crate) struct PodRun {
    pub(crate) key: String,
    pub(crate) uid: String,
    pub(crate) app: String,
    pub(crate) node: String,
    pub(crate) ip: String,
    pub(crate) container: String,
    pub(crate) image: String,
    pub(crate) port: i64,
    pub(crate) restart_policy: String,
    pub(crate) grace: Micros,
    pub(crate) admitted: Micros,
    /// Changes whenever pending steps lose their meaning.
    pub(crate) epoch: u32,
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
    pub(crate) terminating: bool,
    /// Being killed to be restarted: a liveness or startup probe failed.
    pub(crate) restarting: bool,
    pub(crate) status_pending: bool,
}

impl PodRun {
    pub(crate) fn new(now: Micros, key: &str, pod: &Value) -> Self {
        let container = items(pod, &["spec", "containers"])
            .first()
            .cloned()
            .unwrap_or(Value::Null);
        let grace_s = int(pod, &["spec", "terminationGracePeriodSeconds"]).unwrap_or(30);
        Self {
            key: key.to_owned(),
            uid: value::uid(pod).to_owned(),
            app: value::label(pod, "app").to_owned(),
            node: text(pod, &["spec", "nodeName"]).to_owned(),
            ip: String::new(),
            container: text(&container, &["name"]).to_owned(),
            image: text(&container, &["image"]).to_owned(),
            port: items(&container, &["ports"])
                .first()
                .and_then(|p| int(p, &["containerPort"]))
                .unwrap_or(80),
            restart_policy: text(pod, &["spec", "restartPolicy"]).to_owned(),
            grace: Micros::from_secs(u64::try_from(grace_s).unwrap_or(0)),
            admitted: now,
            epoch: 0,
            process: false,
            process_since: now,
            state: State::Waiting {
                reason: "ContainerCreating",
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
            terminating: false,
            restarting: false,
            status_pending: false,
        }
    }

    /// Name of the pod.
    pub(crate) fn name(&self) -> &str {
        value::split_key(&self.key).1
    }

    /// How often the container was started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    /// Whether the container may be started again after an exit with `code`.
    pub(crate) fn restarts_after(&self, code: i32) -> bool {
        match self.restart_policy.as_str() {
            "Never" => false,
            "OnFailure" => code != 0,
            _ => true,
        }
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

/// All pods on all nodes, and the images that are there.
#[derive(Debug, Default)]
pub(crate) struct Kubelet {
    pub(crate) pods: BTreeMap<u32, PodRun>,
    pub(crate) by_key: BTreeMap<String, u32>,
    pub(crate) images: BTreeMap<String, ImageState>,
    /// By node and image: when the first pull of it ends there, after which it is present.
    pub(crate) pulled: BTreeMap<(String, String), Micros>,
    /// By node: when the pulls that are under way or queued will all have ended.
    pub(crate) pulling: BTreeMap<String, Micros>,
    /// What faults do to pods.
    pub(crate) hindered: Vec<Hindered>,
    pub(crate) admitted: u32,
    /// By node: when, after a whole number of periods, its kubelet looks at the containers.
    pub(crate) looks: BTreeMap<String, Micros>,
    pub(crate) ips: u32,
}

impl Kubelet {
    /// The next pod IP.
    pub(crate) fn next_ip(&mut self) -> String {
        self.ips += 1;
        format!("10.244.{}.{}", self.ips / 250, self.ips % 250 + 2)
    }
}

/// The container spec of the process.
pub(crate) fn container_spec(pod: &Value) -> &Value {
    items(pod, &["spec", "containers"])
        .first()
        .unwrap_or(&Value::Null)
}
