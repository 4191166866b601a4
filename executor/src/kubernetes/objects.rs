//! Reading Kubernetes objects.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use serde_json::Value;

/// Annotation that numbers revisions.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";

/// A pod template as JSON, without the label `pod-template-hash`.
pub(crate) fn template_value(template: &PodTemplateSpec) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template
        .metadata
        .as_mut()
        .and_then(|metadata| metadata.labels.as_mut())
    {
        labels.remove("pod-template-hash");
    }
    serde_json::to_value(template).unwrap_or_default()
}

/// Image of the first container.
pub(crate) fn image_of(template: &PodTemplateSpec) -> String {
    template
        .spec
        .as_ref()
        .and_then(|spec| spec.containers.first())
        .and_then(|container| container.image.clone())
        .unwrap_or_default()
}

/// The revision annotation.
pub(crate) fn revision_of(metadata: &ObjectMeta) -> Option<u64> {
    metadata.annotations.as_ref()?.get(REVISION)?.parse().ok()
}

/// A workload's selector as a query parameter. Match expressions are left out: they can only widen
/// what `matchLabels` of this workload's pods already narrows.
pub(crate) fn selector_of(selector: &LabelSelector) -> String {
    selector
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// UID of the controlling owner.
pub(crate) fn owner_uid(metadata: &ObjectMeta) -> Option<&str> {
    metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.as_str())
}

/// Not being deleted, and neither succeeded nor failed.
pub(crate) fn is_live(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && !is_over(pod)
}

/// Succeeded or failed: none of its containers runs, and none will again. The kubelet leaves an evicted pod so, and
/// nobody deletes it.
pub(crate) fn is_over(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// A Kubernetes time.
pub(crate) fn timestamp(time: &Time) -> Timestamp {
    time.0
}

/// Names of the ConfigMaps that a template refers to: environment, volumes, projected volumes.
pub(crate) fn config_maps_of(template: &PodTemplateSpec) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Some(spec) = &template.spec else {
        return names;
    };
    let containers = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    for container in containers {
        for source in container.env_from.iter().flatten() {
            names.extend(
                source
                    .config_map_ref
                    .as_ref()
                    .map(|reference| reference.name.clone()),
            );
        }
        for variable in container.env.iter().flatten() {
            let reference = variable
                .value_from
                .as_ref()
                .and_then(|from| from.config_map_key_ref.as_ref());
            names.extend(reference.map(|reference| reference.name.clone()));
        }
    }
    for volume in spec.volumes.iter().flatten() {
        names.extend(volume.config_map.as_ref().map(|source| source.name.clone()));
        let projected = volume
            .projected
            .iter()
            .flat_map(|source| source.sources.iter().flatten());
        names.extend(
            projected
                .filter_map(|source| source.config_map.as_ref())
                .map(|map| map.name.clone()),
        );
    }
    names.remove("");
    names
}
