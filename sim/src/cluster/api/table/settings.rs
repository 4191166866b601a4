//! Tables of what only holds settings: accounts, rights, volumes and rules of the network.

use super::age;
use super::columns::{AGE, Column, NAME, text as column, wide};
use crate::cluster::api::selectors::LabelSelector;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{self, annotation, at, flag, items, name, text};
use crate::time::Micros;

/// Most hosts of an Ingress in one cell.
const MOST_HOSTS: usize = 3;
/// The annotation of the class that claims have which name none.
pub(in crate::cluster) const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// The columns of one of these kinds.
pub(super) fn columns(kind: Kind) -> &'static [Column] {
    const CREATED: Column = column("Created At", "When the object was created.");
    const ACCOUNT: &[Column] = &[
        NAME,
        column("Secrets", "How many Secrets its pods may use."),
        AGE,
    ];
    const CLAIM: &[Column] = &[
        NAME,
        column("Status", "Whether it is bound."),
        column("Volume", "The volume that it is bound to."),
        column("Capacity", "How large that volume is."),
        column("Access Modes", "How that volume can be mounted."),
        column("StorageClass", "The class of its volume."),
        column(
            "VolumeAttributesClass",
            "The class of its volume's attributes.",
        ),
        AGE,
        wide(column(
            "VolumeMode",
            "Whether it is a file system or a block device.",
        )),
    ];
    const VOLUME: &[Column] = &[
        NAME,
        column("Capacity", "How large it is."),
        column("Access Modes", "How it can be mounted."),
        column("Reclaim Policy", "What becomes of it when its claim goes."),
        column("Status", "Whether it is bound."),
        column("Claim", "The claim that it is bound to."),
        column("StorageClass", "Its class."),
        column("VolumeAttributesClass", "The class of its attributes."),
        column("Reason", "Why it is in its state."),
        AGE,
        wide(column(
            "VolumeMode",
            "Whether it is a file system or a block device.",
        )),
    ];
    const STORAGE_CLASS: &[Column] = &[
        NAME,
        column("Provisioner", "What makes its volumes."),
        column(
            "ReclaimPolicy",
            "What becomes of a volume when its claim goes.",
        ),
        column("VolumeBindingMode", "When a claim is bound."),
        column("AllowVolumeExpansion", "Whether its volumes can grow."),
        AGE,
    ];
    const INGRESS: &[Column] = &[
        NAME,
        column("Class", "The class of controllers that serve it."),
        column("Hosts", "The hosts that it is for."),
        column("Address", "Where it can be reached."),
        column("Ports", "Its ports."),
        AGE,
    ];
    const INGRESS_CLASS: &[Column] = &[
        NAME,
        column("Controller", "The controller of its Ingresses."),
        column("Parameters", "The object with its parameters."),
        AGE,
    ];
    const POLICY: &[Column] = &[
        NAME,
        column("Pod-Selector", "The labels of the pods that it is for."),
        AGE,
    ];
    const CREATED_AT: &[Column] = &[NAME, CREATED];
    const BINDING: &[Column] = &[
        NAME,
        column("Role", "The role that it gives."),
        AGE,
        wide(column("Users", "Who has it, of users.")),
        wide(column("Groups", "Who has it, of groups.")),
        wide(column(
            "ServiceAccounts",
            "Who has it, of accounts of pods.",
        )),
    ];
    match kind {
        Kind::ServiceAccount => ACCOUNT,
        Kind::PersistentVolumeClaim => CLAIM,
        Kind::PersistentVolume => VOLUME,
        Kind::StorageClass => STORAGE_CLASS,
        Kind::Ingress => INGRESS,
        Kind::IngressClass => INGRESS_CLASS,
        Kind::NetworkPolicy => POLICY,
        Kind::Role | Kind::ClusterRole | Kind::CustomResourceDefinition => CREATED_AT,
        Kind::RoleBinding | Kind::ClusterRoleBinding => BINDING,
        _ => &[],
    }
}

/// The cells of an object of one of these kinds.
pub(super) fn cells(now: Micros, kind: Kind, object: &Value) -> Vec<Value> {
    let age = Value::from(age::since(now, object, &["metadata", "creationTimestamp"]));
    let called = name(object).to_owned();
    let word = |path: &[&str]| Value::from(text(object, path).to_owned());
    match kind {
        Kind::ServiceAccount => {
            let secrets = items(object, &["secrets"]).len();
            vec![called.into(), secrets.into(), age]
        }
        Kind::PersistentVolumeClaim => claim(object, called, age),
        Kind::PersistentVolume => volume(object, called, age),
        Kind::StorageClass => {
            let default = annotation(object, DEFAULT_CLASS) == Some("true");
            let called = if default {
                format!("{called} (default)")
            } else {
                called
            };
            vec![
                called.into(),
                word(&["provisioner"]),
                or(text(object, &["reclaimPolicy"]), "Delete").into(),
                or(text(object, &["volumeBindingMode"]), "Immediate").into(),
                flag(object, &["allowVolumeExpansion"]).into(),
                age,
            ]
        }
        Kind::Ingress => {
            let tls = !items(object, &["spec", "tls"]).is_empty();
            vec![
                called.into(),
                or(text(object, &["spec", "ingressClassName"]), "<none>").into(),
                hosts(object).into(),
                addresses(object).into(),
                (if tls { "80, 443" } else { "80" }).into(),
                age,
            ]
        }
        Kind::IngressClass => {
            let of = |field: &str| text(object, &["spec", "parameters", field]);
            let group = match of("apiGroup") {
                "" => String::new(),
                group => format!(".{group}"),
            };
            let parameters = if of("kind").is_empty() {
                "<none>".to_owned()
            } else {
                format!("{}{group}/{}", of("kind"), of("name"))
            };
            vec![
                called.into(),
                word(&["spec", "controller"]),
                parameters.into(),
                age,
            ]
        }
        Kind::NetworkPolicy => {
            let selector = at(object, &["spec", "podSelector"]).unwrap_or(&Value::Null);
            let selector = LabelSelector::of_object(selector).text();
            vec![called.into(), or(&selector, "<none>").into(), age]
        }
        Kind::Role | Kind::ClusterRole | Kind::CustomResourceDefinition => {
            vec![called.into(), word(&["metadata", "creationTimestamp"])]
        }
        Kind::RoleBinding | Kind::ClusterRoleBinding => {
            let role = |field: &str| text(object, &["roleRef", field]);
            let subjects = |kind: &str| -> Value {
                let all = items(object, &["subjects"]).iter();
                let of_kind = all.filter(|it| text(it, &["kind"]) == kind);
                let names: Vec<String> = of_kind
                    .map(|it| match text(it, &["namespace"]) {
                        namespace if kind == "ServiceAccount" => {
                            format!("{namespace}/{}", text(it, &["name"]))
                        }
                        _ => text(it, &["name"]).to_owned(),
                    })
                    .collect();
                names.join(", ").into()
            };
            vec![
                called.into(),
                format!("{}/{}", role("kind"), role("name")).into(),
                age,
                subjects("User"),
                subjects("Group"),
                subjects("ServiceAccount"),
            ]
        }
        _ => vec![],
    }
}

fn or(text: &str, none: &str) -> String {
    let shown = if text.is_empty() { none } else { text };
    shown.to_owned()
}

/// Access modes in short, in their usual order (`GetAccessModesAsString`).
fn modes(object: &Value, path: &[&str]) -> String {
    let has = |mode: &str| items(object, path).iter().any(|it| *it == mode);
    let all = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let given = all.into_iter().filter(|(mode, _)| has(mode));
    given.map(|(_, short)| short).collect::<Vec<_>>().join(",")
}

fn claim(object: &Value, called: String, age: Value) -> Vec<Value> {
    let spec = |field: &str| text(object, &["spec", field]);
    let phase = if value::deleting(object) {
        "Terminating"
    } else {
        text(object, &["status", "phase"])
    };
    let bound = !spec("volumeName").is_empty();
    let (capacity, modes) = if bound {
        let capacity = text(object, &["status", "capacity", "storage"]).to_owned();
        (capacity, modes(object, &["status", "accessModes"]))
    } else {
        (String::new(), String::new())
    };
    vec![
        called.into(),
        phase.to_owned().into(),
        spec("volumeName").to_owned().into(),
        capacity.into(),
        modes.into(),
        spec("storageClassName").to_owned().into(),
        or(spec("volumeAttributesClassName"), "<unset>").into(),
        age,
        or(spec("volumeMode"), "<unset>").into(),
    ]
}

fn volume(object: &Value, called: String, age: Value) -> Vec<Value> {
    let spec = |path: &[&str]| text(object, &[&["spec"][..], path].concat()).to_owned();
    let phase = if value::deleting(object) {
        "Terminating"
    } else {
        text(object, &["status", "phase"])
    };
    let claim = if at(object, &["spec", "claimRef"]).is_some() {
        let (ns, name) = (
            spec(&["claimRef", "namespace"]),
            spec(&["claimRef", "name"]),
        );
        format!("{ns}/{name}")
    } else {
        String::new()
    };
    vec![
        called.into(),
        spec(&["capacity", "storage"]).into(),
        modes(object, &["spec", "accessModes"]).into(),
        spec(&["persistentVolumeReclaimPolicy"]).into(),
        phase.to_owned().into(),
        claim.into(),
        spec(&["storageClassName"]).into(),
        or(&spec(&["volumeAttributesClassName"]), "<unset>").into(),
        text(object, &["status", "reason"]).to_owned().into(),
        age,
        or(&spec(&["volumeMode"]), "<unset>").into(),
    ]
}

/// `formatHosts`.
fn hosts(ingress: &Value) -> String {
    let all: Vec<&str> = items(ingress, &["spec", "rules"])
        .iter()
        .map(|rule| text(rule, &["host"]))
        .filter(|host| !host.is_empty())
        .collect();
    let shown = all[..all.len().min(MOST_HOSTS)].join(",");
    match all.len() {
        0 => "*".to_owned(),
        n if n > MOST_HOSTS => format!("{shown} + {} more...", n - MOST_HOSTS),
        _ => shown,
    }
}

fn addresses(ingress: &Value) -> String {
    let all = items(ingress, &["status", "loadBalancer", "ingress"]).iter();
    let all = all.map(|it| match text(it, &["ip"]) {
        "" => text(it, &["hostname"]),
        ip => ip,
    });
    all.filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join(",")
}
