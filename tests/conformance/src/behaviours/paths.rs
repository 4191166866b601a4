//! Paths that bodies of several subjects ask for, below their namespace.

/// All ConfigMaps.
pub(super) const MAPS: &str = "v1/configmaps";
/// The ConfigMap that a body makes.
pub(super) const MAP: &str = "v1/configmaps/a";
/// All pods.
pub(super) const PODS: &str = "v1/pods";
/// All Deployments.
pub(super) const DEPLOYMENTS: &str = "apps/v1/deployments";
/// The Deployment that a body makes.
pub(super) const DEPLOYMENT: &str = "apps/v1/deployments/a";
/// All ReplicaSets.
pub(super) const SETS: &str = "apps/v1/replicasets";
/// All Leases.
pub(super) const LEASES: &str = "coordination.k8s.io/v1/leases";

/// A finalizer that nobody takes away but the body.
pub(super) const HOLD: &str = "firedrill.example/hold";
