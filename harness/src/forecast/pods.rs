//! What the pods of a draw did, as the API server's objects show it.

use std::collections::BTreeMap;

use sim::cluster::{Cluster, Kind, Value as Stored};
use sim::time::Micros;

use super::processes::Started;
use super::simulated::{PRIOR, RELEASE, Role, Simulated};

/// Which release a pod is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// The one that is undone to.
    Prior,
    /// The one that is undone.
    Bad,
}

/// A pod, in the run's own time.
#[derive(Clone, Debug)]
struct Pod {
    name: String,
    release: Release,
    created: Micros,
    bound: Option<Micros>,
    ready: Option<Micros>,
    deleted: Option<Micros>,
    gone: Option<Micros>,
}

/// The pods of the workload, by UID.
#[derive(Clone, Debug, Default)]
pub(super) struct Pods(BTreeMap<String, Pod>);

/// The life of a pod. Instants count from the undo; what was before it is at 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) name: String,
    pub(super) release: Release,
    /// Whether it was there before the undo.
    pub(super) old: bool,
    pub(super) created: Micros,
    /// When it was bound to a node.
    pub(super) bound: Option<Micros>,
    /// When its first process started: of an init container, if it has any.
    pub(super) began: Option<Micros>,
    /// When the first of its lasting processes started.
    pub(super) main: Option<Micros>,
    /// From when on all of them could answer.
    pub(super) answers: Option<Micros>,
    pub(super) ready: Option<Micros>,
    /// When it had been ready for `minReadySeconds`.
    pub(super) available: Option<Micros>,
    pub(super) deleted: Option<Micros>,
    pub(super) gone: Option<Micros>,
}

impl Pods {
    /// Takes in what the store shows at `now`.
    pub(super) fn look(&mut self, now: Micros, cluster: &Cluster, of: &Simulated) {
        let mut there = Vec::new();
        for object in cluster.objects(Kind::Pod, &of.namespace) {
            let metadata = &object["metadata"];
            let (Some(uid), Some(release)) = (metadata["uid"].as_str(), release(object, of)) else {
                continue;
            };
            there.push(uid.to_owned());
            let pod = self.0.entry(uid.to_owned()).or_insert_with(|| Pod {
                name: metadata["name"].as_str().unwrap_or_default().to_owned(),
                release,
                created: now,
                bound: None,
                ready: None,
                deleted: None,
                gone: None,
            });
            if object["spec"]["nodeName"].as_str().is_some() {
                pod.bound.get_or_insert(now);
            }
            if is_ready(object) {
                pod.ready.get_or_insert(now);
            } else {
                pod.ready = None;
            }
            if metadata["deletionTimestamp"].as_str().is_some() {
                pod.deleted.get_or_insert(now);
            }
        }
        there.sort_unstable();
        for (uid, pod) in &mut self.0 {
            if pod.gone.is_none() && there.binary_search(uid).is_err() {
                pod.gone = Some(now);
            }
        }
    }

    /// The lives of the pods that were there at `start` or came later, in the order in which they were created.
    pub(super) fn since(
        &self,
        start: Micros,
        started: &BTreeMap<String, Vec<Started>>,
        min_ready: Micros,
    ) -> Vec<Life> {
        let since = |at: Micros| at.saturating_sub(start);
        let lives = self.0.iter();
        let mut lives: Vec<Life> = lives
            .filter(|(_, pod)| pod.gone.is_none_or(|gone| gone > start))
            .map(|(uid, pod)| {
                let own = started.get(uid).map(Vec::as_slice).unwrap_or_default();
                let lasting = || own.iter().filter(|it| it.role == Role::Lasting);
                Life {
                    name: pod.name.clone(),
                    release: pod.release,
                    old: pod.created <= start,
                    created: since(pod.created),
                    bound: pod.bound.map(since),
                    began: own.iter().map(|it| it.at).min().map(since),
                    main: lasting().map(|it| it.at).min().map(since),
                    answers: lasting().map(|it| it.answers_at).max().map(since),
                    ready: pod.ready.map(since),
                    available: pod.ready.map(|at| since(at + min_ready)),
                    deleted: pod.deleted.map(since),
                    gone: pod.gone.map(since),
                }
            })
            .collect();
        lives.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        lives
    }

    /// Why pods of the workload do not get on, in the words of their statuses.
    pub(super) fn why(&self, cluster: &Cluster, of: &Simulated) -> Option<String> {
        let pods = cluster.objects(Kind::Pod, &of.namespace);
        let mut reasons = pods
            .filter(|object| release(object, of).is_some() && !is_ready(object))
            .filter_map(reason);
        reasons.next()
    }
}

/// The release of a pod of this workload; `None`: it is another's.
fn release(pod: &Stored, of: &Simulated) -> Option<Release> {
    let owners = pod["metadata"]["ownerReferences"].as_array()?;
    let mut owners = owners.iter().filter_map(|it| it["name"].as_str());
    // A ReplicaSet is named after its Deployment and a hash without a dash.
    owners.find(|owner| owner.rsplit_once('-').map(|it| it.0) == Some(&of.name))?;
    match pod["metadata"]["annotations"][RELEASE].as_str()? {
        PRIOR => Some(Release::Prior),
        _ => Some(Release::Bad),
    }
}

fn is_ready(pod: &Stored) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// What a pod waits for.
fn reason(pod: &Stored) -> Option<String> {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let unscheduled = conditions.find(|it| it["type"] == "PodScheduled" && it["status"] == "False");
    if let Some(message) = unscheduled.and_then(|it| it["message"].as_str()) {
        return Some(format!("a pod finds no node: {message}"));
    }
    let statuses = ["initContainerStatuses", "containerStatuses"];
    let statuses = statuses
        .iter()
        .filter_map(|list| pod["status"][*list].as_array());
    let mut unready = statuses
        .flatten()
        .filter(|it| it["ready"].as_bool() != Some(true));
    let container = unready.next()?;
    let name = container["name"].as_str().unwrap_or_default();
    let restarts = container["restartCount"].as_i64().unwrap_or_default();
    Some(match container["state"]["waiting"]["reason"].as_str() {
        Some(reason) => format!("container {name} waits: {reason} after {restarts} restarts"),
        None if restarts > 0 => format!("container {name} was started again {restarts} times"),
        None => format!("container {name} is not ready"),
    })
}
