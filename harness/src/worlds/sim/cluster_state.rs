//! What is read of a simulated cluster, whichever application runs in it.

use std::collections::BTreeMap;

use serde_json::Value;
use sim::cluster::{Cluster, Kind, Value as Tree, workload_of};

use crate::evidence::PodLog;
use crate::worlds::common::pairs;

/// A pod that exists and has not ended.
pub(super) struct LivePod {
    pub(super) name: String,
    pub(super) uid: String,
    /// Name of the Deployment or StatefulSet that it is of.
    pub(super) service: String,
    pub(super) ready: bool,
}

/// Every pod of `namespace` that exists and has not ended.
pub(super) fn live_pods(cluster: &Cluster, namespace: &str) -> Vec<LivePod> {
    let text = |value: &Tree| value.as_str().unwrap_or_default().to_owned();
    let ended = |pod: &&Tree| {
        let phase = pod["status"]["phase"].as_str();
        matches!(phase, Some("Succeeded" | "Failed"))
    };
    let pods = cluster.objects(Kind::Pod, namespace);
    let live = pods.filter(|pod| !ended(pod));
    live.map(|pod| {
        let conditions = pod["status"]["conditions"].as_array();
        let ready = conditions.is_some_and(|all| {
            all.iter()
                .any(|c| c["type"] == "Ready" && c["status"] == "True")
        });
        let metadata = &pod["metadata"];
        LivePod {
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            service: workload_of(pod).to_owned(),
            ready,
        }
    })
    .collect()
}

/// Whether the very pod that wrote `log` exists and is not about to end. A StatefulSet gives its name to the next one.
pub(super) fn is_still_there(cluster: &Cluster, namespace: &str, log: &PodLog) -> bool {
    let pod = cluster.object(Kind::Pod, namespace, &log.pod);
    pod.is_some_and(|pod| {
        let metadata = &pod["metadata"];
        metadata["uid"] == log.uid.as_str() && metadata["deletionTimestamp"].as_str().is_none()
    })
}

/// The first pod of `namespace` that no node has room for, and why, as the scheduler says it.
pub(super) fn unschedulable(cluster: &Cluster, namespace: &str) -> Option<(String, String)> {
    cluster.objects(Kind::Pod, namespace).find_map(|pod| {
        let conditions = pod["status"]["conditions"].as_array()?;
        let refused = conditions.iter().find(|it| {
            it["type"] == "PodScheduled"
                && it["status"] == "False"
                && it["reason"] == "Unschedulable"
        })?;
        let text = |value: &Tree| value.as_str().unwrap_or_default().to_owned();
        Some((text(&pod["metadata"]["name"]), text(&refused["message"])))
    })
}

/// A container that does not run, in a pod of a workload that has no ready pod.
pub(super) struct HeldUp {
    pub(super) pod: String,
    pub(super) uid: String,
    /// Name of the Deployment or StatefulSet that the pod is of.
    pub(super) service: String,
    pub(super) container: String,
    /// Why, in one word, as `kubectl get pods` shows it, for instance `CrashLoopBackOff`.
    pub(super) reason: String,
    /// Why, as the kubelet says it.
    pub(super) message: String,
}

/// The first container of `namespace` that keeps all pods of a workload from becoming ready.
pub(super) fn held_up(cluster: &Cluster, namespace: &str) -> Option<HeldUp> {
    let text = |value: &Tree| value.as_str().unwrap_or_default().to_owned();
    let pods = live_pods(cluster, namespace);
    let serves = |service: &str| pods.iter().any(|it| it.ready && it.service == service);
    let mut waiting = pods.iter().filter(|it| !serves(&it.service));
    waiting.find_map(|pod| {
        let object = cluster.object(Kind::Pod, namespace, &pod.name)?;
        let status = &object["status"];
        let of = ["initContainerStatuses", "containerStatuses"];
        let mut all = of
            .iter()
            .flat_map(|key| status[*key].as_array().into_iter().flatten());
        all.find_map(|container| {
            let (state, last) = (&container["state"], &container["lastState"]["terminated"]);
            let failed = |it: &Tree| it["exitCode"].as_i64().is_some_and(|code| code != 0);
            let why = if failed(&state["terminated"]) {
                &state["terminated"]
            } else {
                &state["waiting"]
            };
            let reason = text(&why["reason"]);
            // A process that has just been started again has not shown yet that it goes on.
            let reason = match reason.as_str() {
                "" | "ContainerCreating" | "PodInitializing" if failed(last) => {
                    text(&last["reason"])
                }
                "" | "ContainerCreating" | "PodInitializing" => return None,
                _ => reason,
            };
            Some(HeldUp {
                pod: pod.name.clone(),
                uid: pod.uid.clone(),
                service: pod.service.clone(),
                container: text(&container["name"]),
                reason,
                message: text(&why["message"]),
            })
        })
    })
}

/// The Deployments and StatefulSets of `namespace`, with kubectl's word for their kind.
fn workloads<'a>(
    cluster: &'a Cluster,
    namespace: &'a str,
) -> impl Iterator<Item = (&'static str, &'a Tree)> {
    let of = |kind: Kind, word: &'static str| {
        let objects = cluster.objects(kind, namespace);
        objects.map(move |object| (word, object))
    };
    of(Kind::Deployment, "deployment").chain(of(Kind::StatefulSet, "statefulset"))
}

/// A workload whose pods come well, and are not all there yet.
pub(super) struct Starting {
    /// Its kind and name, as kubectl writes them.
    pub(super) what: String,
    /// How many of its pods are available.
    pub(super) available: u64,
    /// How many it wants.
    pub(super) wanted: u64,
}

/// The first workload of `namespace` that is still starting: the pods of an ordered StatefulSet come one after the
/// other, and each is available only once it has been ready for `minReadySeconds`.
pub(super) fn starting(cluster: &Cluster, namespace: &str) -> Option<Starting> {
    workloads(cluster, namespace).find_map(|(word, object)| {
        let (spec, status) = (&object["spec"], &object["status"]);
        let count = |key: &str| status[key].as_u64().unwrap_or(0);
        let wanted = spec["replicas"].as_u64().unwrap_or(0);
        let (there, ready) = (count("replicas"), count("readyReplicas"));
        let available = count("availableReplicas");
        let in_turn = word == "statefulset" && there < wanted && ready + 1 >= there;
        (in_turn || ready == wanted && available < ready).then(|| Starting {
            what: format!(
                "{word} {}",
                object["metadata"]["name"].as_str().unwrap_or_default()
            ),
            available,
            wanted,
        })
    })
}

/// Whether every Deployment and StatefulSet of `namespace` has what it wants, and there is no other pod.
pub(super) fn is_at_rest(cluster: &Cluster, namespace: &str) -> bool {
    let mut wanted = 0;
    for (_, workload) in workloads(cluster, namespace) {
        let (spec, status) = (&workload["spec"], &workload["status"]);
        let count = |value: &Tree| value.as_u64().unwrap_or(0);
        let replicas = count(&spec["replicas"]);
        let observed = count(&status["observedGeneration"]);
        let every = [
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
        ];
        if observed != count(&workload["metadata"]["generation"])
            || every.iter().any(|key| count(&status[*key]) != replicas)
            || status["currentRevision"] != status["updateRevision"]
        {
            return false;
        }
        wanted += replicas;
    }
    let mut pods = 0;
    for pod in cluster.objects(Kind::Pod, namespace) {
        let conditions = pod["status"]["conditions"].as_array();
        let is_ready = conditions.is_some_and(|all| {
            let mut all = all.iter();
            all.any(|it| it["type"] == "Ready" && it["status"] == "True")
        });
        if !is_ready || pod["metadata"]["deletionTimestamp"].as_str().is_some() {
            return false;
        }
        pods += 1;
    }
    wanted > 0 && pods == wanted
}

/// The state of `namespace` that a rollback must bring back, flattened: path to value.
pub(super) fn lasting(cluster: &Cluster, namespace: &str, out: &mut BTreeMap<String, String>) {
    let name = |object: &Tree| {
        object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for (word, object) in workloads(cluster, namespace) {
        let name = name(object);
        let spec = &object["spec"];
        for (field, value) in [
            ("template", &spec["template"]),
            ("replicas", &spec["replicas"]),
            ("paused", &spec["paused"]),
            (
                "strategy",
                match word {
                    "deployment" => &spec["strategy"],
                    _ => &spec["updateStrategy"],
                },
            ),
        ] {
            out.insert(format!("{word}/{name}/{field}"), value.to_string());
        }
        let mut annotations = Value::from(&object["metadata"]["annotations"]);
        if let (Some(annotations), "statefulset") = (annotations.as_object_mut(), word) {
            // An undo of a StatefulSet brings no annotation back, and this one only says what was deployed last.
            annotations.remove("kubernetes.io/change-cause");
        }
        pairs(&annotations, &format!("{word}/{name}/annotation"), out);
    }
    for object in cluster.objects(Kind::ConfigMap, namespace) {
        let data = Value::from(&object["data"]);
        pairs(&data, &format!("configmap/{}", name(object)), out);
    }
    for (kind, word) in [
        (Kind::Service, "service"),
        (Kind::PodDisruptionBudget, "budget"),
    ] {
        for object in cluster.objects(kind, namespace) {
            out.insert(
                format!("{word}/{}/spec", name(object)),
                object["spec"].to_string(),
            );
        }
    }
    for object in cluster.objects(Kind::Lease, namespace) {
        out.insert(format!("lease/{}", name(object)), "present".to_owned());
    }
}
