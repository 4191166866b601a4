//! Which controllers a change wakes (their informers' handlers).

use super::api::selectors::LabelSelector;
use super::due_items::Work;
use super::kinds::Kind;
use super::machine::Cluster;
use super::store::{Change, LogEntry};
use super::value::{self, at, controller_of, controller_uid, items, split_key, text, uid};
use crate::cluster::json::Value;

/// Kinds whose controllers keep pods of their own.
const KEEPERS: [Kind; 4] = [
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
];

impl Cluster {
    /// Wakes whoever watches this kind.
    pub(crate) fn notify(&mut self, entry: &LogEntry) {
        let object = &entry.object.value;
        let previous = entry.previous.as_ref().map(|p| &p.value);
        let gone = entry.change == Change::Deleted;
        match entry.kind {
            Kind::Deployment if entry.change != Change::Deleted => {
                self.enqueue(Work::Deployment(entry.key.clone()));
            }
            Kind::ReplicaSet => {
                if entry.change != Change::Deleted {
                    self.enqueue(Work::ReplicaSet(entry.key.clone()));
                }
                self.wake_controllers(&[Kind::Deployment], object, previous, gone);
            }
            Kind::Pod => self.notify_pod(entry),
            Kind::Service => self.enqueue(Work::Endpoints(entry.key.clone())),
            Kind::EndpointSlice => self.proxy_wake(),
            Kind::Node => {
                self.wake_unschedulable();
                self.wake_daemon_sets();
            }
            Kind::ConfigMap => self.enqueue(Work::Config(entry.key.clone())),
            Kind::StatefulSet | Kind::DaemonSet | Kind::Job | Kind::HorizontalPodAutoscaler
                if entry.change != Change::Deleted =>
            {
                self.enqueue_controller(entry.kind, entry.key.clone());
            }
            Kind::ControllerRevision => {
                let of = [Kind::DaemonSet];
                self.wake_controllers(&of, object, previous, gone);
            }
            Kind::PersistentVolumeClaim => self.claim_changed(entry),
            Kind::CustomResourceDefinition => self.definitions_changed(),
            Kind::PodDisruptionBudget if entry.change != Change::Deleted => {
                self.enqueue(Work::Budget(entry.key.clone()));
            }
            _ => {}
        }
        if entry.change == Change::Deleted {
            if self.may_have_dependents(entry.kind, uid(object)) {
                self.enqueue(Work::Garbage(uid(object).to_owned()));
            }
            // An owner that waits in foreground deletion looks again.
            let owners = items(object, &["metadata", "ownerReferences"]);
            for owner in owners.iter().filter(|o| text(o, &["kind"]) != "Node") {
                self.enqueue(Work::Garbage(text(owner, &["uid"]).to_owned()));
            }
        } else if value::deleting(object) && !items(object, &["metadata", "finalizers"]).is_empty()
        {
            self.enqueue(Work::Garbage(uid(object).to_owned()));
        }
    }

    /// Whether an object of this kind and UID may have left dependents. Pods and events, for example, own nothing here.
    fn may_have_dependents(&self, kind: Kind, uid: &str) -> bool {
        match kind {
            Kind::Deployment
            | Kind::ReplicaSet
            | Kind::Service
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
            | Kind::Custom(_) => true,
            Kind::Pod | Kind::EndpointSlice | Kind::Event | Kind::Namespace | Kind::Node => false,
            _ => !self.dependents(uid).is_empty(),
        }
    }

    /// Queues the work of a controller for an object of its kind.
    pub(crate) fn enqueue_controller(&mut self, kind: Kind, key: String) {
        let work = match kind {
            Kind::Deployment => Work::Deployment(key),
            Kind::ReplicaSet => Work::ReplicaSet(key),
            Kind::StatefulSet => Work::StatefulSet(key),
            Kind::DaemonSet => Work::DaemonSet(key),
            Kind::Job => Work::Job(key),
            Kind::HorizontalPodAutoscaler => return self.autoscaler_waits(key),
            _ => return,
        };
        self.enqueue(work);
    }

    /// A node has changed: each DaemonSet may have something to do there.
    fn wake_daemon_sets(&mut self) {
        let sets = self.store.list(Kind::DaemonSet, None);
        let keys: Vec<String> = sets.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.enqueue(Work::DaemonSet(key));
        }
    }

    fn notify_pod(&mut self, entry: &LogEntry) {
        let object = &entry.object.value;
        let previous = entry.previous.as_ref().map(|p| &p.value);
        let gone = entry.change == Change::Deleted;
        self.wake_controllers(&KEEPERS, object, previous, gone);
        let assigned = !text(object, &["spec", "nodeName"]).is_empty();
        match entry.change {
            Change::Deleted => {
                self.enqueue(Work::Pod(entry.key.clone()));
                self.wake_deployment_of_pod(object);
                self.wake_unschedulable();
            }
            _ if !assigned => self.enqueue(Work::Schedule(entry.key.clone())),
            _ => {
                let was_assigned =
                    previous.is_some_and(|p| !text(p, &["spec", "nodeName"]).is_empty());
                let was_deleting = previous.is_some_and(value::deleting);
                if !was_assigned || (value::deleting(object) && !was_deleting) {
                    self.enqueue(Work::Pod(entry.key.clone()));
                } else if previous.is_some_and(|p| is_news_for_the_kubelet(p, object)) {
                    self.pod_changed(&entry.key);
                }
            }
        }
        if entry.change != Change::Modified || endpoint_differs(previous, object) {
            let (namespace, _) = split_key(&entry.key);
            let selected: Vec<Work> = self
                .store
                .list(Kind::Service, Some(namespace))
                .filter(|(_, s)| {
                    selects(&s.value, object) || previous.is_some_and(|p| selects(&s.value, p))
                })
                .map(|(key, _)| Work::Endpoints(key.clone()))
                .chain(
                    self.store
                        .list(Kind::PodDisruptionBudget, Some(namespace))
                        .map(|(key, _)| Work::Budget(key.clone())),
                )
                .collect();
            for work in selected {
                self.enqueue(work);
            }
        }
    }

    /// Recreate waits for the last pod: a pod's deletion wakes its Deployment only when none remains
    /// (`deployment_controller.go` deletePod).
    fn wake_deployment_of_pod(&mut self, pod: &Value) {
        let rs_uid = controller_uid(pod);
        let namespace = value::namespace(pod).to_owned();
        let Some(rs) = self
            .store
            .list(Kind::ReplicaSet, Some(&namespace))
            .map(|(_, rs)| rs.clone())
            .find(|rs| uid(&rs.value) == rs_uid)
        else {
            return;
        };
        let Some(owner) = controller_of(&rs.value) else {
            return;
        };
        let recreates = |d: &Value| text(d, &["spec", "strategy", "type"]) == "Recreate";
        let key = value::key(&namespace, text(owner, &["name"]));
        if !self
            .get(Kind::Deployment, &key)
            .is_some_and(|d| recreates(&d.value))
        {
            return;
        }
        let deployment = rs.controller_uid();
        let owned: Vec<String> = self
            .store
            .list(Kind::ReplicaSet, Some(&namespace))
            .filter(|(_, rs)| rs.controller_uid() == deployment)
            .map(|(_, rs)| uid(&rs.value).to_owned())
            .collect();
        let any_left = self
            .store
            .list(Kind::Pod, Some(&namespace))
            .any(|(_, p)| owned.iter().any(|u| u == p.controller_uid()));
        if !any_left {
            self.wake_owner(&rs.value, owner);
        }
    }
}

/// Whether a Service selects a pod.
pub(crate) fn selects(service: &Value, pod: &Value) -> bool {
    let selector = LabelSelector::of_map(at(service, &["spec", "selector"]));
    !selector.is_empty() && selector.matches(pod)
}

/// Whether a pod has changed in what makes its kubelet take it up again (`pkg/kubelet/config/config.go`
/// podsDifferSemantically); of its spec nothing changes that is simulated.
fn is_news_for_the_kubelet(previous: &Value, object: &Value) -> bool {
    let differs =
        |field: &str| at(previous, &["metadata", field]) != at(object, &["metadata", field]);
    differs("labels") || differs("annotations")
}

/// What of a pod shows in an EndpointSlice.
fn endpoint_differs(previous: Option<&Value>, object: &Value) -> bool {
    let Some(previous) = previous else {
        return true;
    };
    let same = |path: &[&str]| at(previous, path) == at(object, path);
    !(same(&["status", "podIP"])
        && same(&["metadata", "labels"])
        && same(&["metadata", "deletionTimestamp"])
        && same(&["status", "phase"])
        && value::condition_true(previous, "Ready") == value::condition_true(object, "Ready"))
}
