//! What a release changes of a Deployment's pod template besides the image.

/// A change of the first container, or of the pod's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TemplateChange {
    /// A variable of the container's environment.
    Env {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// Arguments of the program, all of them.
    Args(&'static [&'static str]),
    /// A limit of the container's resources.
    Limit {
        /// The resource, for instance `memory`.
        resource: &'static str,
        /// A Kubernetes quantity, for instance `512Mi`.
        quantity: &'static str,
    },
    /// Seconds between two readiness probes.
    ReadinessPeriod(u32),
    /// An annotation of the pod, for instance a checksum of its configuration,
    /// so that pods are replaced when it changes.
    Annotation {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: &'static str,
    },
}
