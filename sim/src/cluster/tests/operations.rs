//! Random operations on Deployments, as a simulated cluster carries them out, and the states at rest.
//!
//! No quota is among them: under one, the state at rest depends on which ReplicaSet asks for the last pod first.

use std::fmt;

use super::lab::{Behaviour, Lab, NS, apps, core};
use crate::cluster::due_items::Work;
use crate::cluster::json::{Value, json};
use crate::cluster::value::{annotation, condition_true, int, items, members, name, text, uid};
use crate::cluster::{Cluster, Kind};
use crate::rng::Rng;
use crate::time::Micros;

const PREFIX: &str = "deployment.kubernetes.io/";
const NAMES: [&str; 2] = ["a", "b"];
const TAGS: u64 = 4;

/// How long nothing may change for the cluster to be at rest, longer than any step of a pod takes.
const QUIET: Micros = Micros::from_secs(8);

/// One operation: what it is for a person, and the line that the reference reads.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) line: Value,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)
    }
}

fn image(of: &str, rng: &mut Rng) -> String {
    format!("{of}:{}", rng.below(TAGS) + 1)
}

fn strategy(rng: &mut Rng) -> Value {
    if rng.ratio(1, 4) {
        return json!({"type": "Recreate"});
    }
    let some = |rng: &mut Rng| match rng.below(6) {
        0 => json!("25%"),
        1 => json!("50%"),
        2 => json!("100%"),
        n => json!(n - 3),
    };
    let (surge, mut unavailable) = (some(rng), some(rng));
    if surge == 0 && unavailable == 0 {
        unavailable = json!(1);
    }
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
}

fn deployment(called: &str, rng: &mut Rng) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": called, "labels": {"app": called}},
        "spec": {
            "replicas": rng.below(7), "strategy": strategy(rng),
            "revisionHistoryLimit": rng.below(4), "progressDeadlineSeconds": 1_000_000,
            "selector": {"matchLabels": {"app": called}},
            "template": {
                "metadata": {"labels": {"app": called}},
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "containers": [{
                        "name": called, "image": image(called, rng),
                        "readinessProbe": {"httpGet": {"path": "/health", "port": 80}, "periodSeconds": 2, "failureThreshold": 1},
                    }],
                },
            },
        },
    })
}

/// A strategic merge patch of a Deployment.
fn patch(called: &str, rng: &mut Rng) -> Value {
    match rng.below(13) {
        0..=3 => {
            let container = json!({"name": called, "image": image(called, rng)});
            json!({"spec": {"template": {"spec": {"containers": [container]}}}})
        }
        4..=6 => json!({"spec": {"replicas": rng.below(9)}}),
        7 => json!({"spec": {"paused": true}}),
        8 => json!({"spec": {"paused": false}}),
        9 => match strategy(rng) {
            recreate if recreate["type"] == "Recreate" => {
                json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}})
            }
            rolling => json!({"spec": {"strategy": rolling}}),
        },
        10 => json!({"spec": {"revisionHistoryLimit": rng.below(4)}}),
        11 => json!({"spec": {"minReadySeconds": rng.below(3)}}),
        _ => {
            let note = match rng.below(3) {
                0 => Value::Null,
                n => json!(format!("note-{n}")),
            };
            json!({"metadata": {"annotations": {"note": note}}})
        }
    }
}

/// An operation, whether or not there is what it is about.
pub(super) fn draw(rng: &mut Rng) -> Operation {
    let called = NAMES[if rng.ratio(1, 5) { 1 } else { 0 }];
    let line = match rng.below(24) {
        0..=3 => json!({"op": "create", "name": called, "object": deployment(called, rng)}),
        4..=11 => json!({"op": "patch", "name": called, "patch": patch(called, rng)}),
        12..=14 => json!({"op": "undo", "name": called, "image": image(called, rng)}),
        15 => json!({"op": "delete", "name": called}),
        16 => json!({"op": "delete", "name": called, "orphan": true}),
        17 => json!({"op": "delete-set", "image": image(called, rng)}),
        18 => {
            json!({"op": "scale-set", "image": image(called, rng), "replicas": rng.below(6)})
        }
        19 => json!({"op": "delete-pod", "image": image(called, rng)}),
        20..=21 => json!({"op": "unready", "image": image(called, rng)}),
        22 => json!({"op": "ready", "image": image(called, rng)}),
        _ => json!({"op": "delete-pod", "image": image(called, rng)}),
    };
    Operation { line }
}

impl Lab {
    /// Carries an operation out; false if there is nothing that it could be about.
    pub(super) fn operate(&mut self, operation: &Operation) -> bool {
        let line = &operation.line;
        let of = |field: &str| text(line, &[field]).to_owned();
        let (called, image) = (of("name"), of("image"));
        let exists = self.cluster.object(Kind::Deployment, NS, &called).is_some();
        let path = apps(&format!("deployments/{called}"));
        match of("op").as_str() {
            "create" if !exists => {
                self.post(&apps("deployments"), &line["object"]);
            }
            "patch" if exists => {
                let media = "application/strategic-merge-patch+json";
                let (status, body) = self.call("PATCH", &path, media, &line["patch"]);
                assert_eq!(status, 200, "{body}");
            }
            "undo" if exists && self.set_of(&image).is_some() => {
                let (status, body) = self.undo(&called, &image);
                assert_eq!(status, 200, "{body}");
            }
            "delete" if exists => {
                let options = match line.get("orphan") {
                    Some(_) => json!({"propagationPolicy": "Orphan"}),
                    None => json!({}),
                };
                let (status, body) = self.call("DELETE", &path, "application/json", &options);
                assert_eq!(status, 200, "{body}");
            }
            "delete-set" => {
                let Some(set) = self.set_of(&image) else {
                    return false;
                };
                let path = apps(&format!("replicasets/{set}"));
                let (status, body) = self.call("DELETE", &path, "application/json", &Value::Null);
                assert_eq!(status, 200, "{body}");
            }
            "scale-set" => {
                let Some(set) = self.set_of(&image) else {
                    return false;
                };
                let size = json!({"spec": {"replicas": line["replicas"].clone()}});
                self.merge(&apps(&format!("replicasets/{set}")), &size);
            }
            "delete-pod" => {
                let found = self.pods().into_iter().find(|p| image_of(p) == image);
                let Some(pod) = found else {
                    return false;
                };
                let path = core(&format!("pods/{}", name(&pod)));
                let (status, body) = self.call("DELETE", &path, "application/json", &Value::Null);
                assert_eq!(status, 200, "{body}");
            }
            "unready" => {
                let never = Behaviour {
                    ready_after: None,
                    ..Behaviour::default()
                };
                self.fake.behaviours.insert(image, never);
            }
            "ready" => {
                self.fake.behaviours.remove(&image);
            }
            _ => return false,
        }
        true
    }

    /// The name of the oldest ReplicaSet of an image.
    fn set_of(&self, image: &str) -> Option<String> {
        self.cluster
            .objects(Kind::ReplicaSet, NS)
            .filter(|rs| image_of(&rs["spec"]["template"]) == image)
            .min_by_key(|rs| text(rs, &["metadata", "creationTimestamp"]).to_owned())
            .map(|rs| name(rs).to_owned())
    }

    /// Lets everybody work until nobody has anything to do.
    pub(super) fn rest(&mut self) {
        let mut before = Vec::new();
        for _ in 0..2_000 {
            let state = state(&self.cluster);
            let waits = |work: &Work| matches!(work, Work::ReplicaSet(_));
            let waiting = self.cluster.queue.any_waits(waits);
            if state == before && !waiting {
                return;
            }
            before = state;
            self.run_until(self.now + QUIET);
        }
        panic!("no rest: {before:#?}");
    }
}

fn image_of(pod: &Value) -> &str {
    items(pod, &["spec", "containers"])
        .first()
        .map_or("", |c| text(c, &["image"]))
}

/// What both sides must agree on when nothing moves: `state.go` has the same.
pub(super) fn state(cluster: &Cluster) -> Vec<String> {
    let deployments: Vec<&Value> = cluster.objects(Kind::Deployment, NS).collect();
    let mut lines: Vec<String> = deployments.iter().map(|d| describe(d)).collect();
    lines.sort();
    let mut sets: Vec<String> = cluster
        .objects(Kind::ReplicaSet, NS)
        .map(|rs| {
            let owner = text(&rs["metadata"]["ownerReferences"][0], &["uid"]);
            let owner = deployments.iter().find(|d| uid(d) == owner);
            describe_set(rs, owner.map_or("", |d| name(d)))
        })
        .collect();
    sets.sort();
    let mut pods: Vec<String> = cluster
        .objects(Kind::Pod, NS)
        .map(|p| {
            let owned = !items(p, &["metadata", "ownerReferences"]).is_empty();
            let ready = condition_true(p, "Ready");
            format!("{} ready={ready} owned={owned}", image_of(p))
        })
        .collect();
    pods.sort();
    let counted = pods
        .chunk_by(|a, b| a == b)
        .map(|same| format!("{}: {}", same[0], same.len()));
    lines.into_iter().chain(sets).chain(counted).collect()
}

fn conditions(object: &Value) -> String {
    let mut all: Vec<String> = items(object, &["status", "conditions"])
        .iter()
        .map(|c| {
            let of = |field: &str| text(c, &[field]);
            format!("{}={}/{}", of("type"), of("status"), of("reason"))
        })
        .collect();
    all.sort();
    all.join(",")
}

fn annotations(object: &Value) -> String {
    let mut all: Vec<String> = members(object, &["metadata", "annotations"])
        .map(|(key, _)| {
            let value = annotation(object, key).unwrap_or("");
            format!("{}={value}", key.strip_prefix(PREFIX).unwrap_or(key))
        })
        .collect();
    all.sort();
    format!("[{}]", all.join(" "))
}

fn describe(d: &Value) -> String {
    let spec = |field: &str| int(d, &["spec", field]).unwrap_or(0);
    let status = |field: &str| int(d, &["status", field]).unwrap_or(0);
    format!(
        "{} generation={} observed={} replicas={}/{} updated={} ready={} available={} unavailable={} {} {}",
        name(d),
        int(d, &["metadata", "generation"]).unwrap_or(0),
        status("observedGeneration"),
        status("replicas"),
        spec("replicas"),
        status("updatedReplicas"),
        status("readyReplicas"),
        status("availableReplicas"),
        status("unavailableReplicas"),
        conditions(d),
        annotations(d),
    )
}

fn describe_set(rs: &Value, owner: &str) -> String {
    let spec = |field: &str| int(rs, &["spec", field]).unwrap_or(0);
    let status = |field: &str| int(rs, &["status", field]).unwrap_or(0);
    format!(
        "{} of \"{owner}\" size={} pods={} ready={} available={} minReady={} {} {}",
        image_of(&rs["spec"]["template"]),
        spec("replicas"),
        status("replicas"),
        status("readyReplicas"),
        status("availableReplicas"),
        spec("minReadySeconds"),
        conditions(rs),
        annotations(rs),
    )
}
