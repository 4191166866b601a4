//! What a pod's containers come to, in the words of `kubectl get pods` (`printPod`).

use super::age;
use crate::cluster::json::Value;
use crate::cluster::value::{
    at, condition_true, deleting, find_condition, flag, int, is_sidecar, items, parse_timestamp,
    text,
};
use crate::time::Micros;

/// What is counted over a pod's containers.
#[derive(Default)]
struct Counted {
    ready: usize,
    restarts: i64,
    /// When a container was restarted last.
    last: Option<Micros>,
}

impl Counted {
    fn restarted(&mut self, status: &Value) {
        self.restarts += int(status, &["restartCount"]).unwrap_or(0);
        let finished = text(status, &["lastState", "terminated", "finishedAt"]);
        self.last = self.last.max(parse_timestamp(finished));
    }
}

/// The cells of a pod.
pub(super) fn cells(now: Micros, pod: &Value) -> Vec<Value> {
    let containers = items(pod, &["spec", "containers"]);
    let inits = items(pod, &["spec", "initContainers"]);
    let total = containers.len() + inits.iter().filter(|it| is_sidecar(it)).count();
    let (status, counted) = status(pod);
    let restarts = match counted.last {
        Some(last) if counted.restarts != 0 => {
            let ago = age::human(now.saturating_sub(last));
            format!("{} ({ago} ago)", counted.restarts)
        }
        _ => counted.restarts.to_string(),
    };
    let or_none = |text: &str| match text {
        "" => "<none>".to_owned(),
        text => text.to_owned(),
    };
    let address = items(pod, &["status", "podIPs"]).first();
    let cells = [
        text(pod, &["metadata", "name"]).to_owned(),
        format!("{}/{total}", counted.ready),
        status,
        restarts,
        age::since(now, pod, &["metadata", "creationTimestamp"]),
        or_none(address.map_or("", |it| text(it, &["ip"]))),
        or_none(text(pod, &["spec", "nodeName"])),
        or_none(text(pod, &["status", "nominatedNodeName"])),
        gates(pod),
    ];
    cells.into_iter().map(Value::from).collect()
}

fn gates(pod: &Value) -> String {
    let gates = items(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let holds = gates
        .iter()
        .filter(|gate| condition_true(pod, text(gate, &["conditionType"])));
    format!("{}/{}", holds.count(), gates.len())
}

/// The state in one word, and what was counted.
fn status(pod: &Value) -> (String, Counted) {
    let phase = text(pod, &["status", "phase"]);
    let reason = text(pod, &["status", "reason"]);
    let conditions = items(pod, &["status", "conditions"]);
    let gated = find_condition(conditions, "PodScheduled")
        .is_some_and(|it| text(it, &["reason"]) == "SchedulingGated");
    let mut word = match (gated, reason) {
        (true, _) => "SchedulingGated".to_owned(),
        (false, "") => phase.to_owned(),
        (false, reason) => reason.to_owned(),
    };
    let inits = items(pod, &["spec", "initContainers"]);
    let sidecar = |name: &str| {
        let mut all = inits.iter();
        all.any(|it| text(it, &["name"]) == name && is_sidecar(it))
    };
    // Restarts of all init containers, and of the sidecars alone: the former count until the pod is initialised.
    let (mut all, mut sidecars) = (Counted::default(), Counted::default());
    let mut initialising = false;
    for (nth, status) in items(pod, &["status", "initContainerStatuses"])
        .iter()
        .enumerate()
    {
        let is_sidecar = sidecar(text(status, &["name"]));
        all.restarted(status);
        if is_sidecar {
            sidecars.restarted(status);
        }
        let ended = at(status, &["state", "terminated"]);
        if ended.is_some_and(|it| int(it, &["exitCode"]).unwrap_or(0) == 0) {
            continue;
        }
        if is_sidecar && flag(status, &["started"]) {
            all.ready += usize::from(flag(status, &["ready"]));
            continue;
        }
        initialising = true;
        let waiting = text(status, &["state", "waiting", "reason"]);
        word = match ended {
            Some(ended) => format!("Init:{}", end_of(ended)),
            None if !matches!(waiting, "" | "PodInitializing") => format!("Init:{waiting}"),
            None => format!("Init:{nth}/{}", inits.len()),
        };
        break;
    }
    if !initialising || condition_true(pod, "Initialized") {
        all.restarts = sidecars.restarts;
        all.last = sidecars.last;
        let mut running = false;
        for status in items(pod, &["status", "containerStatuses"]).iter().rev() {
            all.restarted(status);
            let waiting = text(status, &["state", "waiting", "reason"]);
            if !waiting.is_empty() {
                word = waiting.to_owned();
            } else if let Some(ended) = at(status, &["state", "terminated"]) {
                word = end_of(ended);
            } else if flag(status, &["ready"]) && at(status, &["state", "running"]).is_some() {
                running = true;
                all.ready += 1;
            }
        }
        if word == "Completed" && running {
            let ready = condition_true(pod, "Ready");
            word = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if deleting(pod) && reason == "NodeLost" {
        word = "Unknown".to_owned();
    } else if deleting(pod) && !matches!(phase, "Succeeded" | "Failed") {
        word = "Terminating".to_owned();
    }
    (word, all)
}

/// How a container ended: its reason, its signal, or its exit code.
fn end_of(terminated: &Value) -> String {
    let reason = text(terminated, &["reason"]);
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match int(terminated, &["signal"]).unwrap_or(0) {
        0 => format!("ExitCode:{}", int(terminated, &["exitCode"]).unwrap_or(0)),
        signal => format!("Signal:{signal}"),
    }
}
