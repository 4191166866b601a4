//! What the pods of a draw did, as the API server's objects show it.

use std::collections::BTreeMap;

use sim::cluster::{Cluster, Kind, Value as Stored};
use sim::time::Micros;

use super::processes::Started;
use super::simulated::{PRIOR, RELEASE, Role, Simulated};
use super::workload::Keeper;

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

/// The pods of the workload.
#[derive(Clone, Debug, Default)]
pub(super) struct Pods {
    /// By UID.
    all: BTreeMap<String, Pod>,
    /// When a controller of the workload counted one more pod as available.
    counted: Vec<Micros>,
    /// How many pods each of its controllers counts, by the name of its object.
    available: BTreeMap<String, i64>,
}

/// How long a controller may be busy with other work when it should look at a pod.
const BUSY: Micros = Micros::from_secs(2);

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
    /// When its controller counted it as available: about `minReadySeconds` after its readiness.
    pub(super) available: Option<Micros>,
    pub(super) deleted: Option<Micros>,
    pub(super) gone: Option<Micros>,
}

impl Pods {
    /// Takes in what has changed in the store after the version `since`, at `now`.
    pub(super) fn look(&mut self, now: Micros, cluster: &Cluster, since: u64, of: &Simulated) {
        self.count(now, cluster, since, of);
        for (object, gone) in cluster.changed_since(Kind::Pod, since) {
            let metadata = &object["metadata"];
            if metadata["namespace"] != of.namespace.as_str() {
                continue;
            }
            let (Some(uid), Some(release)) = (metadata["uid"].as_str(), release(object, of)) else {
                continue;
            };
            let pod = self.all.entry(uid.to_owned()).or_insert_with(|| Pod {
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
            if gone {
                pod.gone.get_or_insert(now);
            }
        }
    }

    /// How many pods are of the prior release and ready, and nobody has deleted them.
    pub(super) fn back(&self) -> usize {
        let stays = |pod: &&Pod| {
            pod.release == Release::Prior
                && pod.ready.is_some()
                && pod.deleted.is_none()
                && pod.gone.is_none()
        };
        self.all.values().filter(stays).count()
    }

    /// Notes down when the workload's controllers count more pods as available.
    fn count(&mut self, now: Micros, cluster: &Cluster, since: u64, of: &Simulated) {
        let kind = match of.keeper {
            Keeper::Deployment => Kind::ReplicaSet,
            Keeper::StatefulSet => Kind::StatefulSet,
        };
        for (object, _) in cluster.changed_since(kind, since) {
            let metadata = &object["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default();
            if metadata["namespace"] != of.namespace.as_str() || !of.keeps_pods(name) {
                continue;
            }
            let is = object["status"]["availableReplicas"].as_i64().unwrap_or(0);
            let was = self.available.insert(name.to_owned(), is).unwrap_or(0);
            if is > was {
                self.counted.push(now);
            }
        }
    }

    /// When a pod that became ready at `ready` was counted as available.
    ///
    /// A ReplicaSet's controller looks when the pod is due by the whole second that its condition shows, up to a second
    /// sooner (`pkg/controller/controller_utils.go` FindMinNextPodAvailabilityCheck). A StatefulSet's controller looks
    /// `minReadySeconds` after one of its last looks, up to `minReadySeconds` later
    /// (`pkg/controller/statefulset/stateful_set.go` syncStatefulSet).
    fn available(&self, ready: Micros, min_ready: Micros) -> Micros {
        if min_ready == Micros::ZERO {
            return ready;
        }
        let due = ready + min_ready;
        let sooner = due.saturating_sub(Micros::from_secs(1));
        let from = self.counted.partition_point(|at| *at < sooner);
        let counted = self.counted.get(from).copied();
        let counted = counted.filter(|at| *at <= due + min_ready + BUSY);
        counted.unwrap_or(due)
    }

    /// The lives of the pods that were there at `start` or came later, in the order in which they were created.
    pub(super) fn since(
        &self,
        start: Micros,
        started: &BTreeMap<String, Vec<Started>>,
        min_ready: Micros,
    ) -> Vec<Life> {
        let since = |at: Micros| at.saturating_sub(start);
        let lives = self.all.iter();
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
                    available: pod.ready.map(|at| since(self.available(at, min_ready))),
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
    let kind = match of.keeper {
        Keeper::Deployment => "ReplicaSet",
        Keeper::StatefulSet => "StatefulSet",
    };
    let owners = pod["metadata"]["ownerReferences"].as_array()?;
    let owners = owners.iter().filter(|it| it["kind"] == kind);
    let mut owners = owners.filter_map(|it| it["name"].as_str());
    owners.find(|owner| of.keeps_pods(owner))?;
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
