//! What other people and controllers do through the API server while the rollback is under way. One who acts only once
//! acts at the very instant, without latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dex::release::{Release, Service};
use http::Method;
use serde_json::{Value, json};
use sim::cluster::{self, ApiRequest, ApiResponse, Kind};
use sim::time::Micros;
use sim::{Application, World};
use sim_services::manifests::WorkloadKind;

use super::beginning::Beginning;
use super::{Begun, Changed};
use crate::worlds::sim::application::Service as Target;

const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
/// A release that changes every service, and no schema.
pub(super) const SECOND_RELEASE: &str = "1.4.3";

/// A Deployment or a StatefulSet of the application, as somebody acts on it.
pub(super) struct Place<'a, A: Application> {
    world: &'a World<A>,
    namespace: &'a str,
    of: &'a Target,
}

/// Somebody does something to the fault's target, once: how many objects it hit.
pub(super) fn once<A: Application>(
    it: &Beginning<'_, A>,
    act: impl FnOnce(&Place<'_, A>) -> u64,
) -> Begun<A> {
    let of = it.target();
    let at = Place {
        world: it.world,
        namespace: it.namespace(),
        of: &of,
    };
    Begun::done(act(&at))
}

/// `kubectl rollout pause`.
pub(super) fn pause<A: Application>(at: &Place<'_, A>) -> u64 {
    patch(at, MERGE, &json!({"spec": {"paused": true}}))
}

/// `kubectl scale --replicas 1`.
pub(super) fn scale_down<A: Application>(at: &Place<'_, A>) -> u64 {
    patch(at, MERGE, &json!({"spec": {"replicas": 1}}))
}

/// A GitOps controller: whenever an image is not the one of the bad release, it puts that back, `delay` later.
pub(super) fn self_heal<A: Application>(it: &Beginning<'_, A>) -> Begun<A> {
    let healed = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&healed);
    let (world, changed) = (it.world.clone(), it.all_changed().to_vec());
    let namespace = it.namespace().to_owned();
    let delay = Micros::from(it.fault.delay.unwrap_or_default());
    let work = async move {
        loop {
            world.sleep(delay).await;
            for Changed { of, good, bad } in &changed {
                let at = Place {
                    world: &world,
                    namespace: &namespace,
                    of,
                };
                if image(&at).as_deref() != Some(good) {
                    continue;
                }
                let hit = set_image(&at, bad);
                counted.fetch_add(hit, Ordering::Relaxed);
            }
        }
    };
    Begun {
        ending: Box::new(move |_| healed.load(Ordering::Relaxed)),
        work: Some(Box::pin(work)),
        done: None,
    }
}

/// `kubectl set image`.
fn set_image<A: Application>(at: &Place<'_, A>, image: &str) -> u64 {
    let containers = json!([{"name": at.of.container, "image": image}]);
    let body = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    patch(at, STRATEGIC, &body)
}

/// Deploys the service as [`SECOND_RELEASE`] has it.
pub(super) fn deploy<A: Application>(at: &Place<'_, A>) -> u64 {
    let release = Release::by_name(SECOND_RELEASE);
    let build = release.zip(Service::by_name(&at.of.name));
    build.map_or(0, |(release, service)| {
        set_image(at, &release.build(service).image())
    })
}

fn image<A: Application>(at: &Place<'_, A>) -> Option<String> {
    at.world.with(|state| {
        let workload = workload(at, &state.cluster)?;
        let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
        image.as_str().map(str::to_owned)
    })
}

/// The object itself.
fn workload<'c, A: Application>(
    at: &Place<'_, A>,
    cluster: &'c cluster::Cluster,
) -> Option<&'c cluster::Value> {
    let kind = match at.of.kind {
        WorkloadKind::Deployment => Kind::Deployment,
        WorkloadKind::StatefulSet => Kind::StatefulSet,
    };
    cluster.object(kind, at.namespace, &at.of.name)
}

/// Deletes every ReplicaSet or ControllerRevision of the service that has no pods, as a small `revisionHistoryLimit`
/// does.
pub(super) fn prune<A: Application>(at: &Place<'_, A>) -> u64 {
    let (plural, old) = match at.of.kind {
        WorkloadKind::Deployment => {
            let old = |set: &cluster::Value| set["spec"]["replicas"].as_u64() == Some(0);
            ("replicasets", names(at, Kind::ReplicaSet, old))
        }
        WorkloadKind::StatefulSet => {
            let live = at.world.with(|state| {
                let status = workload(at, &state.cluster).map(|it| Value::from(&it["status"]));
                status.unwrap_or_default()
            });
            let old = |revision: &cluster::Value| {
                let name = revision["metadata"]["name"].as_str();
                let of = ["currentRevision", "updateRevision"];
                of.iter().all(|field| live[*field].as_str() != name)
            };
            (
                "controllerrevisions",
                names(at, Kind::ControllerRevision, old),
            )
        }
    };
    let delete = |it: &String| {
        let path = format!("/apis/apps/v1/namespaces/{}/{plural}/{it}", at.namespace);
        ask(at.world, Method::DELETE, &path, None, &Value::Null)
    };
    old.iter().map(delete).sum()
}

/// Kills every pod of `service` without grace.
pub(super) fn kill<A: Application>(at: &Place<'_, A>) -> u64 {
    let pods = names(at, Kind::Pod, |_| true);
    let delete = |pod: &String| {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}", at.namespace);
        ask(
            at.world,
            Method::DELETE,
            &path,
            Some("application/json"),
            &json!({"gracePeriodSeconds": 0}),
        )
    };
    pods.iter().map(delete).sum()
}

/// `kubectl rollout undo` without a revision: to the one with the second-highest number.
pub(super) fn undo<A: Application>(at: &Place<'_, A>) -> u64 {
    match at.of.kind {
        WorkloadKind::Deployment => undo_deployment(at),
        WorkloadKind::StatefulSet => undo_stateful_set(at),
    }
}

/// By the patch that the ControllerRevision keeps.
fn undo_stateful_set<A: Application>(at: &Place<'_, A>) -> u64 {
    let data = at.world.with(|state| {
        let all = state
            .cluster
            .objects(Kind::ControllerRevision, at.namespace);
        let mut all: Vec<&cluster::Value> = all.filter(|it| is_owned(it, &at.of.name)).collect();
        all.sort_by_key(|it| std::cmp::Reverse(it["revision"].as_u64()));
        all.get(1).map(|it| Value::from(&it["data"]))
    });
    data.map_or(0, |data| patch(at, STRATEGIC, &data))
}

fn undo_deployment<A: Application>(at: &Place<'_, A>) -> u64 {
    let revision = |set: &cluster::Value| -> Option<u64> {
        let annotations = &set["metadata"]["annotations"];
        annotations["deployment.kubernetes.io/revision"]
            .as_str()?
            .parse()
            .ok()
    };
    let template = at.world.with(|state| {
        let sets = state.cluster.objects(Kind::ReplicaSet, at.namespace);
        let mut sets: Vec<&cluster::Value> =
            sets.filter(|set| is_owned(set, &at.of.name)).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(revision(set)));
        sets.get(1).map(|set| Value::from(&set["spec"]["template"]))
    });
    let Some(mut template) = template else {
        return 0;
    };
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    let body = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
    patch(at, JSON_PATCH, &body)
}

/// Whether the workload called `name` made this ReplicaSet or ControllerRevision.
fn is_owned(object: &cluster::Value, name: &str) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let mut owners = owners.into_iter().flatten();
    owners.any(|owner| owner["controller"] == true && owner["name"] == name)
}

fn names<A: Application>(
    at: &Place<'_, A>,
    kind: Kind,
    wanted: impl Fn(&cluster::Value) -> bool,
) -> Vec<String> {
    at.world.with(|state| {
        let objects = state.cluster.objects(kind, at.namespace);
        objects
            .filter(|object| {
                let made = match kind {
                    Kind::Pod => cluster::workload_of(object) == at.of.name,
                    _ => is_owned(object, &at.of.name),
                };
                made && wanted(object)
            })
            .filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned))
            .collect()
    })
}

fn patch<A: Application>(at: &Place<'_, A>, how: &str, body: &Value) -> u64 {
    let path = format!(
        "/apis/apps/v1/namespaces/{}/{}s/{}",
        at.namespace,
        at.of.kind.word(),
        at.of.name
    );
    ask(at.world, Method::PATCH, &path, Some(how), body)
}

/// 1 if the API server did it, 0 if it refused.
fn ask<A: Application>(
    world: &World<A>,
    method: Method,
    path: &str,
    content_type: Option<&str>,
    body: &Value,
) -> u64 {
    let Ok(uri) = path.parse() else { return 0 };
    let body = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let request = ApiRequest {
        method,
        uri,
        content_type: content_type.map(str::to_owned),
        accept: None,
        body,
        user: "somebody else".to_owned(),
        user_agent: None,
    };
    let response = world.with(|state| {
        let now = state.now();
        state.cluster.handle(now, request, &mut state.application)
    });
    u64::from(matches!(response, ApiResponse::Unary { status, .. } if status < 300))
}
