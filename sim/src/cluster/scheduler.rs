//! The scheduler: the emptiest of the nodes that a pod may run on ([`super::placement`]), by the number of pods.

use std::collections::BTreeMap;

use super::due_items::Work;
use super::kinds::Kind;
use super::machine::Cluster;
use super::placement;
use super::value::{self, at, condition, items, name, set, text, timestamp};
use crate::cluster::json::{Value, json};

/// Pods that a node takes, unless it says otherwise (`maxPods` of the kubelet's configuration).
pub const NODE_PODS: u32 = 110;

impl Cluster {
    /// Sets how many pods a node takes; 0 makes it full.
    pub fn set_node_capacity(&mut self, node: &str, pods: u32) {
        let key = value::key("", node);
        if let Some(old) = self.get(Kind::Node, &key) {
            let mut object = old.value.clone();
            set(
                &mut object,
                &["status", "allocatable", "pods"],
                pods.to_string(),
            );
            self.store.replace(self.now, Kind::Node, &key, object);
            self.published();
        }
    }

    /// The nodes that a pod may run on as (node, free places), the emptiest first,
    /// and why it may not run on the others.
    fn places(&self, pod: &Value) -> (Vec<(String, usize)>, Vec<String>) {
        // One look at all pods, however many nodes there are.
        let mut on: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for (_, p) in self.store.list(Kind::Pod, None) {
            let node = text(&p.value, &["spec", "nodeName"]);
            if !node.is_empty() && !value::is_ended(&p.value) {
                on.entry(node).or_default().push(&p.value);
            }
        }
        let mut places = Vec::new();
        let mut refusals = Vec::new();
        for (_, n) in self.store.list(Kind::Node, None) {
            let node = name(&n.value);
            let there = on.get(node).map_or(&[][..], Vec::as_slice);
            let most = text(&n.value, &["status", "allocatable", "pods"])
                .parse()
                .unwrap_or(NODE_PODS as usize);
            let free = most.saturating_sub(there.len());
            let why = placement::refusals(&n.value, pod, there, free);
            if why.is_empty() {
                places.push((node.to_owned(), free));
            }
            refusals.extend(why);
        }
        places.sort_by_key(|(_, free)| std::cmp::Reverse(*free));
        refusals.sort();
        (places, refusals)
    }

    pub(crate) fn schedule_pod(&mut self, key: &str) {
        let Some(pod) = self.get(Kind::Pod, key) else {
            return;
        };
        if !text(&pod.value, &["spec", "nodeName"]).is_empty() || value::deleting(&pod.value) {
            return;
        }
        let (places, refusals) = self.places(&pod.value);
        let mut object = pod.value.clone();
        match places.first() {
            Some((node, _)) => {
                set(&mut object, &["spec", "nodeName"], node.as_str());
                let bound = json!({
                    "type": "PodScheduled", "status": "True",
                    "lastProbeTime": null, "lastTransitionTime": timestamp(self.now),
                });
                put(&mut object, bound);
                let stored = self.store.replace(self.now, Kind::Pod, key, object);
                self.published();
                let (namespace, pod_name) = value::split_key(key);
                let message = format!("Successfully assigned {namespace}/{pod_name} to {node}");
                self.event(
                    &stored.value,
                    false,
                    "Scheduled",
                    &message,
                    "default-scheduler",
                );
            }
            None => {
                let mut reasons: Vec<String> = refusals
                    .chunk_by(|a, b| a == b)
                    .map(|same| format!("{} {}", same.len(), same[0]))
                    .collect();
                reasons.sort();
                let nodes = self.store.list(Kind::Node, None).count();
                let message = format!("0/{nodes} nodes are available: {}.", reasons.join(", "));
                if condition(&object, "PodScheduled").is_none() {
                    let refused = json!({
                        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                        "message": message, "lastProbeTime": null,
                        "lastTransitionTime": timestamp(self.now),
                    });
                    put(&mut object, refused);
                    self.pending.insert(Work::Schedule(key.to_owned()));
                    self.store.replace(self.now, Kind::Pod, key, object);
                    self.published();
                    self.pending.remove(&Work::Schedule(key.to_owned()));
                }
                self.event(
                    &pod.value,
                    true,
                    "FailedScheduling",
                    &message,
                    "default-scheduler",
                );
                let at = self.now + self.timings.schedule_retry.draw(&mut self.rng.scheduler);
                self.enqueue_at(at, Work::Schedule(key.to_owned()));
            }
        }
    }

    /// Room may have appeared: unassigned pods are tried again.
    pub(crate) fn wake_unschedulable(&mut self) {
        let waiting: Vec<String> = self
            .store
            .list(Kind::Pod, None)
            .filter(|(_, p)| at(&p.value, &["spec", "nodeName"]).is_none())
            .map(|(k, _)| k.clone())
            .collect();
        for key in waiting {
            self.enqueue(Work::Schedule(key));
        }
    }
}

/// Replaces the condition of the same type.
fn put(object: &mut Value, mut new: Value) {
    if let Some(m) = new.as_object_mut() {
        m.retain(|_, v| !v.is_null());
    }
    let of_type = text(&new, &["type"]).to_owned();
    let mut conditions = items(object, &["status", "conditions"]).to_vec();
    conditions.retain(|c| text(c, &["type"]) != of_type);
    conditions.push(new);
    set(object, &["status", "conditions"], conditions);
}
