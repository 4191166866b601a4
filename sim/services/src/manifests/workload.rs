//! The objects of manifests that keep pods which serve: Deployments and StatefulSets.

use std::fmt;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::de::DeserializeOwned;

use super::load::Manifests;
use super::object::Object;

/// Of which kind a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// Its pods are interchangeable.
    Deployment,
    /// Its pods have names that stay.
    StatefulSet,
}

impl WorkloadKind {
    /// The kind of an object; `None`: it is no workload whose pods serve.
    #[must_use]
    pub fn of(object: &Object) -> Option<Self> {
        match (object.api_version(), object.kind()) {
            ("apps/v1", "Deployment") => Some(Self::Deployment),
            ("apps/v1", "StatefulSet") => Some(Self::StatefulSet),
            _ => None,
        }
    }

    /// Its name in a manifest, and on kubectl's command line.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Deployment => ["Deployment", "deployment"],
            Self::StatefulSet => ["StatefulSet", "statefulset"],
        }
    }

    /// Its name in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let [kind, _] = self.names();
        kind
    }

    /// Its name on kubectl's command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        let [_, word] = self.names();
        word
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a Deployment and a StatefulSet have in common.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Which of them it is.
    pub kind: WorkloadKind,
    /// How many pods it asks for; 1 where it does not say.
    pub replicas: i32,
    /// What its pods are made of.
    pub template: PodTemplateSpec,
}

impl Workload {
    fn of(object: &Object) -> Option<Self> {
        let kind = WorkloadKind::of(object)?;
        // Each was read when it was taken.
        let (replicas, template) = match kind {
            WorkloadKind::Deployment => {
                let spec = typed::<Deployment>(object)?.spec?;
                (spec.replicas, spec.template)
            }
            WorkloadKind::StatefulSet => {
                let spec = typed::<StatefulSet>(object)?.spec?;
                (spec.replicas, spec.template)
            }
        };
        Some(Self {
            kind,
            replicas: replicas.unwrap_or(1),
            template,
        })
    }
}

fn typed<T: DeserializeOwned>(object: &Object) -> Option<T> {
    T::deserialize(&object.value).ok()
}

impl Manifests {
    /// The Deployments and StatefulSets with their objects, in the order in which they are applied.
    pub fn workloads(&self) -> impl Iterator<Item = (&Object, Workload)> {
        let objects = self.objects.iter();
        objects.filter_map(|object| Some((object, Workload::of(object)?)))
    }
}
