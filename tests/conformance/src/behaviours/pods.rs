//! Pods whose life a body tells by itself: it writes their status, since no kubelet has them.

use serde_json::{Value, json};

use super::Ground;

/// Writes that a pod runs and is ready.
pub(super) async fn ready(on: &Ground, name: &str) -> Result<(), String> {
    let condition = json!({"type": "Ready", "status": "True"});
    let status = json!({"status": {"phase": "Running", "conditions": [condition]}});
    on.change(&format!("v1/pods/{name}/status"), &status)
        .await
        .map(drop)
}

/// Writes how a pod ended.
pub(super) async fn ended(on: &Ground, name: &str, phase: &str) -> Result<(), String> {
    let status = json!({"status": {"phase": phase}});
    on.change(&format!("v1/pods/{name}/status"), &status)
        .await
        .map(drop)
}

/// Whether a pod says that it is ready.
fn is_ready(pod: &Value) -> bool {
    let all = pod["status"]["conditions"].as_array();
    let mut all = all.into_iter().flatten();
    all.any(|it| it["type"] == "Ready" && it["status"] == "True")
}

pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The items of a list.
pub(super) fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

/// Writes of every pod of the namespace that it is ready, once there are so many.
pub(super) async fn all_ready(on: &Ground, many: usize) -> Result<Vec<Value>, String> {
    let pods = on.count("v1/pods", many).await?;
    for pod in pods.iter().filter(|pod| !is_ready(pod)) {
        ready(on, name(pod)).await?;
    }
    Ok(pods)
}

/// Writes of pods that they are ready as they come, until the object at `path` has these fields.
pub(super) async fn ready_until(on: &Ground, path: &str, wanted: &Value) -> Result<Value, String> {
    /// More rounds than a rollout of a few pods takes.
    const ROUNDS: usize = 50;
    for _ in 0..ROUNDS {
        let object = on.read(path).await?;
        if super::same(&object, wanted).is_ok() {
            return Ok(object);
        }
        let pods = on.read("v1/pods").await?;
        let unready = items(&pods).iter().filter(|pod| !is_ready(pod));
        let mut any = false;
        for pod in unready {
            any = true;
            // It may have gone in the meantime.
            let _gone = ready(on, name(pod)).await;
        }
        if !any {
            on.next_change("v1/pods", &pods).await?;
        }
    }
    Err(format!(
        "never came: {wanted}; there is {}",
        on.read(path).await?
    ))
}
