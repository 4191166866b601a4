//! Creating, changing and deleting objects: what every write goes through, over HTTP or from a controller.
//!
//! Metadata, generation and status rules follow the strategies in `pkg/registry/*` and the generic registry
//! (`apiserver/pkg/registry/generic/registry/store.go`, `registry/rest/delete.go`).

use super::api::defaults;
use super::api::kind_defaults::job_selector;
use super::api::managed;
use super::api::services;
use super::api::status::ApiError;
use super::api::validate;
use super::kinds::Kind;
use super::machine::Cluster;
use super::store::Ref;
use super::value::{self, at, int, is_ended, items, keep, remove, set, text, timestamp};
use crate::cluster::json::{Value, json};
use crate::time::Micros;

/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but the status.
    Main,
    /// The status (and, on Deployments, annotations).
    Status,
}

/// A limit on pods in a namespace, as a ResourceQuota sets it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quota {
    pub(crate) pods: Option<usize>,
    /// Pods that were refused.
    pub(crate) refused: u64,
}

/// How dependents are treated when their owner goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Propagation {
    #[default]
    Background,
    Foreground,
    Orphan,
}

/// `DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) grace_s: Option<i64>,
    pub(crate) propagation: Propagation,
    pub(crate) uid: Option<String>,
    pub(crate) rv: Option<String>,
    pub(crate) dry_run: bool,
}

/// What a delete led to.
pub(crate) enum Deletion {
    /// The object is gone.
    Done(Ref),
    /// The object is marked and goes later.
    Marked(Ref),
}

const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

impl Cluster {
    /// Lets at most `pods` pods exist in a namespace; creating more is refused with 403, as a
    /// ResourceQuota does. `None` lifts the limit.
    pub fn set_pod_quota(&mut self, pods: Option<usize>) {
        self.quota.pods = pods;
    }

    /// How many times a pod was refused for want of quota.
    #[must_use]
    pub fn pods_refused(&self) -> u64 {
        self.quota.refused
    }

    /// Five characters as `k8s.io/apimachinery/pkg/util/rand` draws them.
    pub(crate) fn name_suffix(&mut self) -> String {
        (0..5)
            .map(|_| {
                let i = self.rng.names.below(NAME_ALPHABET.len() as u64) as usize;
                char::from(NAME_ALPHABET[i])
            })
            .collect()
    }

    fn new_uid(&mut self) -> String {
        let (a, b) = (self.rng.api.next_u64(), self.rng.api.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// Creates an object in `namespace` (empty for cluster-wide kinds).
    pub(crate) fn create(
        &mut self,
        kind: Kind,
        namespace: &str,
        object: Value,
    ) -> Result<Ref, ApiError> {
        let (key, object) = self.prepare_create(kind, namespace, object)?;
        let stored = self.store.insert(self.now, kind, key, object);
        self.published();
        Ok(stored)
    }

    /// Everything that a create does short of storing.
    pub(crate) fn prepare_create(
        &mut self,
        kind: Kind,
        namespace: &str,
        mut object: Value,
    ) -> Result<(String, Value), ApiError> {
        let given = value::namespace(&object);
        if kind.namespaced() && !given.is_empty() && given != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if kind.namespaced()
            && self
                .store
                .get(Kind::Namespace, &value::key("", namespace))
                .is_none()
        {
            return Err(ApiError::not_found(Kind::Namespace, namespace));
        }
        if !text(&object, &["metadata", "resourceVersion"]).is_empty() {
            // An error of the store without a reason (`apiserver/pkg/storage/errors.go` ErrResourceVersionSetOnCreate).
            let why = "resourceVersion should not be set on objects to be created";
            return Err(ApiError::new(500, "", why));
        }
        let generate = text(&object, &["metadata", "generateName"]).to_owned();
        if value::name(&object).is_empty() && !generate.is_empty() {
            let name = format!("{generate}{}", self.name_suffix());
            set(&mut object, &["metadata", "name"], name);
        }
        let name = value::name(&object).to_owned();
        if name.is_empty() {
            return Err(ApiError::invalid(
                kind,
                "",
                "metadata.name",
                "FieldValueRequired",
                "Required value: name or generateName is required",
            ));
        }
        set(&mut object, &["apiVersion"], kind.api_version());
        set(&mut object, &["kind"], kind.name());
        if kind.namespaced() {
            set(&mut object, &["metadata", "namespace"], namespace);
        }
        for field in [
            "selfLink",
            "uid",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
        ] {
            remove(&mut object, &["metadata", field]);
        }
        if kind.has_status() && !matches!(kind, Kind::Node | Kind::Custom(_)) {
            set(&mut object, &["status"], json!({}));
        }
        if matches!(kind, Kind::Custom(_)) && kind.has_status() {
            remove(&mut object, &["status"]);
        }
        defaults::apply(kind, &mut object);
        if kind == Kind::CustomResourceDefinition {
            self.establish(&mut object);
        }
        managed::track(&self.writer, self.now, kind, None, &mut object, Part::Main);
        if kind == Kind::Service {
            self.services_given.to(&mut object);
        }
        validate::create(kind, &object)?;
        let uid = self.new_uid();
        set(&mut object, &["metadata", "uid"], uid);
        if kind == Kind::Job {
            job_selector(&mut object);
        }
        set(
            &mut object,
            &["metadata", "creationTimestamp"],
            timestamp(self.now),
        );
        if kind.has_generation() {
            set(&mut object, &["metadata", "generation"], 1);
        }
        let key = value::key(namespace, &name);
        if self.store.get(kind, &key).is_some() {
            return Err(ApiError::already_exists(kind, &name));
        }
        if kind == Kind::Pod {
            self.admit_pod(namespace, &name)?;
        }
        Ok((key, object))
    }

    fn admit_pod(&mut self, namespace: &str, name: &str) -> Result<(), ApiError> {
        let Some(limit) = self.quota.pods else {
            return Ok(());
        };
        let used = self.store.list(Kind::Pod, Some(namespace)).count();
        if used < limit {
            return Ok(());
        }
        self.quota.refused += 1;
        Err(ApiError::forbidden(
            Kind::Pod,
            name,
            &format!(
                "exceeded quota: pods, requested: pods=1, used: pods={used}, limited: pods={limit}"
            ),
        ))
    }

    /// Gives the object at `key`, as a controller has seen it, this status, if it has another one and is still there.
    pub(crate) fn replace_status(
        &mut self,
        kind: Kind,
        key: &str,
        seen: &Value,
        status: Value,
    ) -> Result<(), ApiError> {
        if seen["status"] == status || self.store.get(kind, key).is_none() {
            return Ok(());
        }
        let mut copy = value::with(seen, "status", status);
        remove(&mut copy, &["metadata", "resourceVersion"]);
        self.update(kind, key, copy, Part::Status).map(|_| ())
    }

    /// Writes `object` over the object at `key`. A write that changes nothing is no write.
    pub(crate) fn update(
        &mut self,
        kind: Kind,
        key: &str,
        object: Value,
        part: Part,
    ) -> Result<Ref, ApiError> {
        let Some(old) = self.get(kind, key) else {
            return Err(ApiError::not_found(kind, value::split_key(key).1));
        };
        let object = self.prepare_update(kind, &old, object, part)?;
        if object == old.value {
            return Ok(old);
        }
        if value::deleting(&object)
            && items(&object, &["metadata", "finalizers"]).is_empty()
            && !items(&old.value, &["metadata", "finalizers"]).is_empty()
            && int(&object, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0) == 0
        {
            let gone = self.store.remove(self.now, kind, key);
            self.published();
            return Ok(gone);
        }
        let stored = self.store.replace(self.now, kind, key, object);
        self.published();
        Ok(stored)
    }

    /// Everything that an update does short of storing.
    pub(crate) fn prepare_update(
        &mut self,
        kind: Kind,
        old: &Ref,
        mut object: Value,
        part: Part,
    ) -> Result<Value, ApiError> {
        let name = value::name(&old.value);
        let asked = text(&object, &["metadata", "resourceVersion"]);
        if !asked.is_empty() && asked != text(&old.value, &["metadata", "resourceVersion"]) {
            return Err(ApiError::stale(kind, name));
        }
        let asked_uid = value::uid(&object);
        if !asked_uid.is_empty() && asked_uid != value::uid(&old.value) {
            return Err(ApiError::conflict(
                kind,
                name,
                &format!(
                    "Precondition failed: UID in precondition: {asked_uid}, UID in object meta: {}",
                    value::uid(&old.value)
                ),
            ));
        }
        for field in [
            "uid",
            "name",
            "namespace",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "generateName",
            "resourceVersion",
        ] {
            keep(&mut object, &["metadata", field], &old.value);
        }
        set(&mut object, &["apiVersion"], kind.api_version());
        set(&mut object, &["kind"], kind.name());
        match part {
            Part::Status if matches!(kind, Kind::Custom(_)) => {
                let status = object.get("status").cloned();
                object = old.value.clone();
                value::set_or_remove(&mut object, &["status"], status);
            }
            Part::Status => {
                keep(&mut object, &["spec"], &old.value);
                if kind == Kind::Deployment {
                    keep(&mut object, &["metadata", "labels"], &old.value);
                }
            }
            Part::Main => {
                if kind.has_status() {
                    keep(&mut object, &["status"], &old.value);
                }
                defaults::apply(kind, &mut object);
                if kind == Kind::Service {
                    services::fill_in_addresses(&old.value, &mut object);
                    self.services_given.to(&mut object);
                }
                if kind == Kind::CustomResourceDefinition {
                    self.reestablish(&old.value, &mut object);
                }
                validate::update(kind, &old.value, &object)?;
                if generation_moves(kind, &old.value, &object) {
                    let next = int(&old.value, &["metadata", "generation"]).unwrap_or(0) + 1;
                    set(&mut object, &["metadata", "generation"], next);
                }
            }
        }
        managed::track(
            &self.writer,
            self.now,
            kind,
            Some(&old.value),
            &mut object,
            part,
        );
        Ok(object)
    }

    /// Deletes the object at `key`.
    pub(crate) fn delete(
        &mut self,
        kind: Kind,
        key: &str,
        options: &DeleteOptions,
    ) -> Result<Deletion, ApiError> {
        let name = value::split_key(key).1;
        let Some(old) = self.get(kind, key) else {
            return Err(ApiError::not_found(kind, name));
        };
        // `apiserver/pkg/registry/rest/delete.go` BeforeDelete, which names the kind and not the resource.
        for (asked, field, label, otherwise) in [
            (&options.uid, "uid", "UID", "deleted and then recreated"),
            (
                &options.rv,
                "resourceVersion",
                "ResourceVersion",
                "modified",
            ),
        ] {
            let is = text(&old.value, &["metadata", field]);
            if let Some(asked) = asked.as_deref().filter(|a| *a != is) {
                let why = format!(
                    "the {label} in the precondition ({asked}) does not match the {label} in record ({is}). The object might have been {otherwise}"
                );
                return Err(ApiError::conflict_of_kind(kind, name, &why));
            }
        }
        if options.dry_run {
            return Ok(Deletion::Done(old));
        }
        let mut object = old.value.clone();
        let finalizer = match options.propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        if let Some(finalizer) = finalizer.filter(|_| !value::deleting(&object)) {
            let mut all = items(&object, &["metadata", "finalizers"]).to_vec();
            all.push(finalizer.into());
            set(&mut object, &["metadata", "finalizers"], all);
        }
        let held = !items(&object, &["metadata", "finalizers"]).is_empty();
        let grace_s = if kind == Kind::Pod {
            pod_grace(&object, options)
        } else {
            0
        };
        if grace_s == 0 && !held {
            let gone = self.store.remove(self.now, kind, key);
            self.published();
            if kind == Kind::Namespace {
                self.empty_namespace(name);
            }
            return Ok(Deletion::Done(gone));
        }
        if value::deleting(&object) {
            let pending = int(&object, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
            if options.grace_s.is_none() || grace_s >= pending {
                return Ok(Deletion::Marked(old));
            }
        } else if let Some(generation) = int(&object, &["metadata", "generation"]) {
            set(&mut object, &["metadata", "generation"], generation + 1);
        }
        let at = self.now + Micros::from_secs(u64::try_from(grace_s).unwrap_or(0));
        set(
            &mut object,
            &["metadata", "deletionTimestamp"],
            timestamp(at),
        );
        set(
            &mut object,
            &["metadata", "deletionGracePeriodSeconds"],
            grace_s,
        );
        let stored = self.store.replace(self.now, kind, key, object);
        self.published();
        Ok(Deletion::Marked(stored))
    }

    /// Removes everything in a namespace that has been deleted.
    fn empty_namespace(&mut self, namespace: &str) {
        let kinds: Vec<Kind> = self.kinds().filter(|k| k.namespaced()).collect();
        for kind in kinds {
            let keys: Vec<String> = self
                .store
                .list(kind, Some(namespace))
                .map(|(k, _)| k.clone())
                .collect();
            for key in keys {
                self.store.remove(self.now, kind, &key);
                self.published();
            }
        }
    }
}

/// Seconds of grace: 0 for a pod that no kubelet answers for.
fn pod_grace(pod: &Value, options: &DeleteOptions) -> i64 {
    if is_ended(pod) || text(pod, &["spec", "nodeName"]).is_empty() {
        return 0;
    }
    options
        .grace_s
        .or_else(|| int(pod, &["metadata", "deletionGracePeriodSeconds"]))
        .or_else(|| int(pod, &["spec", "terminationGracePeriodSeconds"]))
        .unwrap_or(30)
        .max(0)
}

fn generation_moves(kind: Kind, old: &Value, new: &Value) -> bool {
    if !kind.has_generation() {
        return false;
    }
    if let Kind::Custom(_) = kind {
        // What is asked is everything but metadata and status.
        let is_asked = |(name, _): &(&str, &Value)| {
            !matches!(*name, "apiVersion" | "metadata" | "status")
                || (*name == "status" && !kind.has_status())
        };
        let [old, new] = [old, new].map(|object| value::members(object, &[]).filter(is_asked));
        return old.ne(new);
    }
    old.get("spec") != new.get("spec")
        || (kind == Kind::Deployment
            && at(old, &["metadata", "annotations"]) != at(new, &["metadata", "annotations"]))
}
