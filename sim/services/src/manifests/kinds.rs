//! The kinds of Kubernetes 1.34, by their group and version: what is called otherwise in one of these groups, nobody
//! can create.

use super::object::Object;
use crate::mistake::Mistake;
use crate::suggest;

/// What a server serves by default: `apiVersion`, and the kinds that can be created.
const SERVED: [(&str, &[&str]); 22] = [
    (
        "v1",
        &[
            "Binding",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "List",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    (
        "admissionregistration.k8s.io/v1",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io/v1", &["APIService"]),
    (
        "apps/v1",
        &[
            "ControllerRevision",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
        ],
    ),
    (
        "authentication.k8s.io/v1",
        &["SelfSubjectReview", "TokenReview"],
    ),
    (
        "authorization.k8s.io/v1",
        &[
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ],
    ),
    ("autoscaling/v1", &["HorizontalPodAutoscaler"]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"]),
    ("batch/v1", &["CronJob", "Job"]),
    ("certificates.k8s.io/v1", &["CertificateSigningRequest"]),
    ("coordination.k8s.io/v1", &["Lease"]),
    ("discovery.k8s.io/v1", &["EndpointSlice"]),
    ("events.k8s.io/v1", &["Event"]),
    (
        "flowcontrol.apiserver.k8s.io/v1",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    (
        "networking.k8s.io/v1",
        &[
            "IPAddress",
            "Ingress",
            "IngressClass",
            "NetworkPolicy",
            "ServiceCIDR",
        ],
    ),
    ("node.k8s.io/v1", &["RuntimeClass"]),
    ("policy/v1", &["PodDisruptionBudget"]),
    (
        "rbac.authorization.k8s.io/v1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    ),
    (
        "resource.k8s.io/v1",
        &[
            "DeviceClass",
            "ResourceClaim",
            "ResourceClaimTemplate",
            "ResourceSlice",
        ],
    ),
    ("scheduling.k8s.io/v1", &["PriorityClass"]),
    (
        "storage.k8s.io/v1",
        &[
            "CSIDriver",
            "CSINode",
            "CSIStorageCapacity",
            "StorageClass",
            "VolumeAttachment",
            "VolumeAttributesClass",
        ],
    ),
];

/// What is wrong with the kind or the `apiVersion` of an object, if no server knows them. A group with a dot in its
/// name that is not in the list may be that of a CustomResourceDefinition (whose group has one), and a version of a
/// group with a dot that is not in the list may be one that is switched on.
pub(super) fn check(object: &Object) -> Option<Mistake> {
    let (version, kind) = (object.api_version(), object.kind());
    let message = format!("no matches for kind `{kind}` in version `{version}`");
    let wrong = |path: &str, help: String| {
        let label = "the API server has no such kind";
        Some(object.mistake(&[path], message.clone(), label, help))
    };
    if let Some((_, kinds)) = SERVED.iter().find(|(it, _)| *it == version) {
        if kinds.contains(&kind) {
            return None;
        }
        // The right kind in the wrong group, or a kind that is misspelt.
        return match group_of(kind) {
            Some(right) => wrong("apiVersion", format!("write `apiVersion: {right}`")),
            None => wrong("kind", suggest::help(kind, kinds)),
        };
    }
    let group = version.split_once('/').map_or("", |(group, _)| group);
    if group.contains('.') {
        return None;
    }
    let help = group_of(kind).map_or_else(
        || {
            let versions = SERVED.map(|(version, _)| version);
            suggest::help(version, &versions)
        },
        |right| format!("write `apiVersion: {right}`"),
    );
    wrong("apiVersion", help)
}

/// The `apiVersion` of a kind, the newest one.
fn group_of(kind: &str) -> Option<&'static str> {
    let mut served = SERVED.iter().rev();
    served
        .find(|(_, kinds)| kinds.contains(&kind))
        .map(|(version, _)| *version)
}
