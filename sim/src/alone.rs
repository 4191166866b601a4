//! A cluster with nothing in it but pods that become ready: where a test of what acts on a cluster begins.
//!
//! The pods are those of [`Plain`], in the namespace `apps`. Whoever needs other namespaces, images that fail, faults
//! or an application of one's own calls [`run`](crate::run) with a configuration.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::application::{Plain, PlainConfig};
use crate::world::{Halt, Limits, World, WorldConfig};

/// Builds a cluster and drives it until the future that `program` makes of it completes. `world.kube("test")` is what
/// `kube::Client::new` takes. The same seed gives the same run.
///
/// # Errors
/// [`Halt`]: the program waits for what never comes, or takes more than four hours of virtual time.
///
/// # Panics
/// If called from within another tokio runtime.
pub fn run<T, F: Future<Output = T>>(
    seed: u64,
    program: impl FnOnce(World<Plain>) -> F,
) -> Result<T, Halt> {
    let config = WorldConfig::<PlainConfig>::default();
    crate::run(config, seed, Limits::default(), program)
}

/// A Deployment of pods with one container. Deployment, container and label `app` have the name `name`.
#[must_use]
pub fn deployment(name: &str, image: &str, replicas: i32) -> Deployment {
    let labels = BTreeMap::from([("app".to_owned(), name.to_owned())]);
    let container = Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        ..Container::default()
    };
    Deployment {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            selector: LabelSelector {
                match_labels: Some(labels.clone()),
                ..LabelSelector::default()
            },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(PodSpec {
                    containers: vec![container],
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// Whether a Deployment is rolled out, as `kubectl rollout status` sees it: its controller has seen the last change,
/// and all of its pods are of the last template and available
/// (`staging/src/k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go`).
#[must_use]
pub fn is_rolled_out(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else {
        return false;
    };
    // One pod is the default, and a number that is not there is 0.
    let replicas = spec.replicas.unwrap_or(1);
    let [updated, all, available] = [
        status.updated_replicas,
        status.replicas,
        status.available_replicas,
    ]
    .map(Option::unwrap_or_default);
    status.observed_generation >= deployment.metadata.generation
        && updated >= replicas
        && all <= updated
        && available >= updated
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DeploymentStatus;

    use super::{deployment, is_rolled_out};

    #[test]
    fn a_rollout_is_over_when_the_last_template_s_pods_are_available_and_alone() {
        let judged = |generation, replicas, [seen, updated, all, available]: [i64; 4]| {
            let number = |n| i32::try_from(n).ok();
            let mut made = deployment("front", "front:1", replicas);
            made.metadata.generation = Some(generation);
            made.status = Some(DeploymentStatus {
                observed_generation: Some(seen),
                updated_replicas: number(updated),
                replicas: number(all),
                available_replicas: number(available),
                ..DeploymentStatus::default()
            });
            is_rolled_out(&made)
        };
        assert!(judged(2, 3, [2, 3, 3, 3]));
        assert!(!judged(2, 3, [1, 3, 3, 3]), "the change was not seen yet");
        assert!(!judged(2, 3, [2, 2, 3, 3]), "a pod is of the old template");
        assert!(!judged(2, 3, [2, 3, 4, 3]), "an old pod is there yet");
        assert!(!judged(2, 3, [2, 3, 3, 2]), "a pod is not available");
        assert!(judged(1, 0, [1, 0, 0, 0]));
        assert!(!is_rolled_out(&deployment("front", "front:1", 1)));
    }
}
