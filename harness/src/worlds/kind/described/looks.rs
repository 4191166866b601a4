//! What is seen of the application from outside, while the drill runs and at its end.

use std::collections::BTreeMap;

use contract::image;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::super::harvest::is_ready;
use super::super::stage::Book;
use crate::evidence::{Ms, PodSeen, Probe};
use crate::scenario::Described;
use crate::worlds::common::described::New;

/// Between two looks before the deployment, and from it on, in ms.
const CALM: Ms = 5_000;
const CLOSE: Ms = 1_000;
/// Between two looks at most, with the time that they take, in ms.
const BETWEEN: Ms = CLOSE + 4_000;

/// A pod that exists and has not ended.
#[derive(Debug, PartialEq)]
struct Live {
    pod: PodSeen,
    /// Image of the container that serves, as the pod names it.
    image: String,
    /// Whether it is about to be deleted.
    goes: bool,
}

/// Every pod of the application that exists and has not ended.
///
/// # Errors
/// The API server does not tell.
pub(super) async fn pods(client: &kube::Client, app: &Described) -> Result<Vec<PodSeen>, String> {
    let live = live(client, app).await?;
    Ok(live.into_iter().map(|it| it.pod).collect())
}

async fn live(client: &kube::Client, app: &Described) -> Result<Vec<Live>, String> {
    let pods = Api::<Pod>::namespaced(client.clone(), &app.namespace);
    let list = pods.list(&ListParams::default()).await;
    let list = list.map_err(|error| format!("list pods: {error}"))?;
    Ok(list.iter().filter_map(|pod| seen(pod, app)).collect())
}

/// What is seen of one pod: it runs the version of its image once the process of its container runs.
fn seen(pod: &Pod, app: &Described) -> Option<Live> {
    let (spec, status) = (json!(pod.spec), json!(pod.status));
    if matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return None;
    }
    let owner = owner(pod).unwrap_or_default();
    let service = app.services.iter().find(|it| it.name == owner);
    let container = service.map_or("", |it| it.container.as_str());
    let named = |list: &Value| {
        let mut all = list.as_array().into_iter().flatten();
        all.find(|it| it["name"] == container)
            .cloned()
            .unwrap_or_default()
    };
    let image = named(&spec["containers"])["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let runs = named(&status["containerStatuses"])["state"]["running"].is_object();
    Some(Live {
        pod: PodSeen {
            name: pod.name_any(),
            app: owner,
            version: (runs && !image.is_empty()).then(|| image::version(&image).to_owned()),
            ready: is_ready(&status),
        },
        image,
        goes: pod.metadata.deletion_timestamp.is_some(),
    })
}

/// The workload that the pod is of: its StatefulSet, or the Deployment after which its ReplicaSet is named.
fn owner(pod: &Pod) -> Option<String> {
    let owners = pod.metadata.owner_references.iter().flatten();
    let owner = owners
        .into_iter()
        .find(|it| it.controller == Some(true))?
        .clone();
    if owner.kind != "ReplicaSet" {
        return Some(owner.name);
    }
    let hash = pod.labels().get("pod-template-hash")?;
    let name = owner.name.strip_suffix(hash.as_str())?;
    name.strip_suffix('-').map(str::to_owned)
}

/// Looks now and then, until it is dropped.
pub(super) async fn keep_looking(book: &Book, client: &kube::Client, app: &Described, new: &New) {
    let mut next = CLOSE;
    loop {
        book.clock.sleep_until(next).await;
        look(book, client, app, new).await;
        let deployed = book.lock().evidence.deployed_ms.is_some();
        next = book.clock.now_ms() + if deployed { CLOSE } else { CALM };
    }
}

/// One look; none if the API server does not answer.
pub(super) async fn look(book: &Book, client: &kube::Client, app: &Described, new: &New) -> bool {
    let Ok(live) = live(client, app).await else {
        return false;
    };
    let configured = if new.images.is_empty() {
        has_config(client, app, new).await
    } else {
        false
    };
    let at_ms = book.clock.now_ms();
    let evidence = &mut book.lock().evidence;
    // The ledger of others is looked at here; what has none was looked at all the same.
    let violations = Vec::new();
    evidence.probes.push(Probe { at_ms, violations });
    if evidence.deployed_ms.is_some() {
        evidence.deployed_build_seen |= live.iter().any(|it| evidence.runs_deployed(&it.pod));
        if serves(&live, new) || configured {
            evidence.deployed_serves(at_ms.saturating_sub(BETWEEN), at_ms);
        }
    }
    true
}

/// Whether a pod of an image that came with the release serves.
fn serves(live: &[Live], new: &New) -> bool {
    let is_new = |it: &Live| new.images.get(&it.pod.app) == Some(&it.image);
    live.iter().any(|it| it.pod.ready && !it.goes && is_new(it))
}

/// Whether what the release changes of ConfigMaps is in place.
async fn has_config(client: &kube::Client, app: &Described, new: &New) -> bool {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), &app.namespace);
    let Ok(list) = maps.list(&ListParams::default()).await else {
        return false;
    };
    let data: BTreeMap<String, BTreeMap<String, String>> = list
        .into_iter()
        .map(|it| (it.name_any(), it.data.unwrap_or_default()))
        .collect();
    let mut wanted = new.config.iter();
    wanted.any(|((map, key), value)| data.get(map).and_then(|it| it.get(key)) == Some(value))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};
    use sim_services::describe::sample;

    use super::{Live, seen, serves};
    use crate::scenario::Described;
    use crate::worlds::common::described::new;

    fn app() -> Described {
        sample(1, 1, 200)
            .app()
            .expect("the description is right")
            .into()
    }

    fn pod(tag: &str, state: Value, ready: bool, goes: bool) -> Option<Live> {
        let ready = if ready { "True" } else { "False" };
        let mut pod = json!({
            "metadata": {
                "name": "s0-5d9f-1", "labels": {"pod-template-hash": "5d9f"},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "s0-5d9f", "uid": "1", "controller": true,
                }],
            },
            "spec": {"containers": [{"name": "s0", "image": format!("registry.example/sample/s0:{tag}")}]},
            "status": {
                "phase": if state.is_null() { "Succeeded" } else { "Running" },
                "conditions": [{"type": "Ready", "status": ready}],
                "containerStatuses": [{
                    "name": "s0", "image": "x", "imageID": "", "ready": true, "restartCount": 0, "state": state,
                }],
            },
        });
        if goes {
            pod["metadata"]["deletionTimestamp"] = "2026-05-04T10:00:00Z".into();
        }
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        seen(&pod, &app())
    }

    #[test]
    fn a_pod_runs_the_version_of_its_image_while_its_process_runs() {
        let running = json!({"running": {}});
        let live = pod("1.1.0", running, true, false).expect("it is there");
        assert_eq!(live.pod.version.as_deref(), Some("1.1.0"));
        assert_eq!(live.pod.app, "s0");
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let live = pod("1.1.0", waiting, false, false).expect("it is there");
        assert_eq!(live.pod.version, None);
        assert_eq!(pod("1.1.0", Value::Null, false, false), None);
    }

    #[test]
    fn a_release_serves_where_a_ready_pod_of_its_image_stays() {
        let running = || json!({"running": {}});
        let app = app();
        let new = new(&app, "good", "bad");
        for (tag, ready, goes, expected) in [
            ("1.1.0", true, false, true),
            ("1.0.0", true, false, false),
            ("1.1.0", false, false, false),
            ("1.1.0", true, true, false),
        ] {
            let live = pod(tag, running(), ready, goes).expect("it is there");
            assert_eq!(serves(&[live], &new), expected, "{tag} {ready} {goes}");
        }
    }
}
