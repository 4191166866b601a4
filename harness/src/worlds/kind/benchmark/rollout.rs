//! How long a rollout itself takes, whoever asked for it: from the instant at which the harness's own watch shows the
//! changed Deployment to the one at which it is complete, as `kubectl rollout status` has it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, WatchEvent, WatchParams};

use super::super::clock::sleep;
use super::super::objects::is_rolled_out;
use super::now_ms;
use crate::worlds::common::manifests::NAMESPACE;

/// Looks for the last event, a twentieth of a second apart.
const LOOKS: u32 = 100;

/// What the watch has shown, ms since 1970.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    generation: i64,
    changed: Option<i64>,
    complete: Option<i64>,
}

impl Seen {
    fn look(&mut self, deployment: &Deployment, at: i64) {
        let generation = deployment.metadata.generation.unwrap_or_default();
        if generation != self.generation {
            *self = Self {
                generation,
                changed: Some(at),
                complete: None,
            };
        }
        if self.changed.is_some() && is_rolled_out(deployment) {
            self.complete = self.complete.or(Some(at));
        }
    }

    fn took(&self) -> Option<u64> {
        u64::try_from(self.complete? - self.changed?).ok()
    }
}

/// Follows a Deployment until it is dropped.
pub(super) struct Follower {
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// From now on.
    pub(super) async fn of(client: &kube::Client, name: &str) -> Result<Self, String> {
        let api = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
        let now = api.get(name).await;
        let now = now.map_err(|error| format!("get deployment {name}: {error}"))?;
        let seen = Arc::new(Mutex::new(Seen {
            generation: now.metadata.generation.unwrap_or_default(),
            ..Seen::default()
        }));
        let version = now.metadata.resource_version.unwrap_or_default();
        let params = WatchParams::default()
            .fields(&format!("metadata.name={name}"))
            .timeout(290);
        let events = api.watch(&params, &version).await;
        let mut events = Box::pin(events.map_err(|error| format!("watch {name}: {error}"))?);
        let notes = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                if let WatchEvent::Added(deployment) | WatchEvent::Modified(deployment) = event {
                    let mut seen = notes.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.look(&deployment, now_ms());
                }
            }
        });
        Ok(Self { seen, task })
    }

    /// What the last rollout took, ms. It is complete, or about to be.
    pub(super) async fn took(&self) -> Result<u64, String> {
        for _ in 0..LOOKS {
            let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(took) = seen.took() {
                return Ok(took);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err("the rollout was not seen to its end".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;

    use super::Seen;

    fn deployment(generation: i64, observed: i64, counts: [i32; 3]) -> Deployment {
        let [replicas, updated, available] = counts;
        serde_json::from_value(serde_json::json!({
            "metadata": {"generation": generation},
            "spec": {"replicas": 3, "selector": {}, "template": {}},
            "status": {"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
                "availableReplicas": available},
        }))
        .expect("a Deployment")
    }

    #[test]
    fn a_rollout_lasts_from_the_change_to_the_first_instant_at_which_all_are_new_and_available() {
        let mut seen = Seen {
            generation: 4,
            ..Seen::default()
        };
        seen.look(&deployment(4, 4, [3, 3, 3]), 1_000);
        assert_eq!(seen.took(), None, "nothing was changed yet");
        for (at, event) in [
            (2_000, deployment(5, 4, [3, 3, 3])),
            (2_010, deployment(5, 5, [4, 1, 3])),
            (7_000, deployment(5, 5, [4, 3, 4])),
            (7_500, deployment(5, 5, [3, 3, 2])),
        ] {
            seen.look(&event, at);
            assert_eq!(seen.took(), None, "at {at}");
        }
        seen.look(&deployment(5, 5, [3, 3, 3]), 8_000);
        seen.look(&deployment(5, 5, [3, 3, 3]), 9_000);
        assert_eq!(seen.took(), Some(6_000));
    }
}
