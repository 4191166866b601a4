//! Whether what was killed is gone, and its successor there: read from the node, the cluster and the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::core::Selector;

use super::super::clock::{sleep, within};
use super::super::ledger::LedgerServer;
use super::{blocking, node};

/// Name of the API server's process.
pub(super) const API_SERVER: &str = "kube-apiserver";
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks for a successor.
const LOOKS: u32 = 120;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(3);
/// Exit code of a process that SIGKILL ended.
const SIGKILLED: i32 = 137;

/// A pod before its processes were killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodBefore {
    name: String,
    pub(super) uid: String,
    /// How often each container had been started again, by its name.
    restarts: BTreeMap<String, i32>,
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let all = status.and_then(|status| status.container_statuses.as_ref());
    all.into_iter().flatten()
}

/// Whether the pod has a process that can be killed.
fn runs(pod: &Pod) -> bool {
    let mut states = containers(pod).filter_map(|it| it.state.as_ref());
    states.any(|state| state.running.is_some())
}

async fn answered<T>(
    what: &str,
    asked: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, String> {
    let answer = within(ANSWER, asked).await;
    let answer = answer.ok_or_else(|| format!("{what}: no answer from the API server"))?;
    answer.map_err(|error| format!("{what}: {error}"))
}

/// How the pods of a service are found: by the selector of its Deployment, or else of its StatefulSet.
async fn selector(
    client: &kube::Client,
    namespace: &str,
    service: &str,
) -> Result<Selector, String> {
    let what = format!("read the selector of {service}");
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let found = answered(&what, deployments.get_opt(service)).await?;
    let found = match found.and_then(|it| it.spec) {
        Some(spec) => Some(spec.selector),
        None => {
            let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
            let found = answered(&what, sets.get_opt(service)).await?;
            found.and_then(|it| it.spec).map(|spec| spec.selector)
        }
    };
    let found = found.ok_or_else(|| {
        format!("{namespace} has neither a Deployment nor a StatefulSet {service}")
    })?;
    selecting(found).map_err(|why| format!("{what}: {why}"))
}

/// The words of a selector. One without any selects every pod, which no Deployment and no StatefulSet may have.
fn selecting(selector: LabelSelector) -> Result<Selector, String> {
    let selector = Selector::try_from(selector).map_err(|error| error.to_string())?;
    if selector.selects_all() {
        return Err("it selects every pod".to_owned());
    }
    Ok(selector)
}

/// The running pods of a service in `namespace`.
pub(super) async fn pods(
    client: &kube::Client,
    namespace: &str,
    service: &str,
) -> Result<Vec<PodBefore>, String> {
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let selector = selector(client, namespace, service).await?;
    let params = ListParams::default().labels_from(&selector);
    let list = answered("list pods", api.list(&params)).await?;
    let pods = list.items.into_iter().filter(runs);
    Ok(pods
        .map(|pod| PodBefore {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            restarts: containers(&pod)
                .map(|it| (it.name.clone(), it.restart_count))
                .collect(),
        })
        .collect())
}

/// Whether a process of the pod was killed since. `None`: the pod is gone.
fn was_killed(before: &PodBefore, now: Option<&Pod>) -> bool {
    let Some(pod) = now else { return true };
    if pod.metadata.uid.as_ref() != Some(&before.uid) {
        return true;
    }
    let ended = |state: Option<&ContainerState>| {
        state
            .and_then(|state| state.terminated.as_ref())
            .is_some_and(|ended| ended.exit_code == SIGKILLED)
    };
    containers(pod).any(|status| {
        let restarts = before.restarts.get(&status.name).copied().unwrap_or(0);
        ended(status.state.as_ref())
            || (status.restart_count > restarts && ended(status.last_state.as_ref()))
    })
}

/// How many of the pods the cluster shows as killed, once it shows all of them.
pub(super) async fn killed(
    client: &kube::Client,
    namespace: &str,
    pods: &[PodBefore],
) -> Result<u64, String> {
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let mut hits = 0;
    for _ in 0..LOOKS {
        hits = 0;
        for before in pods {
            if let Some(Ok(now)) = within(ANSWER, api.get_opt(&before.name)).await {
                hits += u64::from(was_killed(before, now.as_ref()));
            }
        }
        if hits == pods.len() as u64 {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(hits)
}

/// 1 once another API server runs on the node than `before`, and is ready.
pub(super) async fn another_api_server(
    client: &kube::Client,
    node: &str,
    before: &[u32],
) -> Result<u64, String> {
    for _ in 0..LOOKS {
        let node = node.to_owned();
        let now = blocking(move || node::processes(&node, API_SERVER)).await?;
        let another = !now.is_empty() && !now.iter().any(|pid| before.contains(pid));
        if another
            && let Ok(request) = http::Request::get("/readyz").body(Vec::new())
            && let Some(Ok(_)) = within(ANSWER, client.request_text(request)).await
        {
            return Ok(1);
        }
        sleep(LOOK_EVERY).await;
    }
    Err("no other API server became ready".to_owned())
}

/// 1 once the ledger's server that answers is not the one that started at `before`.
pub(super) async fn restarted(ledger: &LedgerServer, before: &str) -> Result<u64, String> {
    let mut last = "it is still the same".to_owned();
    for _ in 0..LOOKS {
        match ledger.server_started().await {
            Ok(now) if now != before => return Ok(1),
            Ok(_) => {}
            Err(why) => last = why,
        }
        sleep(LOOK_EVERY).await;
    }
    Err(format!("no other server of the ledger answers: {last}"))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    use super::{PodBefore, runs, selecting, was_killed};

    #[test]
    fn a_service_has_the_pods_of_its_own_selector_and_never_all() {
        let words = |selector: Value| {
            let selector = serde_json::from_value(selector).expect("a selector");
            selecting(selector).map(|it| it.to_string())
        };
        let labels = json!({"matchLabels": {"tier": "front"}});
        assert_eq!(words(labels), Ok("tier=front".to_owned()));
        let either = json!({"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["web", "page"]},
            {"key": "old", "operator": "DoesNotExist"},
        ]});
        assert_eq!(words(either), Ok("app in (page,web),!old".to_owned()));
        assert!(words(json!({})).is_err());
    }

    #[test]
    fn the_death_of_any_container_counts() {
        let before = PodBefore {
            name: "matching-1".to_owned(),
            uid: "u".to_owned(),
            restarts: [("proxy".to_owned(), 0), ("matching".to_owned(), 0)].into(),
        };
        let none = json!({});
        let mut proxy = status(0, &json!({"running": {}}), &none);
        proxy["name"] = "proxy".into();
        let killed = status(1, &none, &json!({"terminated": {"exitCode": 137}}));
        let of = |all: &[Value]| {
            let pod = json!({"metadata": {"uid": "u"}, "status": {"containerStatuses": all}});
            serde_json::from_value::<Pod>(pod).expect("a pod")
        };
        assert!(was_killed(&before, Some(&of(&[proxy.clone(), killed]))));
        assert!(runs(&of(&[status(0, &none, &none), proxy.clone()])));
        assert!(!was_killed(&before, Some(&of(&[proxy]))));
    }

    fn pod(uid: &str, status: &Value) -> Pod {
        let pod = json!({
            "metadata": {"name": "matching-1", "uid": uid},
            "status": {"containerStatuses": [status]},
        });
        serde_json::from_value(pod).expect("a pod")
    }

    fn status(restarts: i32, state: &Value, last: &Value) -> Value {
        json!({"name": "matching", "image": "i", "imageID": "", "ready": true, "restartCount": restarts, "state": state, "lastState": last})
    }

    #[test]
    fn only_a_death_by_the_signal_or_a_pod_that_is_gone_counts() {
        let before = PodBefore {
            name: "matching-1".to_owned(),
            uid: "u".to_owned(),
            restarts: [("matching".to_owned(), 2)].into(),
        };
        let running = json!({"running": {}});
        let by = |code: i32| json!({"terminated": {"exitCode": code}});
        let none = json!({});
        let same = |restarts, state: &Value, last: &Value| {
            was_killed(&before, Some(&pod("u", &status(restarts, state, last))))
        };
        assert!(!same(2, &running, &by(137)), "an older death");
        assert!(same(3, &running, &by(137)));
        assert!(same(2, &by(137), &none), "dead, not started again yet");
        assert!(!same(3, &running, &by(0)), "it ended by itself");
        assert!(was_killed(
            &before,
            Some(&pod("v", &status(0, &running, &none)))
        ));
        assert!(was_killed(&before, None));
        assert!(runs(&pod("u", &status(0, &running, &none))));
        assert!(!runs(&pod("u", &status(0, &by(137), &none))));
    }
}
