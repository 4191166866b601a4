//! One sync of a DaemonSet: its revisions, its pods, its status (`daemon_controller.go` syncDaemonSet).

use std::collections::BTreeMap;

use crate::cluster::api::status::ApiError;
use crate::cluster::deployment::template_hash;
use crate::cluster::due_items::Work;
use crate::cluster::history::{REVISION_HASH, is_taken, number, patch_of};
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::{DeleteOptions, Part};
use crate::cluster::placement::{REQUIRED_NODES, daemon_fits};
use crate::cluster::replicaset::is_available;
use crate::cluster::store::Ref;
use crate::cluster::value::{
    self, at, condition_true, created, deleting, int, items, label, name, set, text,
};

/// A DaemonSet while it is being synced.
pub(super) struct Sync {
    pub(super) object: Value,
    /// The template as its pods have it.
    pub(super) template: Value,
    /// The label of the present revision.
    pub(super) hash: String,
    pub(super) min_ready_s: i64,
    /// By node.
    pub(super) pods: BTreeMap<String, Vec<Ref>>,
    pub(super) nodes: Vec<Ref>,
}

impl Sync {
    /// Whether a pod is of the present revision.
    pub(super) fn is_new(&self, pod: &Value) -> bool {
        label(pod, REVISION_HASH) == self.hash
    }
}

/// The oldest first, those that run before others of the same age (`podByCreationTimestampAndPhase`).
pub(super) fn by_age(pods: &mut [Ref]) {
    pods.sort_by(|a, b| {
        let placed = |p: &Ref| text(&p.value, &["spec", "nodeName"]).is_empty();
        let of = |p: &Ref| (placed(p), created(&p.value));
        of(a)
            .cmp(&of(b))
            .then_with(|| name(&a.value).cmp(name(&b.value)))
    });
}

/// The node that a pod runs on, or is meant for (`util.GetTargetNodeName`).
fn target_node(pod: &Value) -> String {
    let placed = text(pod, &["spec", "nodeName"]);
    if !placed.is_empty() {
        return placed.to_owned();
    }
    let terms = at(pod, &REQUIRED_NODES).map_or(&[][..], |it| items(it, &["nodeSelectorTerms"]));
    let fields = terms.iter().flat_map(|term| items(term, &["matchFields"]));
    let named = fields.filter(|field| text(field, &["key"]) == "metadata.name");
    let mut values = named.flat_map(|field| items(field, &["values"]));
    values
        .next()
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned()
}

/// The tolerations that every pod of a DaemonSet has (`AddOrUpdateDaemonPodTolerations`).
fn add_tolerations(template: &mut Value) {
    let mut all = items(template, &["spec", "tolerations"]).to_vec();
    let host = value::flag(template, &["spec", "hostNetwork"]);
    let added = [
        ("not-ready", "NoExecute", true),
        ("unreachable", "NoExecute", true),
        ("disk-pressure", "NoSchedule", true),
        ("memory-pressure", "NoSchedule", true),
        ("pid-pressure", "NoSchedule", true),
        ("unschedulable", "NoSchedule", true),
        ("network-unavailable", "NoSchedule", host),
    ];
    for (key, effect, _) in added.into_iter().filter(|(_, _, wanted)| *wanted) {
        let key = format!("node.kubernetes.io/{key}");
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        if !all.contains(&toleration) {
            all.push(toleration);
        }
    }
    set(template, &["spec", "tolerations"], all);
}

/// The template of a DaemonSet as its pods have it.
fn pod_template(daemon: &Value) -> Value {
    let template = at(daemon, &["spec", "template"]).cloned();
    let mut template = template.unwrap_or(Value::Null);
    add_tolerations(&mut template);
    template
}

impl Cluster {
    pub(crate) fn sync_daemon_set(&mut self, key: &str) -> Result<(), ApiError> {
        let Some(stored) = self.get(Kind::DaemonSet, key) else {
            return Ok(());
        };
        if deleting(&stored.value) {
            return Ok(());
        }
        let (current, old) = self.daemon_history(&stored.value)?;
        let nodes = self.store.list(Kind::Node, None);
        let mut sync = Sync {
            template: pod_template(&stored.value),
            object: stored.value.clone(),
            hash: label(&current.value, REVISION_HASH).to_owned(),
            min_ready_s: int(&stored.value, &["spec", "minReadySeconds"]).unwrap_or(0),
            pods: BTreeMap::new(),
            nodes: nodes.map(|(_, node)| node.clone()).collect(),
        };
        self.daemon_pods(&mut sync)?;
        let outcome = self.update_daemon_set(&mut sync, &old);
        self.write_daemon_status(key, &sync)?;
        outcome
    }

    /// Reads the pods of each node anew.
    pub(super) fn daemon_pods(&mut self, sync: &mut Sync) -> Result<(), ApiError> {
        sync.pods.clear();
        for pod in self.claim(&sync.object, Kind::Pod, |_| true)? {
            if value::is_ended(&pod.value) && deleting(&pod.value) {
                continue;
            }
            let node = target_node(&pod.value);
            sync.pods.entry(node).or_default().push(pod);
        }
        Ok(())
    }

    /// `updateDaemonSet`: pods that are missing or too many first; only where there are none, the update.
    fn update_daemon_set(&mut self, sync: &mut Sync, old: &[Ref]) -> Result<(), ApiError> {
        let changed = self.manage_daemons(sync)?;
        self.daemon_pods(sync)?;
        let strategy = text(&sync.object, &["spec", "updateStrategy", "type"]);
        if !changed && strategy == "RollingUpdate" {
            self.roll_daemons(sync)?;
            self.daemon_pods(sync)?;
        }
        let live = |revision: &str| {
            let hash = old
                .iter()
                .find(|r| name(&r.value) == revision)
                .map_or("", |r| label(&r.value, REVISION_HASH));
            let mut pods = sync.pods.values().flatten();
            pods.any(|pod| label(&pod.value, REVISION_HASH) == hash)
        };
        self.truncate_history(&sync.object, old, live)
    }

    /// `constructHistory`: the revision of the template, which is made or made the latest again if need be, and the
    /// others.
    fn daemon_history(&mut self, daemon: &Value) -> Result<(Ref, Vec<Ref>), ApiError> {
        let data = patch_of(daemon);
        let all = self.revisions_of(daemon)?;
        let (mut same, old): (Vec<Ref>, Vec<Ref>) =
            all.into_iter().partition(|r| r.value["data"] == data);
        let next = old.iter().map(|r| number(&r.value)).max().unwrap_or(0) + 1;
        let Some(current) = same.pop() else {
            return Ok((self.daemon_snapshot(daemon, &data, next)?, old));
        };
        // Of several with the same template, the latest is kept.
        for duplicate in same {
            let key = value::key_of(&duplicate.value);
            self.delete(Kind::ControllerRevision, &key, &DeleteOptions::default())?;
        }
        let current = if number(&current.value) < next {
            self.renumber_revision(&current, next)?
        } else {
            current
        };
        Ok((current, old))
    }

    fn daemon_snapshot(
        &mut self,
        daemon: &Value,
        data: &Value,
        number: i64,
    ) -> Result<Ref, ApiError> {
        let template = at(daemon, &["spec", "template"]).unwrap_or(&Value::Null);
        let collisions = int(daemon, &["status", "collisionCount"]);
        let hash = template_hash(template, collisions);
        let called = format!("{}-{hash}", name(daemon));
        let made = self.revision_called(daemon, data, number, (&called, &hash));
        if !is_taken(&made) {
            return made;
        }
        // The next attempt has another name.
        let mut copy = daemon.clone();
        set(
            &mut copy,
            &["status", "collisionCount"],
            collisions.unwrap_or(0) + 1,
        );
        value::remove(&mut copy, &["metadata", "resourceVersion"]);
        self.update(Kind::DaemonSet, &value::key_of(daemon), copy, Part::Status)?;
        made
    }

    /// `updateDaemonSetStatus`.
    fn write_daemon_status(&mut self, key: &str, sync: &Sync) -> Result<(), ApiError> {
        let [
            mut desired,
            mut current,
            mut misscheduled,
            mut ready,
            mut updated,
            mut available,
        ] = [0_i64; 6];
        let mut counted: Vec<Ref> = Vec::new();
        for node in &sync.nodes {
            let (runs, _) = daemon_fits(&node.value, &sync.template);
            let mut pods = sync
                .pods
                .get(name(&node.value))
                .cloned()
                .unwrap_or_default();
            by_age(&mut pods);
            match pods.first() {
                Some(_) if !runs => misscheduled += 1,
                Some(pod) => {
                    desired += 1;
                    current += 1;
                    if condition_true(&pod.value, "Ready") {
                        ready += 1;
                        let since = is_available(&pod.value, sync.min_ready_s, self.now);
                        available += i64::from(since);
                        counted.push(pod.clone());
                    }
                    updated += i64::from(sync.is_new(&pod.value));
                }
                None => desired += i64::from(runs),
            }
        }
        let before = &sync.object["status"];
        let mut status = json!({
            "currentNumberScheduled": current, "desiredNumberScheduled": desired,
            "numberMisscheduled": misscheduled, "numberReady": ready,
            "observedGeneration": int(&sync.object, &["metadata", "generation"]).unwrap_or(0),
        });
        for (field, count) in [
            ("updatedNumberScheduled", updated),
            ("numberAvailable", available),
            ("numberUnavailable", desired - available),
        ] {
            if count != 0 {
                status[field] = count.into();
            }
        }
        if let Some(collisions) = before.get("collisionCount") {
            status["collisionCount"] = collisions.clone();
        }
        if sync.min_ready_s > 0 && ready != available {
            let work = Work::DaemonSet(key.to_owned());
            self.wait_for_availability(work, &counted, sync.min_ready_s);
        }
        self.replace_status(Kind::DaemonSet, key, &sync.object, status)
    }
}
