//! The kinds that the simulated API server serves.

/// A resource kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `v1` Namespace.
    Namespace,
    /// `v1` Node.
    Node,
    /// `v1` Pod.
    Pod,
    /// `v1` Service.
    Service,
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Secret.
    Secret,
    /// `v1` Event.
    Event,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `coordination.k8s.io/v1` Lease.
    Lease,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
}

struct Info {
    group: &'static str,
    plural: &'static str,
    name: &'static str,
    list: &'static str,
    api_version: &'static str,
}

macro_rules! info {
    ($group:literal, $api_version:literal, $plural:literal, $name:literal) => {
        Info {
            group: $group,
            plural: $plural,
            name: $name,
            list: concat!($name, "List"),
            api_version: $api_version,
        }
    };
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Namespace,
        Self::Node,
        Self::Pod,
        Self::Service,
        Self::ConfigMap,
        Self::Secret,
        Self::Event,
        Self::Deployment,
        Self::ReplicaSet,
        Self::EndpointSlice,
        Self::Lease,
        Self::PodDisruptionBudget,
    ];

    const fn info(self) -> Info {
        match self {
            Self::Namespace => info!("", "v1", "namespaces", "Namespace"),
            Self::Node => info!("", "v1", "nodes", "Node"),
            Self::Pod => info!("", "v1", "pods", "Pod"),
            Self::Service => info!("", "v1", "services", "Service"),
            Self::ConfigMap => info!("", "v1", "configmaps", "ConfigMap"),
            Self::Secret => info!("", "v1", "secrets", "Secret"),
            Self::Event => info!("", "v1", "events", "Event"),
            Self::Deployment => info!("apps", "apps/v1", "deployments", "Deployment"),
            Self::ReplicaSet => info!("apps", "apps/v1", "replicasets", "ReplicaSet"),
            Self::EndpointSlice => info!(
                "discovery.k8s.io",
                "discovery.k8s.io/v1", "endpointslices", "EndpointSlice"
            ),
            Self::Lease => info!(
                "coordination.k8s.io",
                "coordination.k8s.io/v1", "leases", "Lease"
            ),
            Self::PodDisruptionBudget => info!(
                "policy",
                "policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"
            ),
        }
    }

    /// API group, empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.info().group
    }

    /// `apiVersion` of its objects.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        self.info().api_version
    }

    /// Plural as it stands in paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.info().plural
    }

    /// `kind` of its objects.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// `kind` of its lists.
    #[must_use]
    pub const fn list(self) -> &'static str {
        self.info().list
    }

    /// The singular, as `kubectl` takes it.
    #[must_use]
    pub fn singular(self) -> String {
        self.name().to_lowercase()
    }

    /// Short names, as `kubectl` takes them.
    #[must_use]
    pub const fn short_names(self) -> &'static [&'static str] {
        match self {
            Self::Namespace => &["ns"],
            Self::Node => &["no"],
            Self::Pod => &["po"],
            Self::Service => &["svc"],
            Self::ConfigMap => &["cm"],
            Self::Event => &["ev"],
            Self::Deployment => &["deploy"],
            Self::ReplicaSet => &["rs"],
            Self::PodDisruptionBudget => &["pdb"],
            Self::Secret | Self::EndpointSlice | Self::Lease => &[],
        }
    }

    /// Whether `kubectl get all` shows its objects.
    #[must_use]
    pub const fn in_all(self) -> bool {
        matches!(
            self,
            Self::Pod | Self::Service | Self::Deployment | Self::ReplicaSet
        )
    }

    /// Whether all objects that selectors match can be deleted by one request.
    #[must_use]
    pub const fn has_delete_collection(self) -> bool {
        !matches!(self, Self::Namespace)
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub const fn namespaced(self) -> bool {
        !matches!(self, Self::Namespace | Self::Node)
    }

    /// Whether there is a `/status` subresource.
    #[must_use]
    pub const fn has_status(self) -> bool {
        matches!(
            self,
            Self::Namespace
                | Self::Node
                | Self::Pod
                | Self::Service
                | Self::Deployment
                | Self::ReplicaSet
                | Self::PodDisruptionBudget
        )
    }

    /// Whether there is a `/scale` subresource.
    #[must_use]
    pub const fn has_scale(self) -> bool {
        matches!(self, Self::Deployment | Self::ReplicaSet)
    }

    /// The name in error messages: `deployments.apps`, `pods`.
    #[must_use]
    pub fn qualified(self) -> String {
        if self.group().is_empty() {
            self.plural().to_owned()
        } else {
            format!("{}.{}", self.plural(), self.group())
        }
    }

    /// The kind with this group and plural.
    #[must_use]
    pub fn of_path(group: &str, plural: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| k.group() == group && k.plural() == plural)
    }

    /// The kind with this `apiVersion` and `kind`.
    #[must_use]
    pub fn of_object(api_version: &str, name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| k.api_version() == api_version && k.name() == name)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}
