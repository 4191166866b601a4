//! What keeps a service's pods, whichever kind it is of, and the templates that it has had.

use std::collections::BTreeMap;
use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cluster::Cluster;
use super::objects::{revision_of, selector_of, template_value, timestamp};
use crate::budget::Budget;
use crate::error::Error;
use crate::workload::WorkloadKind;

/// Label of a StatefulSet's pod: the name of the ControllerRevision that it is of.
pub(crate) const REVISION_HASH: &str = "controller-revision-hash";

/// An object that keeps pods, as it was read.
#[derive(Clone, Debug)]
pub(crate) enum Workload {
    /// A Deployment.
    Deployment(Box<Deployment>),
    /// A StatefulSet.
    StatefulSet(Box<StatefulSet>),
}

/// A kind that is a workload.
pub(crate) trait Kept:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Into<Workload> + Send + 'static
{
}

impl Kept for Deployment {}
impl Kept for StatefulSet {}

impl From<Deployment> for Workload {
    fn from(deployment: Deployment) -> Self {
        Self::Deployment(Box::new(deployment))
    }
}

impl From<StatefulSet> for Workload {
    fn from(stateful: StatefulSet) -> Self {
        Self::StatefulSet(Box::new(stateful))
    }
}

/// How far its pods are, by counts of its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All pods.
    pub(crate) replicas: i32,
    /// Pods of the template that is wanted.
    pub(crate) updated: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub(crate) available: i32,
}

impl Workload {
    /// Its kind.
    pub(crate) fn kind(&self) -> WorkloadKind {
        match self {
            Self::Deployment(_) => WorkloadKind::Deployment,
            Self::StatefulSet(_) => WorkloadKind::StatefulSet,
        }
    }

    /// Its metadata.
    pub(crate) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Deployment(it) => &it.metadata,
            Self::StatefulSet(it) => &it.metadata,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its UID.
    pub(crate) fn uid(&self) -> &str {
        self.metadata().uid.as_deref().unwrap_or_default()
    }

    /// Its pods' template.
    pub(crate) fn template(&self) -> Option<&PodTemplateSpec> {
        match self {
            Self::Deployment(it) => it.spec.as_ref().map(|spec| &spec.template),
            Self::StatefulSet(it) => it.spec.as_ref().map(|spec| &spec.template),
        }
    }

    /// Its template as JSON, without the label `pod-template-hash`.
    pub(crate) fn template_value(&self) -> Value {
        self.template().map(template_value).unwrap_or_default()
    }

    /// Wanted replicas.
    pub(crate) fn replicas(&self) -> i32 {
        let wanted = match self {
            Self::Deployment(it) => it.spec.as_ref().and_then(|spec| spec.replicas),
            Self::StatefulSet(it) => it.spec.as_ref().and_then(|spec| spec.replicas),
        };
        wanted.unwrap_or(1)
    }

    /// Whether its rollouts are paused. There is no such thing for a StatefulSet.
    pub(crate) fn paused(&self) -> bool {
        match self {
            Self::Deployment(it) => it.spec.as_ref().and_then(|spec| spec.paused) == Some(true),
            Self::StatefulSet(_) => false,
        }
    }

    /// Its selector, as a query parameter.
    pub(crate) fn selector(&self) -> String {
        let selector: Option<&LabelSelector> = match self {
            Self::Deployment(it) => it.spec.as_ref().map(|spec| &spec.selector),
            Self::StatefulSet(it) => it.spec.as_ref().map(|spec| &spec.selector),
        };
        selector.map(selector_of).unwrap_or_default()
    }

    /// Whether what is wanted was not looked at yet by its controller.
    pub(crate) fn is_unobserved(&self) -> bool {
        let observed = match self {
            Self::Deployment(it) => it.status.as_ref().and_then(|it| it.observed_generation),
            Self::StatefulSet(it) => it.status.as_ref().and_then(|it| it.observed_generation),
        };
        self.metadata().generation > observed
    }

    /// How far its pods are.
    pub(crate) fn counts(&self) -> Counts {
        match self {
            Self::Deployment(it) => {
                it.status
                    .as_ref()
                    .map_or_else(Counts::default, |status| Counts {
                        replicas: status.replicas.unwrap_or(0),
                        updated: status.updated_replicas.unwrap_or(0),
                        available: status.available_replicas.unwrap_or(0),
                    })
            }
            Self::StatefulSet(it) => {
                it.status
                    .as_ref()
                    .map_or_else(Counts::default, |status| Counts {
                        replicas: status.replicas,
                        updated: status.updated_replicas.unwrap_or(0),
                        available: status.available_replicas.unwrap_or(0),
                    })
            }
        }
    }

    /// The name of the ControllerRevision that new pods of a StatefulSet are made of.
    pub(crate) fn update_revision(&self) -> Option<&str> {
        match self {
            Self::Deployment(_) => None,
            Self::StatefulSet(it) => it.status.as_ref()?.update_revision.as_deref(),
        }
    }

    /// Whether all pods of a StatefulSet are of one revision, by its own status. A Deployment has no such thing.
    pub(crate) fn is_of_one_revision(&self) -> bool {
        match self {
            Self::Deployment(_) => true,
            Self::StatefulSet(it) => it
                .status
                .as_ref()
                .is_some_and(|status| status.current_revision == status.update_revision),
        }
    }

    /// Fully rolled out, by counts: a baseline of something half-way is none.
    pub(crate) fn is_settled(&self) -> bool {
        let (wanted, counts) = (self.replicas(), self.counts());
        !self.is_unobserved()
            && [counts.updated, counts.replicas, counts.available] == [wanted; 3]
            && self.is_of_one_revision()
    }

    /// What has to do with its ordinals, for a StatefulSet.
    pub(crate) fn ordinals(&self) -> Option<Ordinals> {
        let Self::StatefulSet(it) = self else {
            return None;
        };
        let spec = it.spec.as_ref()?;
        let strategy = spec.update_strategy.as_ref();
        let rolling = strategy.and_then(|it| it.rolling_update.as_ref());
        let start = spec.ordinals.as_ref().and_then(|it| it.start).unwrap_or(0);
        Some(Ordinals {
            on_delete: strategy.and_then(|it| it.type_.as_deref()) == Some("OnDelete"),
            ordered: spec.pod_management_policy.as_deref() != Some("Parallel"),
            first_updated: start + rolling.and_then(|it| it.partition).unwrap_or(0),
        })
    }
}

/// How a StatefulSet goes from pod to pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ordinals {
    /// Whether pods take up a new template only when somebody deletes them.
    pub(crate) on_delete: bool,
    /// Whether each pod must be ready before the next one is looked at (`OrderedReady`).
    pub(crate) ordered: bool,
    /// The lowest ordinal whose pod is replaced by a rollout: what `partition` says, from the first ordinal on.
    pub(crate) first_updated: i32,
}

/// The ordinal in the name of a StatefulSet's pod.
pub(crate) fn ordinal_of(pod: &str) -> Option<i32> {
    pod.rsplit_once('-')?.1.parse().ok()
}

/// A template that a workload has had.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Revision {
    /// Name of the ReplicaSet or ControllerRevision.
    pub(crate) name: String,
    /// Its number.
    pub(crate) number: Option<u64>,
    /// The template, without what the controller has added to it.
    pub(crate) template: Value,
    /// Its annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// When it was made.
    pub(crate) created_at: Option<Timestamp>,
    /// The patch that brings it back, which a ControllerRevision keeps.
    pub(crate) patch: Option<Value>,
}

impl From<&ReplicaSet> for Revision {
    fn from(set: &ReplicaSet) -> Self {
        let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
        Self {
            number: revision_of(&set.metadata),
            template: template.map(template_value).unwrap_or_default(),
            patch: None,
            ..Self::of(set)
        }
    }
}

impl From<&ControllerRevision> for Revision {
    fn from(revision: &ControllerRevision) -> Self {
        let patch = revision.data.as_ref().map(|data| data.0.clone());
        // What is not a field of a template, such as `$patch`, is left out by this.
        let template = patch.as_ref().map(|patch| &patch["spec"]["template"]);
        let template: Option<PodTemplateSpec> =
            template.and_then(|it| serde_json::from_value(it.clone()).ok());
        Self {
            number: u64::try_from(revision.revision).ok(),
            template: template.as_ref().map(template_value).unwrap_or_default(),
            patch,
            ..Self::of(revision)
        }
    }
}

impl Revision {
    fn of<K: ResourceExt>(object: &K) -> Self {
        Self {
            name: object.name_any(),
            number: None,
            template: Value::Null,
            annotations: object.annotations().clone(),
            created_at: object.meta().creation_timestamp.as_ref().map(timestamp),
            patch: None,
        }
    }
}

impl Cluster {
    /// StatefulSets of the namespace.
    pub(crate) fn stateful_sets(&self) -> Api<StatefulSet> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// ControllerRevisions of the namespace.
    pub(crate) fn controller_revisions(&self) -> Api<ControllerRevision> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// One workload, or `None`.
    pub(crate) async fn workload(
        &self,
        kind: WorkloadKind,
        name: &str,
        budget: impl Into<Budget>,
    ) -> Result<Option<Workload>, Error> {
        Ok(match kind {
            WorkloadKind::Deployment => {
                let found = self.get_opt(&self.deployments(), name, budget).await?;
                found.map(Workload::from)
            }
            WorkloadKind::StatefulSet => {
                let found = self.get_opt(&self.stateful_sets(), name, budget).await?;
                found.map(Workload::from)
            }
        })
    }

    /// All workloads of the kind.
    pub(crate) async fn workloads(
        &self,
        kind: WorkloadKind,
        budget: impl Into<Budget>,
    ) -> Result<Vec<Workload>, Error> {
        let params = ListParams::default();
        Ok(match kind {
            WorkloadKind::Deployment => {
                let api = self.deployments();
                let list = self.call("list deployments", budget, || api.list(&params));
                list.await?.items.into_iter().map(Workload::from).collect()
            }
            WorkloadKind::StatefulSet => {
                let api = self.stateful_sets();
                let list = self.call("list statefulsets", budget, || api.list(&params));
                list.await?.items.into_iter().map(Workload::from).collect()
            }
        })
    }

    /// Patches a workload once.
    pub(crate) async fn patch_workload(
        &self,
        kind: WorkloadKind,
        name: &str,
        patch: &Patch<Value>,
    ) -> Result<Workload, kube::Error> {
        let params = PatchParams::default();
        Ok(match kind {
            WorkloadKind::Deployment => {
                let api = self.deployments();
                api.patch(name, &params, patch).await?.into()
            }
            WorkloadKind::StatefulSet => {
                let api = self.stateful_sets();
                api.patch(name, &params, patch).await?.into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
    use serde_json::{Value, json};

    use super::{Ordinals, Revision, Workload, ordinal_of};

    fn stateful(change: impl FnOnce(&mut Value)) -> Workload {
        let mut object = json!({
            "metadata": { "name": "queue", "uid": "u", "generation": 2 },
            "spec": { "serviceName": "queue", "selector": {}, "replicas": 3,
                "template": { "spec": { "containers": [{ "name": "queue", "image": "queue:1" }] } } },
            "status": { "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3,
                "currentRevision": "queue-a", "updateRevision": "queue-a" },
        });
        change(&mut object);
        let typed: StatefulSet = serde_json::from_value(object).expect("a StatefulSet");
        typed.into()
    }

    #[test]
    fn a_stateful_set_is_settled_once_all_pods_are_of_one_revision() {
        assert!(stateful(|_| {}).is_settled());
        for change in [
            |it: &mut Value| it["status"]["currentRevision"] = json!("queue-b"),
            |it: &mut Value| it["status"]["updatedReplicas"] = json!(2),
            |it: &mut Value| it["status"]["availableReplicas"] = json!(2),
            |it: &mut Value| it["metadata"]["generation"] = json!(3),
            |it: &mut Value| it["spec"]["replicas"] = json!(4),
        ] {
            assert!(!stateful(change).is_settled());
        }
    }

    #[test]
    fn ordinals_begin_where_the_stateful_set_says() {
        let of = |change: fn(&mut Value)| stateful(change).ordinals();
        let plain = Ordinals {
            on_delete: false,
            ordered: true,
            first_updated: 0,
        };
        assert_eq!(of(|_| {}), Some(plain));
        let partition = |it: &mut Value| {
            it["spec"]["ordinals"] = json!({"start": 5});
            it["spec"]["updateStrategy"] =
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        };
        let first_updated = 7;
        assert_eq!(
            of(partition),
            Some(Ordinals {
                first_updated,
                ..plain
            })
        );
        let parallel = |it: &mut Value| it["spec"]["podManagementPolicy"] = json!("Parallel");
        assert!(of(parallel).is_some_and(|it| !it.ordered));
        let on_delete = |it: &mut Value| it["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        assert!(of(on_delete).is_some_and(|it| it.on_delete));
        assert_eq!(ordinal_of("queue-12"), Some(12));
        assert_eq!(ordinal_of("queue"), None);
    }

    #[test]
    fn a_controller_revision_keeps_the_template_and_the_patch_that_brings_it_back() {
        let template =
            json!({ "spec": { "containers": [{ "name": "queue", "image": "queue:1" }] } });
        let mut kept = template.clone();
        kept["$patch"] = json!("replace");
        let data = json!({ "spec": { "template": kept } });
        let revision: ControllerRevision = serde_json::from_value(json!({
            "metadata": { "name": "queue-a" }, "revision": 3, "data": data,
        }))
        .expect("a ControllerRevision");
        let revision = Revision::from(&revision);
        assert_eq!(revision.number, Some(3));
        assert_eq!(revision.template, template);
        assert_eq!(revision.patch, Some(data));
    }
}
