//! The columns of each kind.

use super::{settings, workloads};
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its title; clients print it in capitals.
    pub(super) name: &'static str,
    of_type: &'static str,
    format: &'static str,
    /// 0: always shown. 1: only with `-o wide`.
    pub(super) priority: u32,
    description: &'static str,
}

pub(super) const fn text(name: &'static str, description: &'static str) -> Column {
    Column {
        name,
        of_type: "string",
        format: "",
        priority: 0,
        description,
    }
}

pub(super) const fn number(name: &'static str, description: &'static str) -> Column {
    Column {
        of_type: "integer",
        ..text(name, description)
    }
}

pub(super) const fn wide(column: Column) -> Column {
    Column {
        priority: 1,
        ..column
    }
}

pub(super) const NAME: Column = Column {
    format: "name",
    ..text(
        "Name",
        "The name, unique among the objects of its kind in its namespace.",
    )
};
pub(super) const AGE: Column = text("Age", "The time since the object was created.");
pub(super) const CONTAINERS: Column = wide(text(
    "Containers",
    "The names of the template's containers.",
));
pub(super) const IMAGES: Column = wide(text("Images", "The images of the template's containers."));
pub(super) const SELECTOR: Column = wide(text("Selector", "The labels that its pods have."));

/// The columns of a kind, in order.
pub(super) fn columns(kind: Kind) -> &'static [Column] {
    const POD: &[Column] = &[
        NAME,
        text(
            "Ready",
            "How many of its containers are ready, and how many there are.",
        ),
        text("Status", "What its containers' states come to."),
        text(
            "Restarts",
            "How often its containers were restarted, and when that was last.",
        ),
        AGE,
        wide(text("IP", "Its address.")),
        wide(text("Node", "The node that it runs on.")),
        wide(text(
            "Nominated Node",
            "The node on which room is made for it.",
        )),
        wide(text(
            "Readiness Gates",
            "How many of its readiness gates are true.",
        )),
    ];
    const BUDGET: &[Column] = &[
        NAME,
        text("Min Available", "How many pods must be available."),
        text("Max Unavailable", "How many pods may be unavailable."),
        number("Allowed Disruptions", "How many pods may be evicted now."),
        AGE,
    ];
    const REPLICA_SET: &[Column] = &[
        NAME,
        number("Desired", "How many pods it should have."),
        number("Current", "How many pods it has."),
        number("Ready", "How many of its pods are ready."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ];
    const DEPLOYMENT: &[Column] = &[
        NAME,
        text(
            "Ready",
            "How many pods are ready, and how many there should be.",
        ),
        text("Up-to-date", "How many pods have the present template."),
        text("Available", "How many pods are available."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ];
    const SERVICE: &[Column] = &[
        NAME,
        text("Type", "How it is exposed."),
        text("Cluster-IP", "Its address in the cluster."),
        text("External-IP", "Its addresses outside the cluster."),
        text("Port(s)", "Its ports."),
        AGE,
        SELECTOR,
    ];
    const NODE: &[Column] = &[
        NAME,
        text(
            "Status",
            "Whether it is ready, and whether pods are placed on it.",
        ),
        text("Roles", "Its roles."),
        AGE,
        text("Version", "The version of its kubelet."),
        wide(text("Internal-IP", "Its address in the cluster.")),
        wide(text("External-IP", "Its address outside the cluster.")),
        wide(text("OS-Image", "Its operating system.")),
        wide(text("Kernel-Version", "The version of its kernel.")),
        wide(text("Container-Runtime", "Its container runtime.")),
    ];
    const EVENT: &[Column] = &[
        text("Last Seen", "The time since it happened last."),
        text("Type", "Normal or Warning."),
        text("Reason", "Why, in one word."),
        text("Object", "The object that it is about."),
        wide(text(
            "Subobject",
            "The part of the object that it is about.",
        )),
        wide(text("Source", "Who reports it.")),
        text("Message", "What happened."),
        wide(text("First Seen", "The time since it happened first.")),
        wide(text("Count", "How often it happened.")),
        wide(NAME),
    ];
    const NAMESPACE: &[Column] = &[
        NAME,
        text("Status", "Whether it is active or terminating."),
        AGE,
    ];
    const SECRET: &[Column] = &[
        NAME,
        text("Type", "What it is for."),
        text("Data", "How many entries it has."),
        AGE,
    ];
    const CONFIG_MAP: &[Column] = &[NAME, text("Data", "How many entries it has."), AGE];
    const LEASE: &[Column] = &[NAME, text("Holder", "Who holds it."), AGE];
    const SLICE: &[Column] = &[
        NAME,
        text("AddressType", "The type of its addresses."),
        text("Ports", "The ports of its endpoints."),
        text("Endpoints", "The addresses of its endpoints."),
        AGE,
    ];
    match kind {
        Kind::Pod => POD,
        Kind::PodDisruptionBudget => BUDGET,
        Kind::ReplicaSet => REPLICA_SET,
        Kind::Deployment => DEPLOYMENT,
        Kind::Service => SERVICE,
        Kind::Node => NODE,
        Kind::Event => EVENT,
        Kind::Namespace => NAMESPACE,
        Kind::Secret => SECRET,
        Kind::ConfigMap => CONFIG_MAP,
        Kind::Lease => LEASE,
        Kind::EndpointSlice => SLICE,
        Kind::StatefulSet
        | Kind::DaemonSet
        | Kind::ControllerRevision
        | Kind::Job
        | Kind::CronJob
        | Kind::HorizontalPodAutoscaler => workloads::columns(kind),
        Kind::ServiceAccount
        | Kind::PersistentVolumeClaim
        | Kind::PersistentVolume
        | Kind::StorageClass
        | Kind::Ingress
        | Kind::IngressClass
        | Kind::NetworkPolicy
        | Kind::Role
        | Kind::RoleBinding
        | Kind::ClusterRole
        | Kind::ClusterRoleBinding
        | Kind::CustomResourceDefinition => settings::columns(kind),
        // Those are its definition's.
        Kind::Custom(_) => &[],
    }
}

/// The column as it stands in a table.
pub(super) fn definition(column: &Column) -> Value {
    json!({
        "name": column.name, "type": column.of_type, "format": column.format,
        "description": column.description, "priority": column.priority,
    })
}
