//! Which pods are of the recorded template.
//!
//! A Deployment's pods belong to ReplicaSets, one for each template. A StatefulSet's pods belong to it itself, and a
//! label names the ControllerRevision that each is of.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::context::{Context, Stop};
use super::undo::{digest_of_set, history, owned_sets};
use crate::kubernetes::{REVISION_HASH, owner_uid};
use crate::planner::{ServicePlan, template_digest};
use crate::workload::WorkloadKind;

/// What pods of the recorded template have in common.
#[derive(Clone, Debug)]
pub(super) struct Good {
    /// UIDs of their controllers.
    owners: BTreeSet<String>,
    /// The revisions that their labels name; `None`: whose they are tells it.
    revisions: Option<BTreeSet<String>>,
}

impl Good {
    /// Those of these controllers.
    pub(super) fn of_owners(owners: impl IntoIterator<Item = String>) -> Self {
        Self {
            owners: owners.into_iter().collect(),
            revisions: None,
        }
    }

    /// Those of the ReplicaSets that have the recorded template.
    pub(super) fn of_sets(service: &ServicePlan, sets: &[ReplicaSet]) -> Self {
        let recorded = sets
            .iter()
            .filter(|set| digest_of_set(set) == service.template_digest);
        Self::of_owners(recorded.filter_map(ResourceExt::uid))
    }

    /// Those of a StatefulSet that are of these revisions.
    pub(super) fn of_revisions(uid: &str, revisions: impl IntoIterator<Item = String>) -> Self {
        Self {
            revisions: Some(revisions.into_iter().collect()),
            ..Self::of_owners([uid.to_owned()])
        }
    }

    /// Whether the pod is one of them.
    pub(super) fn has(&self, pod: &Pod) -> bool {
        let owned = owner_uid(&pod.metadata).is_some_and(|owner| self.owners.contains(owner));
        let revisions = self.revisions.as_ref();
        owned && revisions.is_none_or(|it| revision_of(pod).is_some_and(|of| it.contains(of)))
    }
}

/// The name of the ControllerRevision that a pod is of.
pub(super) fn revision_of(pod: &Pod) -> Option<&str> {
    let labels = pod.metadata.labels.as_ref()?;
    labels.get(REVISION_HASH).map(String::as_str)
}

/// What the pods of the recorded template have in common now.
pub(super) async fn good_pods(context: &Context<'_>, service: &ServicePlan) -> Result<Good, Stop> {
    if service.kind == WorkloadKind::Deployment {
        let sets = owned_sets(context.cluster, context, service).await?;
        return Ok(Good::of_sets(service, &sets));
    }
    let revisions = history(context, service).await?;
    let recorded = revisions
        .into_iter()
        .filter(|it| template_digest(&it.template) == service.template_digest);
    Ok(Good::of_revisions(&service.uid, recorded.map(|it| it.name)))
}
