//! The kinds that the simulated API server serves.

use super::custom::CustomKind;

/// What discovery says of a kind that is built in.
struct Info {
    group: &'static str,
    api_version: &'static str,
    plural: &'static str,
    name: &'static str,
    list: &'static str,
    /// Whether its objects live in a namespace.
    namespaced: bool,
    /// Whether there is a `/status` subresource.
    status: bool,
    /// Whether there is a `/scale` subresource.
    scale: bool,
    /// Whether `metadata.generation` counts the changes of what is asked of its objects.
    generation: bool,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
}

/// The group of an `apiVersion`.
const fn group_of(api_version: &'static str) -> &'static str {
    let bytes = api_version.as_bytes();
    let mut end = 0;
    while end < bytes.len() {
        if bytes[end] == b'/' {
            return api_version.split_at(end).0;
        }
        end += 1;
    }
    ""
}

macro_rules! kinds {
    ($($variant:ident $api_version:literal $plural:literal $short:tt [$($trait:ident)*];)*) => {
        /// A resource kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(
                #[doc = concat!("`", $api_version, "` ", stringify!($variant), ".")]
                $variant,
            )*
            /// One that a CustomResourceDefinition has added.
            Custom(&'static CustomKind),
        }

        /// The place of each kind that is built in.
        enum Place { $($variant,)* }

        impl Kind {
            /// Every kind that is built in. New ones come last: the place of a kind is part of the fingerprint.
            pub const ALL: [Self; [$(Place::$variant),*].len()] = [$(Self::$variant),*];

            const fn info(self) -> Info {
                match self {
                    $(Self::$variant => {
                        let info = Info {
                            group: group_of($api_version),
                            api_version: $api_version,
                            plural: $plural,
                            name: stringify!($variant),
                            list: concat!(stringify!($variant), "List"),
                            namespaced: true,
                            status: false,
                            scale: false,
                            generation: false,
                            short_names: &$short,
                            categories: &[],
                        };
                        $(let info = kinds!(@with info $trait);)*
                        info
                    })*
                    Self::Custom(of) => Info {
                        group: of.group(),
                        api_version: of.api_version(),
                        plural: of.plural(),
                        name: of.name(),
                        list: of.list(),
                        namespaced: of.namespaced(),
                        status: of.has_status(),
                        scale: of.has_scale(),
                        generation: true,
                        short_names: of.short_names(),
                        categories: of.categories(),
                    },
                }
            }

            /// Its place in [`Self::ALL`]; all kinds that were added share the one after those.
            pub(crate) const fn index(self) -> usize {
                match self {
                    $(Self::$variant => Place::$variant as usize,)*
                    Self::Custom(_) => Self::ALL.len(),
                }
            }
        }
    };
    (@with $info:ident cluster) => { Info { namespaced: false, ..$info } };
    (@with $info:ident status) => { Info { status: true, ..$info } };
    (@with $info:ident scale) => { Info { scale: true, ..$info } };
    (@with $info:ident generation) => { Info { generation: true, ..$info } };
    (@with $info:ident all) => { Info { categories: &["all"], ..$info } };
    (@with $info:ident extensions) => { Info { categories: &["api-extensions"], ..$info } };
}

kinds! {
    Namespace "v1" "namespaces" ["ns"] [cluster status];
    Node "v1" "nodes" ["no"] [cluster status];
    Pod "v1" "pods" ["po"] [status generation all];
    Service "v1" "services" ["svc"] [status all];
    ConfigMap "v1" "configmaps" ["cm"] [];
    Secret "v1" "secrets" [] [];
    Event "v1" "events" ["ev"] [];
    Deployment "apps/v1" "deployments" ["deploy"] [status scale generation all];
    ReplicaSet "apps/v1" "replicasets" ["rs"] [status scale generation all];
    EndpointSlice "discovery.k8s.io/v1" "endpointslices" [] [];
    Lease "coordination.k8s.io/v1" "leases" [] [];
    PodDisruptionBudget "policy/v1" "poddisruptionbudgets" ["pdb"] [status generation];
    ServiceAccount "v1" "serviceaccounts" ["sa"] [];
    PersistentVolumeClaim "v1" "persistentvolumeclaims" ["pvc"] [status];
    PersistentVolume "v1" "persistentvolumes" ["pv"] [cluster status];
    StatefulSet "apps/v1" "statefulsets" ["sts"] [status scale generation all];
    DaemonSet "apps/v1" "daemonsets" ["ds"] [status generation all];
    ControllerRevision "apps/v1" "controllerrevisions" [] [];
    Job "batch/v1" "jobs" [] [status generation all];
    CronJob "batch/v1" "cronjobs" ["cj"] [status generation all];
    HorizontalPodAutoscaler "autoscaling/v2" "horizontalpodautoscalers" ["hpa"] [status all];
    Ingress "networking.k8s.io/v1" "ingresses" ["ing"] [status generation];
    IngressClass "networking.k8s.io/v1" "ingressclasses" [] [cluster generation];
    NetworkPolicy "networking.k8s.io/v1" "networkpolicies" ["netpol"] [generation];
    Role "rbac.authorization.k8s.io/v1" "roles" [] [];
    RoleBinding "rbac.authorization.k8s.io/v1" "rolebindings" [] [];
    ClusterRole "rbac.authorization.k8s.io/v1" "clusterroles" [] [cluster];
    ClusterRoleBinding "rbac.authorization.k8s.io/v1" "clusterrolebindings" [] [cluster];
    StorageClass "storage.k8s.io/v1" "storageclasses" ["sc"] [cluster];
    CustomResourceDefinition "apiextensions.k8s.io/v1" "customresourcedefinitions" ["crd", "crds"]
        [cluster status generation extensions];
}

impl Kind {
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
        match self {
            Self::Custom(of) => of.singular().to_owned(),
            built_in => built_in.name().to_lowercase(),
        }
    }

    /// Short names, as `kubectl` takes them.
    #[must_use]
    pub const fn short_names(self) -> &'static [&'static str] {
        self.info().short_names
    }

    /// The groups of kinds that it is in, as `kubectl get all` takes them.
    #[must_use]
    pub const fn categories(self) -> &'static [&'static str] {
        self.info().categories
    }

    /// Whether all objects that selectors match can be deleted by one request.
    #[must_use]
    pub const fn has_delete_collection(self) -> bool {
        !matches!(self, Self::Namespace)
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub const fn namespaced(self) -> bool {
        self.info().namespaced
    }

    /// Whether there is a `/status` subresource.
    #[must_use]
    pub const fn has_status(self) -> bool {
        self.info().status
    }

    /// Whether there is a `/scale` subresource.
    #[must_use]
    pub const fn has_scale(self) -> bool {
        self.info().scale
    }

    /// Whether `metadata.generation` counts the changes of what is asked of its objects.
    pub(crate) const fn has_generation(self) -> bool {
        self.info().generation
    }

    /// Whether a PUT must name the version that it replaces (`AllowUnconditionalUpdate` of its strategy).
    pub(crate) const fn needs_version(self) -> bool {
        matches!(
            self,
            Self::Lease
                | Self::PodDisruptionBudget
                | Self::CustomResourceDefinition
                | Self::Custom(_)
        )
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

    /// The built-in kind with this group and plural.
    #[must_use]
    pub fn of_path(group: &str, plural: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| k.group() == group && k.plural() == plural)
    }

    /// The built-in kind with this `apiVersion` and `kind`.
    #[must_use]
    pub fn of_object(api_version: &str, name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| k.api_version() == api_version && k.name() == name)
    }
}
