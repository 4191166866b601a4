//! The status that the kubelet writes (`status_manager.go`, `kubelet_pods.go`).

use super::pod::{Exit, PodRun, State};
use crate::cluster::due_items::{Item, Step};
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::value::{self, condition, items, text, timestamp, with};
use crate::time::Micros;

impl Cluster {
    /// The status has changed: it is written soon, once.
    pub(super) fn mark_status(&mut self, id: u32) {
        let Some(run) = self.kubelet.pods.get_mut(&id) else {
            return;
        };
        if run.status_pending {
            return;
        }
        run.status_pending = true;
        let at = self.now + self.timings.status_write.draw(&mut self.rng.kubelet);
        let item = Item::Container {
            pod: id,
            epoch: 0,
            step: Step::Status,
        };
        self.event_queue.push(at, item);
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

fn phase(run: &PodRun) -> &'static str {
    match &run.state {
        State::Terminated(exit) if run.terminating || !run.restarts_after(exit.code) => {
            if exit.code == 0 {
                "Succeeded"
            } else {
                "Failed"
            }
        }
        State::Waiting { .. } if run.starts == 0 => "Pending",
        _ => "Running",
    }
}

fn status_of(now: Micros, run: &PodRun, pod: &Value, host: &str) -> Value {
    let state = match &run.state {
        State::Waiting { reason, message } if message.is_empty() => {
            json!({"waiting": {"reason": reason}})
        }
        State::Waiting { reason, message } => {
            json!({"waiting": {"reason": reason, "message": message}})
        }
        State::Running { since } => json!({"running": {"startedAt": timestamp(*since)}}),
        State::Terminated(exit) => terminated(exit),
    };
    let containers: Vec<Value> = items(pod, &["spec", "containers"])
        .iter()
        .map(|c| {
            let mut status = json!({
                "name": text(c, &["name"]), "image": text(c, &["image"]),
                "imageID": if run.starts > 0 { format!("docker.io/{}", text(c, &["image"])) } else { String::new() },
                "ready": run.ready, "started": run.started, "restartCount": run.restarts(),
                "state": state,
                "lastState": {},
            });
            if run.starts > 0 {
                status["containerID"] = format!("containerd://{}-{}", run.uid, run.starts).into();
            }
            if let Some(last) = run.last.as_ref().filter(|_| !matches!(run.state, State::Terminated(_))) {
                status["lastState"] = terminated(last);
            }
            status
        })
        .collect();
    let not_ready = match phase(run) {
        "Succeeded" => Some(("PodCompleted", String::new())),
        "Failed" => Some(("PodFailed", String::new())),
        _ if !run.ready => {
            let names: Vec<&str> = items(pod, &["spec", "containers"])
                .iter()
                .map(|c| text(c, &["name"]))
                .collect();
            Some((
                "ContainersNotReady",
                format!("containers with unready status: [{}]", names.join(" ")),
            ))
        }
        _ => None,
    };
    let transition = |of_type: &str, status: &str| match condition(pod, of_type) {
        Some(c) if text(c, &["status"]) == status => text(c, &["lastTransitionTime"]).to_owned(),
        _ => timestamp(now),
    };
    let plain = |of_type: &str, holds: bool| {
        let status = if holds { "True" } else { "False" };
        json!({"type": of_type, "status": status, "lastTransitionTime": transition(of_type, status)})
    };
    let readiness = |of_type: &str| {
        let mut c = plain(of_type, not_ready.is_none());
        if let Some((reason, message)) = &not_ready {
            c["reason"] = (*reason).into();
            if !message.is_empty() {
                c["message"] = message.as_str().into();
            }
        }
        c
    };
    let mut status = json!({
        "phase": phase(run),
        "conditions": [
            plain("PodReadyToStartContainers", !run.ip.is_empty()),
            plain("Initialized", true),
            readiness("Ready"),
            readiness("ContainersReady"),
            plain("PodScheduled", true),
        ],
        "containerStatuses": containers,
        "startTime": timestamp(run.admitted),
        "qosClass": "BestEffort",
    });
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
