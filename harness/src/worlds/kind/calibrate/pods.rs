//! Rollouts of each service: what its pods go through, by the watches and by the processes' own lines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dex::release::Service;
use futures::io::AsyncBufReadExt as _;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams, LogParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sim::measured::{Pods, Sampled};
use sim_exchange::measured::Process;
use tokio::task::JoinHandle;

use super::{Following, Stage, now_us, sampled};
use crate::worlds::common::manifests::{APP, NAMESPACE};
use crate::worlds::kind::clock::sleep;
use crate::worlds::kind::objects;

/// Rollouts may take this long, in looks half a second apart.
const LOOKS: u32 = 120;
/// Between two rollouts.
const PAUSE: Duration = Duration::from_secs(3);

/// What a watch has shown.
pub(super) struct Seen {
    at_us: u64,
    kind: &'static str,
    gone: bool,
    object: Value,
}

/// Everything that rollouts show.
pub(super) struct Measured {
    pub(super) pods: Pods,
    pub(super) process: BTreeMap<String, Process>,
    /// Until an EndpointSlice has a pod that is ready, and until it has one no more that is being deleted.
    pub(super) endpoints: (Sampled, Sampled),
}

/// Instants of one pod's life, µs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Life {
    created: Option<u64>,
    bound: Option<u64>,
    running: Option<u64>,
    ready: Option<u64>,
    deleted: Option<u64>,
    gone: Option<u64>,
    listed: Option<u64>,
    unlisted: Option<u64>,
    lines: Vec<(u64, String)>,
}

impl Life {
    fn line(&self, words: &[&str]) -> Option<u64> {
        let has = |text: &str| words.iter().any(|word| text.contains(word));
        self.lines
            .iter()
            .find(|(_, text)| has(text))
            .map(|line| line.0)
    }

    fn first_line(&self) -> Option<u64> {
        self.line(&["starting"])
            .or_else(|| self.lines.first().map(|line| line.0))
    }
}

/// Follows a kind until it is aborted.
async fn follow<K>(client: kube::Client, kind: &'static str, seen: Arc<Mutex<Vec<Seen>>>)
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug
        + Send
        + 'static,
{
    let api = Api::<K>::namespaced(client, NAMESPACE);
    let mut version = match api.list(&ListParams::default()).await {
        Ok(list) => list.metadata.resource_version.unwrap_or_default(),
        Err(_) => return,
    };
    loop {
        let params = WatchParams::default().timeout(290);
        let Ok(stream) = api.watch(&params, &version).await else {
            return;
        };
        let mut stream = Box::pin(stream);
        while let Some(Ok(event)) = stream.next().await {
            let at_us = now_us();
            let (object, gone) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                WatchEvent::Deleted(object) => (object, true),
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(_) => return,
            };
            version = object.resource_version().unwrap_or_default();
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Seen {
                    at_us,
                    kind,
                    gone,
                    object: json!(object),
                });
        }
    }
}

/// Reads a pod's lines, with the instants at which the node wrote them, until its container ends.
async fn lines(client: kube::Client, pod: String) -> Vec<(u64, String)> {
    let api = Api::<Pod>::namespaced(client, NAMESPACE);
    let params = LogParams {
        follow: true,
        timestamps: true,
        ..LogParams::default()
    };
    let mut out = Vec::new();
    // The container may not be there yet.
    for _ in 0..100 {
        if let Ok(stream) = api.log_stream(&pod, &params).await {
            let mut lines = stream.lines();
            while let Ok(Some(line)) = lines.try_next().await {
                out.extend(stamped(&line));
            }
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    out
}

/// A line with its instant.
pub(super) fn stamped(line: &str) -> Option<(u64, String)> {
    let (at, text) = line.split_once(' ')?;
    let at: Timestamp = at.parse().ok()?;
    Some((u64::try_from(at.as_microsecond()).ok()?, text.to_owned()))
}

async fn names(client: &kube::Client) -> Result<Vec<(String, String)>, String> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let list = pods
        .list(&ListParams::default())
        .await
        .map_err(|error| format!("list pods: {error}"))?;
    Ok(list
        .items
        .iter()
        .map(|pod| {
            let app = pod.labels().get(APP).cloned().unwrap_or_default();
            (pod.name_any(), app)
        })
        .collect())
}

/// One rollout to its end: every pod of the new template, and none of the old one left.
async fn roll(stage: &Stage<'_>, service: Service, round: u32) -> Result<(), String> {
    let api = Api::<Deployment>::namespaced(stage.admin.clone(), NAMESPACE);
    let before: Vec<String> = names(&stage.admin)
        .await?
        .into_iter()
        .filter(|(_, app)| app == service.name())
        .map(|(name, _)| name)
        .collect();
    let change = json!({"spec": {"template": {"metadata": {"annotations": {
        "firedrill/calibration": round.to_string()}}}}});
    api.patch(
        service.name(),
        &PatchParams::default(),
        &Patch::Strategic(&change),
    )
    .await
    .map_err(|error| format!("roll {}: {error}", service.name()))?;
    for _ in 0..LOOKS {
        sleep(Duration::from_millis(500)).await;
        let now = names(&stage.admin).await?;
        if !now.iter().any(|(name, _)| before.contains(name)) {
            return objects::ready(&stage.admin).await;
        }
    }
    Err(format!("the rollout of {} does not end", service.name()))
}

/// Rolls every service out, `rounds` times.
pub(super) async fn measure(stage: &Stage<'_>) -> Result<Measured, String> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let client = || stage.admin.clone();
    let following = Following(
        Arc::clone(&seen),
        vec![
            tokio::spawn(follow::<Pod>(client(), "Pod", Arc::clone(&seen))),
            tokio::spawn(follow::<ReplicaSet>(
                client(),
                "ReplicaSet",
                Arc::clone(&seen),
            )),
            tokio::spawn(follow::<Deployment>(
                client(),
                "Deployment",
                Arc::clone(&seen),
            )),
            tokio::spawn(follow::<EndpointSlice>(
                client(),
                "EndpointSlice",
                Arc::clone(&seen),
            )),
        ],
    );
    sleep(Duration::from_secs(1)).await;
    let mut readers: BTreeMap<String, JoinHandle<Vec<(u64, String)>>> = BTreeMap::new();
    for round in 0..stage.rounds {
        (stage.say)(&format!(
            "rollouts, round {} of {}",
            round + 1,
            stage.rounds
        ));
        for service in Service::ALL {
            read_all(stage, &mut readers).await?;
            roll(stage, service, round).await?;
            read_all(stage, &mut readers).await?;
            sleep(PAUSE).await;
        }
    }
    let mut written = BTreeMap::new();
    for (name, reader) in readers {
        if reader.is_finished() {
            written.insert(name, reader.await.unwrap_or_default());
        } else {
            // It lives on; its beginning is known from its log.
            reader.abort();
            let api = Api::<Pod>::namespaced(client(), NAMESPACE);
            let params = LogParams {
                timestamps: true,
                ..LogParams::default()
            };
            let text = api.logs(&name, &params).await.unwrap_or_default();
            written.insert(name, text.lines().filter_map(stamped).collect());
        }
    }
    let seen = following.0.lock().unwrap_or_else(PoisonError::into_inner);
    samples(&seen, &written)
}

async fn read_all(
    stage: &Stage<'_>,
    readers: &mut BTreeMap<String, JoinHandle<Vec<(u64, String)>>>,
) -> Result<(), String> {
    for (name, _) in names(&stage.admin).await? {
        let client = stage.admin.clone();
        readers
            .entry(name.clone())
            .or_insert_with(|| tokio::spawn(lines(client, name)));
    }
    Ok(())
}

/// The lives of the pods that the watches have shown.
fn lives(
    seen: &[Seen],
    written: &BTreeMap<String, Vec<(u64, String)>>,
) -> BTreeMap<String, (String, Life)> {
    let mut lives: BTreeMap<String, (String, Life)> = BTreeMap::new();
    for it in seen {
        let at = it.at_us;
        let object = &it.object;
        match it.kind {
            "Pod" => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let app = object["metadata"]["labels"][APP]
                    .as_str()
                    .unwrap_or_default();
                let (_, life) = lives
                    .entry(name.to_owned())
                    .or_insert_with(|| (app.to_owned(), Life::default()));
                let status = &object["status"];
                let running = status["containerStatuses"][0]["state"]["running"].is_object();
                let ready = status["conditions"].as_array().is_some_and(|all| {
                    all.iter()
                        .any(|c| c["type"] == "Ready" && c["status"] == "True")
                });
                let deleting = object["metadata"]["deletionTimestamp"].is_string();
                let bound = object["spec"]["nodeName"].is_string();
                if it.gone {
                    life.gone.get_or_insert(at);
                    continue;
                }
                // The first event of a pod that was there before shows it bound.
                if life.created.is_none() && !bound {
                    life.created = Some(at);
                }
                for (holds, slot) in [
                    (bound && life.created.is_some(), &mut life.bound),
                    (running, &mut life.running),
                    (ready, &mut life.ready),
                    (deleting, &mut life.deleted),
                ] {
                    if holds {
                        slot.get_or_insert(at);
                    }
                }
            }
            "EndpointSlice" => {
                let ready: Vec<&str> = object["endpoints"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|it| it["conditions"]["ready"] == true)
                    .filter_map(|it| it["targetRef"]["name"].as_str())
                    .collect();
                let service = object["metadata"]["labels"]["kubernetes.io/service-name"].as_str();
                for (name, (app, life)) in &mut lives {
                    if Some(app.as_str()) != service {
                        continue;
                    }
                    if ready.contains(&name.as_str()) {
                        life.listed.get_or_insert(at);
                    } else if life.deleted.is_some() {
                        life.unlisted.get_or_insert(at);
                    }
                }
            }
            _ => {}
        }
    }
    for (name, lines) in written {
        if let Some((_, life)) = lives.get_mut(name) {
            life.lines.clone_from(lines);
        }
    }
    lives
}

/// From a Deployment's change to its new ReplicaSet, and from that to its first pod.
fn reactions(seen: &[Seen]) -> Vec<u64> {
    let mut out = Vec::new();
    let mut generations: BTreeMap<String, (i64, u64)> = BTreeMap::new();
    let mut sets: BTreeMap<String, u64> = BTreeMap::new();
    for it in seen.iter().filter(|it| !it.gone) {
        let meta = &it.object["metadata"];
        let name = meta["name"].as_str().unwrap_or_default().to_owned();
        let owner = meta["ownerReferences"][0]["name"]
            .as_str()
            .unwrap_or_default();
        match it.kind {
            "Deployment" => {
                let generation = meta["generation"].as_i64().unwrap_or(0);
                let known = generations.entry(name).or_insert((generation, 0));
                if generation > known.0 {
                    *known = (generation, it.at_us);
                }
            }
            "ReplicaSet" if !sets.contains_key(&name) => {
                let fresh = meta["generation"] == 1;
                if let Some((_, changed)) = generations.get_mut(owner)
                    && fresh
                    && *changed > 0
                {
                    out.push(it.at_us.saturating_sub(*changed));
                    *changed = 0;
                    sets.insert(name, it.at_us);
                } else {
                    sets.insert(name, 0);
                }
            }
            "Pod" => {
                if let Some(made) = sets.get_mut(owner)
                    && *made > 0
                {
                    out.push(it.at_us.saturating_sub(*made));
                    *made = 0;
                }
            }
            _ => {}
        }
    }
    out
}

/// What can be said of all that was seen.
fn samples(
    seen: &[Seen],
    written: &BTreeMap<String, Vec<(u64, String)>>,
) -> Result<Measured, String> {
    let lives = lives(seen, written);
    let between = |from: &dyn Fn(&Life) -> Option<u64>,
                   to: &dyn Fn(&Life) -> Option<u64>,
                   app: Option<&str>| {
        lives
            .values()
            .filter(|(of, _)| app.is_none_or(|app| app == of))
            .filter_map(|(_, life)| Some(to(life)?.saturating_sub(from(life)?)))
            .collect::<Vec<u64>>()
    };
    let sigterm = |life: &Life| life.line(&["SIGTERM"]);
    let last = |life: &Life| life.line(&["ending"]);
    // A pod of which nothing but its end was seen has no beginning.
    let first = |life: &Life| life.bound.and(life.first_line());
    let pods = Pods {
        controller: sampled("controller", &reactions(seen))?,
        schedule: sampled("schedule", &between(&|l| l.created, &|l| l.bound, None))?,
        up: sampled(
            "up",
            &between(&|l| l.bound, &first, Some(Service::Gateway.name())),
        )?,
        observe: sampled("observe", &between(&first, &|l| l.running, None))?,
        ready: sampled("ready", &between(&|l| l.running, &|l| l.ready, None))?,
        signal: sampled("signal", &between(&|l| l.deleted, &sigterm, None))?,
        teardown: sampled("teardown", &between(&last, &|l| l.gone, None))?,
        whole_start: sampled("whole start", &between(&|l| l.bound, &|l| l.ready, None))?,
        whole_end: sampled("whole end", &between(&|l| l.deleted, &|l| l.gone, None))?,
    };
    let mut process = BTreeMap::new();
    for service in Service::ALL {
        let app = Some(service.name());
        // An engine is of use once it leads.
        let serves: &[&str] = if service == Service::Matching {
            &["leading in epoch"]
        } else {
            &["listening on"]
        };
        process.insert(
            service.name().to_owned(),
            Process {
                up: sampled("up", &between(&|l| l.bound, &first, app))?,
                boot: sampled("boot", &between(&first, &|l| l.line(serves), app))?,
                drain: sampled("drain", &between(&sigterm, &last, app))?,
            },
        );
    }
    let endpoints = (
        sampled(
            "endpoint added",
            &between(&|l| l.ready, &|l| l.listed, None),
        )?,
        sampled(
            "endpoint removed",
            &between(&|l| l.deleted, &|l| l.unlisted, None),
        )?,
    );
    Ok(Measured {
        pods,
        process,
        endpoints,
    })
}

#[cfg(test)]
mod tests;
