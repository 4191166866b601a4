//! Whether what was killed is gone, and its successor there: read from the node, the cluster and the ledger.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::super::clock::{sleep, within};
use super::super::ledger::LedgerServer;
use super::{blocking, node};
use crate::worlds::common::manifests::{APP, NAMESPACE};

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
    restarts: i32,
}

fn status(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

/// Whether the pod has a process that can be killed.
fn runs(pod: &Pod) -> bool {
    status(pod)
        .and_then(|status| status.state.as_ref())
        .is_some_and(|state| state.running.is_some())
}

/// The running pods of a service.
pub(super) async fn pods(client: &kube::Client, service: &str) -> Result<Vec<PodBefore>, String> {
    let api = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let params = ListParams::default().labels(&format!("{APP}={service}"));
    let list = within(ANSWER, api.list(&params))
        .await
        .ok_or("no answer from the API server")?
        .map_err(|error| format!("list pods: {error}"))?;
    let pods = list.items.into_iter().filter(runs);
    Ok(pods
        .map(|pod| PodBefore {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            restarts: status(&pod).map_or(0, |status| status.restart_count),
        })
        .collect())
}

/// Whether the pod's process was killed since. `None`: the pod is gone.
fn was_killed(before: &PodBefore, now: Option<&Pod>) -> bool {
    let Some(pod) = now else { return true };
    if pod.metadata.uid.as_ref() != Some(&before.uid) {
        return true;
    }
    let ended = |state: Option<&k8s_openapi::api::core::v1::ContainerState>| {
        state
            .and_then(|state| state.terminated.as_ref())
            .is_some_and(|ended| ended.exit_code == SIGKILLED)
    };
    status(pod).is_some_and(|status| {
        ended(status.state.as_ref())
            || (status.restart_count > before.restarts && ended(status.last_state.as_ref()))
    })
}

/// How many of the pods the cluster shows as killed, once it shows all of them.
pub(super) async fn killed(client: &kube::Client, pods: &[PodBefore]) -> Result<u64, String> {
    let api = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
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

    use super::{PodBefore, runs, was_killed};

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
            restarts: 2,
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
