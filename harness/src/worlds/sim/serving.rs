//! From when to when the deployed release serves, read from the simulated cluster itself.

use std::collections::BTreeMap;

use sim::Application;
use sim::cluster::{Cluster, Kind, workload_of};
use sim::time::Micros;

use super::faults::Scope;
use super::recorder::Recorder;

/// How often it is looked whether the deployed release serves.
const LOOK: Micros = Micros::from_secs(1);

/// What shows that the deployed release serves.
#[derive(Clone, Debug)]
pub(super) struct Deployed {
    /// Where it is deployed.
    pub(super) namespace: String,
    /// The images that came with it, by the names of their workloads.
    pub(super) images: BTreeMap<String, String>,
    /// What it changes of ConfigMaps, by name and key; for a release that changes no image.
    pub(super) config: BTreeMap<(String, String), String>,
}

impl Deployed {
    /// Of a release that changes what `scope` says, and `config` of ConfigMaps.
    pub(super) fn of(scope: &Scope, config: BTreeMap<(String, String), String>) -> Self {
        let changed = scope.changed.iter();
        let images = changed.map(|it| (it.of.name.clone(), it.bad.clone()));
        Self {
            namespace: scope.namespace.clone(),
            images: images.collect(),
            config,
        }
    }

    /// Whether it serves now.
    pub(super) fn serves(&self, cluster: &Cluster) -> bool {
        if self.images.is_empty() {
            return self.config.iter().any(|((map, key), value)| {
                let map = cluster.object(Kind::ConfigMap, &self.namespace, map);
                map.is_some_and(|map| map["data"][key.as_str()].as_str() == Some(value))
            });
        }
        cluster.objects(Kind::Pod, &self.namespace).any(|pod| {
            let metadata = &pod["metadata"];
            let image = self.images.get(workload_of(pod));
            let containers = pod["spec"]["containers"].as_array();
            let conditions = pod["status"]["conditions"].as_array();
            metadata["deletionTimestamp"].as_str().is_none()
                && containers.is_some_and(|all| {
                    let mut all = all.iter();
                    image.is_some_and(|image| all.any(|it| it["image"].as_str() == Some(image)))
                })
                && conditions.is_some_and(|all| {
                    let mut all = all.iter();
                    all.any(|it| it["type"] == "Ready" && it["status"] == "True")
                })
        })
    }
}

/// Writes down from when to when `deployed` serves, by a look each second; goes on until it is dropped. Nothing is
/// deployed before `from`, so that nobody looks before that.
pub(super) async fn keep_watching<A: Application>(
    world: &sim::World<A>,
    recorder: &Recorder,
    deployed: &Deployed,
    from: Micros,
) {
    let began = world.now();
    let left_out = from.0.saturating_sub(began.0).saturating_sub(1) / LOOK.0;
    let mut before = Micros(began.0 + left_out * LOOK.0);
    // Of which state of the cluster the last answer is, and what it was.
    let mut known = None;
    loop {
        let now = before + LOOK;
        world.sleep_until(now).await;
        let is_deployed = recorder.lock().evidence.deployed_ms.is_some();
        let serves = is_deployed
            && world.with(|state| {
                let version = state.cluster.resource_version();
                match known {
                    Some((of, serves)) if of == version => serves,
                    _ => {
                        let serves = deployed.serves(&state.cluster);
                        known = Some((version, serves));
                        serves
                    }
                }
            });
        if serves {
            let evidence = &mut recorder.lock().evidence;
            evidence.deployed_serves(before.as_millis(), now.as_millis());
        }
        before = now;
    }
}
