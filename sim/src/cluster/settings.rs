//! What the control plane keeps beside what it runs: the accounts and classes that every cluster has, and volumes.
//!
//! Accounts and classes are made when somebody first asks for their kind. A claim is bound with its own write to a
//! volume that is made for it, whatever its class says.

use super::api::{DEFAULT_CLASS, STORAGE_CLASS, managed};
use super::kinds::Kind;
use super::machine::{CONTROLLERS, Cluster};
use super::objects::{DeleteOptions, Part};
use super::store::{Change, LogEntry};
use super::value::{self, at, name, namespace, set, text, uid};
use crate::cluster::json::{Value, json};

impl Cluster {
    /// Makes the objects of this kind that every cluster has, if they are not there.
    pub(crate) fn provide(&mut self, kind: Kind) {
        match kind {
            Kind::ServiceAccount => {
                let without: Vec<String> = self
                    .store
                    .list(Kind::Namespace, None)
                    .map(|(_, n)| name(&n.value).to_owned())
                    .filter(|ns| {
                        let key = value::key(ns, "default");
                        self.store.get(kind, &key).is_none()
                    })
                    .collect();
                for ns in without {
                    let account = json!({"metadata": {"name": "default"}});
                    // The namespace exists, and the name is free.
                    let _made = self.create(kind, &ns, account);
                }
            }
            Kind::StorageClass if self.store.list(kind, None).next().is_none() => {
                let class = json!({
                    "metadata": {
                        "name": STORAGE_CLASS, "annotations": {DEFAULT_CLASS: "true"},
                    },
                    "provisioner": "rancher.io/local-path",
                });
                let _made = self.create(kind, "", class);
            }
            _ => {}
        }
    }

    /// A claim was written or is gone: its volume comes and goes with it. That is the work of the controllers, whoever
    /// wrote the claim.
    pub(crate) fn claim_changed(&mut self, entry: &LogEntry) {
        let writes = std::mem::replace(&mut self.writer, CONTROLLERS);
        self.follow_claim(entry);
        self.writer = writes;
    }

    fn follow_claim(&mut self, entry: &LogEntry) {
        let claim = &entry.object.value;
        match entry.change {
            Change::Added if text(claim, &["spec", "volumeName"]).is_empty() => {
                self.bind_claim(&entry.key, claim);
            }
            Change::Deleted => {
                let volume = value::key("", text(claim, &["spec", "volumeName"]));
                let mine = |v: &Value| text(v, &["spec", "claimRef", "uid"]) == uid(claim);
                let Some(volume) = self
                    .get(Kind::PersistentVolume, &volume)
                    .filter(|v| mine(&v.value))
                else {
                    return;
                };
                let key = value::key_of(&volume.value);
                if text(&volume.value, &["spec", "persistentVolumeReclaimPolicy"]) == "Delete" {
                    let _gone =
                        self.delete(Kind::PersistentVolume, &key, &DeleteOptions::default());
                } else {
                    let mut released = volume.value.clone();
                    set(&mut released, &["status", "phase"], "Released");
                    self.store
                        .replace(self.now, Kind::PersistentVolume, &key, released);
                    self.published();
                }
            }
            _ => {}
        }
    }

    fn bind_claim(&mut self, key: &str, claim: &Value) {
        let volume_name = format!("pvc-{}", uid(claim));
        let spec = |field: &str| at(claim, &["spec", field]).cloned().unwrap_or(Value::Null);
        let size = at(claim, &["spec", "resources", "requests", "storage"]);
        let capacity = json!({"storage": size});
        let volume = json!({
            "metadata": {"name": volume_name},
            "spec": {
                "accessModes": spec("accessModes"), "capacity": capacity,
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name(claim),
                    "namespace": namespace(claim), "uid": uid(claim),
                    "resourceVersion": text(claim, &["metadata", "resourceVersion"]),
                },
                "hostPath": {"path": format!("/var/local-path-provisioner/{volume_name}")},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": spec("storageClassName"), "volumeMode": spec("volumeMode"),
            },
            "status": {"phase": "Bound"},
        });
        // A uid is in the name, so it is free.
        let Ok(made) = self.create(Kind::PersistentVolume, "", volume) else {
            return;
        };
        let volume_key = value::key_of(&made.value);
        let mut bound = made.value.clone();
        set(&mut bound, &["status", "phase"], "Bound");
        self.store
            .replace(self.now, Kind::PersistentVolume, &volume_key, bound);
        self.published();
        let kind = Kind::PersistentVolumeClaim;
        let mut with_volume = claim.clone();
        set(&mut with_volume, &["spec", "volumeName"], volume_name);
        let writer = &self.writer;
        managed::track(
            writer,
            self.now,
            kind,
            Some(claim),
            &mut with_volume,
            Part::Main,
        );
        let mut bound = with_volume.clone();
        let status = json!({
            "phase": "Bound", "accessModes": spec("accessModes"), "capacity": capacity,
        });
        set(&mut bound, &["status"], status);
        managed::track(
            writer,
            self.now,
            kind,
            Some(&with_volume),
            &mut bound,
            Part::Status,
        );
        self.store.replace(self.now, kind, key, bound);
        self.published();
    }
}
