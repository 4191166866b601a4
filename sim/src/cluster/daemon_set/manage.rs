//! Which nodes lack a pod, and which pods are too many (`daemon_controller.go` manage, podsShouldBeOnNode, syncNodes).

use super::sync::{Sync, by_age};
use crate::cluster::api::status::ApiError;
use crate::cluster::history::REVISION_HASH;
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::placement::{REQUIRED_NODES, daemon_fits};
use crate::cluster::pod_template::pod_of;
use crate::cluster::replicaset::is_available;
use crate::cluster::store::Ref;
use crate::cluster::value::{
    self, annotation, condition_true, deleting, name, namespace, set, text,
};

const SOURCE: &str = "daemonset-controller";

/// What is to be done: the nodes that get a pod, and the names of the pods that go.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) create: Vec<String>,
    pub(super) delete: Vec<String>,
}

impl Cluster {
    /// Creates what is missing and deletes what is too many; whether there was anything.
    pub(super) fn manage_daemons(&mut self, sync: &Sync) -> Result<bool, ApiError> {
        let mut changes = Changes::default();
        for node in &sync.nodes {
            let fit = daemon_fits(&node.value, &sync.template);
            self.look_at_node(sync, name(&node.value), fit, &mut changes);
        }
        // Pods for nodes that are not there any more.
        for (node, pods) in &sync.pods {
            let known = sync.nodes.iter().any(|n| name(&n.value) == node);
            let waits = |pod: &&Ref| text(&pod.value, &["spec", "nodeName"]).is_empty();
            if !known {
                let lost = pods
                    .iter()
                    .filter(waits)
                    .filter(|pod| !deleting(&pod.value));
                changes
                    .delete
                    .extend(lost.map(|pod| name(&pod.value).to_owned()));
            }
        }
        let any = !(changes.create.is_empty() && changes.delete.is_empty());
        self.sync_nodes(sync, &changes)?;
        Ok(any)
    }

    fn look_at_node(
        &mut self,
        sync: &Sync,
        node: &str,
        (runs, goes_on): (bool, bool),
        changes: &mut Changes,
    ) {
        let there = sync.pods.get(node);
        if there.is_none() && runs {
            changes.create.push(node.to_owned());
            return;
        }
        let pods = there.into_iter().flatten();
        let mut pods: Vec<Ref> = pods.filter(|pod| !deleting(&pod.value)).cloned().collect();
        if !goes_on {
            let all = pods.iter().map(|pod| name(&pod.value).to_owned());
            changes.delete.extend(all);
            return;
        }
        pods.retain(|pod| {
            let (warning, reason, words) = match text(&pod.value, &["status", "phase"]) {
                "Failed" => (true, "FailedDaemonPod", ("failed", "kill")),
                "Succeeded" => (false, "SucceededDaemonPod", ("succeeded", "delete")),
                _ => return true,
            };
            let called = name(&pod.value);
            let message = format!(
                "Found {} daemon pod {}/{called} on node {node}, will try to {} it",
                words.0,
                namespace(&pod.value),
                words.1
            );
            self.event(&sync.object, warning, reason, &message, SOURCE);
            changes.delete.push(called.to_owned());
            false
        });
        by_age(&mut pods);
        let called = |pod: &Ref| name(&pod.value).to_owned();
        if !sync.surges() {
            changes.delete.extend(pods.iter().skip(1).map(called));
            return;
        }
        if pods.is_empty() && runs {
            changes.create.push(node.to_owned());
        }
        if pods.len() <= 1 {
            return;
        }
        let (new, old): (Vec<Ref>, Vec<Ref>) =
            pods.into_iter().partition(|pod| sync.is_new(&pod.value));
        let beyond = new.iter().skip(1).chain(old.iter().skip(1));
        changes.delete.extend(beyond.map(called));
        if let (Some(new), Some(old)) = (new.first(), old.first()) {
            let takes_over = is_available(&new.value, sync.min_ready_s, self.now);
            if !condition_true(&old.value, "Ready") || takes_over {
                changes.delete.push(called(old));
            }
        }
    }

    /// Carries out changes.
    pub(super) fn sync_nodes(&mut self, sync: &Sync, changes: &Changes) -> Result<(), ApiError> {
        let mut outcome = Ok(());
        for node in &changes.create {
            let created = self.create_daemon(sync, node);
            if created.is_err() {
                outcome = created;
                break;
            }
        }
        for pod in &changes.delete {
            let key = value::key(namespace(&sync.object), pod);
            if self.store.get(Kind::Pod, &key).is_none() {
                continue;
            }
            self.delete_owned_pod(&sync.object, pod, SOURCE)?;
        }
        outcome
    }

    fn create_daemon(&mut self, sync: &Sync, node: &str) -> Result<(), ApiError> {
        let mut pod = pod_of(&sync.object, &sync.template);
        set(
            &mut pod,
            &["metadata", "labels", REVISION_HASH],
            sync.hash.as_str(),
        );
        const GENERATION: &str = "deprecated.daemonset.template.generation";
        if let Some(generation) = annotation(&sync.object, GENERATION) {
            let path = ["metadata", "labels", "pod-template-generation"];
            set(&mut pod, &path, generation);
        }
        bind_to(&mut pod, node);
        self.create_owned_pod(&sync.object, pod, SOURCE)
    }
}

/// Lets only this node take the pod (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
fn bind_to(pod: &mut Value, node: &str) {
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let terms = json!({"nodeSelectorTerms": [{"matchFields": [field]}]});
    set(pod, &REQUIRED_NODES, terms);
}
