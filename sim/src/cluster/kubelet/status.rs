//! The status that the kubelet writes (`status_manager.go`, `kubelet_pods.go`).

use super::container::{ContainerRef, ContainerRun, Exit, Role, State};
use super::pod::{PodRun, container_spec};
use crate::cluster::due_items::PodStep;
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::value::{self, condition, items, text, timestamp, with};
use crate::time::Micros;

impl Cluster {
    /// What the status shows of a container has changed: the status is written soon, once.
    pub(super) fn mark_status(&mut self, of: ContainerRef) {
        let Some(run) = self.kubelet.pods.get_mut(&of.pod) else {
            return;
        };
        if run.status_pending {
            return;
        }
        run.status_pending = true;
        let after = self.timings.status_write.draw(self.rng.of(of));
        self.pod_step_after(of.pod, after, PodStep::Status);
    }

    pub(super) fn write_status(&mut self, id: u32) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        run.status_pending = false;
        let run = &self.kubelet.pods[&id];
        let Some(pod) = self
            .get(Kind::Pod, &run.key)
            .filter(|p| value::uid(&p.value) == run.uid)
        else {
            return;
        };
        let host = self
            .object(Kind::Node, "", &run.node)
            .and_then(|n| items(n, &["status", "addresses"]).first())
            .map_or("", |a| text(a, &["address"]));
        let status = status_of(self.now, run, &pod.value, host);
        let key = run.key.clone();
        let object = with(&pod.value, "status", status);
        // The pod was just read, so neither a conflict nor a 404 can happen.
        let _written = self.update(Kind::Pod, &key, object, Part::Status);
    }
}

fn terminated(exit: &Exit) -> Value {
    json!({"terminated": {
        "exitCode": exit.code,
        "reason": if exit.code == 0 { "Completed" } else { "Error" },
        "startedAt": timestamp(exit.started), "finishedAt": timestamp(exit.finished),
        "containerID": "",
    }})
}

/// The containers that are not ready, of those that count for the pod: sidecars and those that are no init containers
/// (GenerateContainersReadyCondition).
fn unready(run: &PodRun) -> Vec<&str> {
    let sidecars = run.containers.iter().filter(|c| c.role == Role::Sidecar);
    let counted = sidecars.chain(run.mains()).filter(|c| !c.ready);
    counted.map(|c| c.name.as_str()).collect()
}

/// The init containers that the pod waits for (`pkg/kubelet/status/generate.go` GeneratePodInitializedCondition).
fn incomplete(run: &PodRun) -> Vec<&str> {
    if run.has_begun() {
        return vec![];
    }
    let done = |c: &ContainerRun| match (c.role, &c.state) {
        (Role::Main, _) => true,
        (Role::Init, State::Terminated(exit)) => exit.code == 0,
        (Role::Init, _) => false,
        (Role::Sidecar, state) => c.started && matches!(state, State::Running { .. }),
    };
    let waited_for = run.containers.iter().filter(|c| !done(c));
    waited_for.map(|c| c.name.as_str()).collect()
}

/// The status of one container (`pkg/kubelet/kubelet_pods.go` convertToAPIContainerStatuses).
fn container_status(run: &PodRun, place: u16, container: &ContainerRun, image: &str) -> Value {
    let state = match &container.state {
        State::Waiting { reason, message } if message.is_empty() => {
            json!({"waiting": {"reason": reason}})
        }
        State::Waiting { reason, message } => {
            json!({"waiting": {"reason": reason, "message": message}})
        }
        State::Running { since } => json!({"running": {"startedAt": timestamp(*since)}}),
        State::Terminated(exit) => terminated(exit),
    };
    let completed = container.role == Role::Init && container.initialized;
    let image_id = if container.starts > 0 {
        format!("docker.io/{image}")
    } else {
        String::new()
    };
    let mut status = json!({
        "name": container.name, "image": image, "imageID": image_id,
        "ready": container.ready || completed, "started": container.started,
        "restartCount": container.restarts(), "state": state, "lastState": {},
    });
    if container.starts > 0 {
        // The first one has the pod's own identifier.
        let name = if place == 0 { "" } else { &container.name };
        let separator = if place == 0 { "" } else { "-" };
        let id = format!(
            "containerd://{}{separator}{name}-{}",
            run.uid, container.starts
        );
        status["containerID"] = id.into();
    }
    let ended = matches!(container.state, State::Terminated(_));
    if let Some(last) = container.last.as_ref().filter(|_| !ended) {
        status["lastState"] = terminated(last);
    }
    status
}

/// The statuses of the containers, by name, or of the init containers, in their order.
fn container_statuses(run: &PodRun, pod: &Value, inits: bool) -> Vec<Value> {
    let mut shown: Vec<(u16, &ContainerRun)> = run
        .placed()
        .filter(|(_, c)| (c.role != Role::Main) == inits)
        .collect();
    if !inits {
        shown.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    }
    let status = |(place, container): (u16, &ContainerRun)| {
        let spec = container_spec(pod, &container.name);
        container_status(run, place, container, text(spec, &["image"]))
    };
    shown.into_iter().map(status).collect()
}

fn status_of(now: Micros, run: &PodRun, pod: &Value, host: &str) -> Value {
    let phase = run.phase();
    let unready = unready(run);
    let not_ready = match phase {
        "Succeeded" => Some(("PodCompleted", String::new())),
        "Failed" => Some(("PodFailed", String::new())),
        _ if !unready.is_empty() => Some((
            "ContainersNotReady",
            format!("containers with unready status: [{}]", unready.join(" ")),
        )),
        _ => None,
    };
    let incomplete = incomplete(run);
    let not_initialized = (!incomplete.is_empty() && phase != "Succeeded").then(|| {
        let message = format!(
            "containers with incomplete status: [{}]",
            incomplete.join(" ")
        );
        ("ContainersNotInitialized", message)
    });
    let transition = |of_type: &str, status: &str| match condition(pod, of_type) {
        Some(c) if text(c, &["status"]) == status => text(c, &["lastTransitionTime"]).to_owned(),
        _ => timestamp(now),
    };
    let plain = |of_type: &str, holds: bool| {
        let status = if holds { "True" } else { "False" };
        json!({"type": of_type, "status": status, "lastTransitionTime": transition(of_type, status)})
    };
    let unless = |of_type: &str, obstacle: Option<&(&str, String)>| {
        let mut c = plain(of_type, obstacle.is_none());
        if let Some((reason, message)) = obstacle {
            c["reason"] = (*reason).into();
            if !message.is_empty() {
                c["message"] = message.as_str().into();
            }
        }
        c
    };
    let mut status = json!({
        "phase": phase,
        "conditions": [
            plain("PodReadyToStartContainers", !run.ip.is_empty()),
            unless("Initialized", not_initialized.as_ref()),
            unless("Ready", not_ready.as_ref()),
            unless("ContainersReady", not_ready.as_ref()),
            plain("PodScheduled", true),
        ],
        "containerStatuses": container_statuses(run, pod, false),
        "startTime": timestamp(run.admitted),
        "qosClass": text(pod, &["status", "qosClass"]),
    });
    let inits = container_statuses(run, pod, true);
    if !inits.is_empty() {
        status["initContainerStatuses"] = inits.into();
    }
    if !host.is_empty() {
        status["hostIP"] = host.into();
        status["hostIPs"] = json!([{"ip": host}]);
    }
    if !run.ip.is_empty() {
        status["podIP"] = run.ip.as_str().into();
        status["podIPs"] = json!([{"ip": run.ip}]);
    }
    status
}
