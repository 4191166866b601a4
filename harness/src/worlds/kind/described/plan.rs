//! What a drill of a described application creates in the cluster. Nothing here needs one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sim_services::describe::Client;

use crate::scenario::Described;
use crate::worlds::common::described::is_left_out;
use crate::worlds::common::manifests::NAMESPACE;

/// Label of everything that such a drill creates.
pub(super) const OURS: &str = "firedrill-drill";
/// Its value.
pub(super) const OUR_VALUE: &str = "described";

/// Namespaces that no drill of somebody's own application touches: the cluster's own and the harness's.
const NOT_TO_TOUCH: [&str; 7] = [
    "firedrill",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "local-path-storage",
    "monitoring",
    NAMESPACE,
];

/// The executor's account, which `deploy/rbac.yaml` makes.
const ACCOUNT: &str = "rollback-executor";
/// Name of the rights that it gets in the application's namespace.
const RIGHTS: &str = "firedrill-rollback-executor";
/// The account of a program that is drilled in place of our executor, which `deploy/program.yaml` makes.
const PROGRAMS_ACCOUNT: &str = "drilled-program";
/// Name of the rights that it gets in the application's namespace.
const PROGRAMS_RIGHTS: &str = "firedrill-drilled-program";
/// Begin of the names of the Services that let clients in.
const WAY: &str = "firedrill-client-";

/// What is created.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// The namespaces that must be there.
    pub(super) namespaces: BTreeSet<String>,
    /// Objects in the order in which they are created, each with its namespace and the label [`OURS`].
    pub(super) objects: Vec<Value>,
    /// The name of the Service of type NodePort for each client, in their order.
    pub(super) ways: Vec<String>,
    /// What of the manifests belongs to no namespace, and is not created.
    pub(super) cluster_wide: Vec<String>,
}

impl Plan {
    /// What is created for `app`, and for a program that rolls it back in place of our executor, if one does.
    ///
    /// # Errors
    /// Its manifests are in a namespace that no drill touches, or a client can't be let in.
    pub(super) fn of(app: &Described, by_program: bool) -> Result<Self, String> {
        let mut namespaces = BTreeSet::from([app.namespace.clone()]);
        let (mut objects, mut cluster_wide) = (Vec::new(), Vec::new());
        for object in &app.manifests.objects {
            if is_left_out(object.kind()) {
                continue;
            }
            let Some(namespace) = object.namespace() else {
                if object.kind() == "Namespace" {
                    namespaces.insert(object.name().to_owned());
                } else {
                    cluster_wide.push(format!("{} {}", object.kind(), object.name()));
                }
                continue;
            };
            namespaces.insert(namespace.to_owned());
            let mut value = object.value.clone();
            label(&mut value);
            objects.push(value);
        }
        if let Some(name) = namespaces.iter().find(|it| is_not_to_touch(it)) {
            return Err(format!(
                "the manifests of `{}` name the namespace {name}, which belongs to the cluster or to the harness: \
                 write another one into them",
                app.name
            ));
        }
        objects.extend(rights(app));
        objects.extend(by_program.then(|| rights_of_programs(app)));
        let mut ways = Vec::new();
        for (at, client) in app.clients.iter().enumerate() {
            let way = way(app, client, at)?;
            ways.push(format!("{WAY}{at}"));
            objects.push(way);
        }
        Ok(Self {
            namespaces,
            objects,
            ways,
            cluster_wide,
        })
    }

    /// What is not created of what belongs to no namespace, in a sentence for people; `None`: there is nothing of it.
    pub(super) fn not_created(&self) -> Option<String> {
        (!self.cluster_wide.is_empty()).then(|| {
            format!(
                "does not create {}: a drill only touches the namespaces of the manifests",
                self.cluster_wide.join(", ")
            )
        })
    }
}

fn is_not_to_touch(namespace: &str) -> bool {
    NOT_TO_TOUCH.contains(&namespace)
}

/// A namespace of the application, where it is not there yet.
pub(super) fn namespace(name: &str) -> Value {
    let mut value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    label(&mut value);
    value
}

/// Labels the object itself; its pods are as the manifest has them.
fn label(object: &mut Value) {
    let metadata = &mut object["metadata"];
    if !metadata["labels"].is_object() {
        metadata["labels"] = Value::Object(Map::new());
    }
    metadata["labels"][OURS] = OUR_VALUE.into();
}

/// A Service of type NodePort with the selector of the one that `client` asks: its requests go straight to the node.
fn way(app: &Described, client: &Client, at: usize) -> Result<Value, String> {
    let object = app.front_of(client.to);
    let ports = object.map(|it| it.at(&["spec", "ports"]).clone());
    let ports = ports.as_ref().and_then(Value::as_array);
    let port = ports.and_then(|all| all.iter().find(|it| it["port"] == client.http.port));
    let (Some(object), Some(port)) = (object, port) else {
        return Err(format!(
            "the client `{}` can't be let in: the Service in front of `{}` has no port; add `spec.ports` to its \
             manifest",
            client.name,
            app.services
                .get(client.to)
                .map_or("", |it| it.name.as_str())
        ));
    };
    let target = match &port["targetPort"] {
        Value::Null => &port["port"],
        target => target,
    };
    let mut way = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("{WAY}{at}"), "namespace": app.namespace},
        "spec": {
            "type": "NodePort",
            "selector": object.at(&["spec", "selector"]),
            "ports": [{"name": "http", "port": port["port"], "targetPort": target, "protocol": "TCP"}],
        },
    });
    label(&mut way);
    Ok(way)
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

/// What the executor may do to the application and no more, as `deploy/rbac.yaml` has it for the exchange.
fn rights(app: &Described) -> [Value; 2] {
    let services: Vec<&str> = app.services.iter().map(|it| it.name.as_str()).collect();
    let mut maps = vec!["rollback-baseline", "rollback-journal"];
    let own = app.manifests.objects.iter();
    let own = own.filter(|it| it.kind() == "ConfigMap" && it.namespace() == Some(&app.namespace));
    maps.extend(own.map(|it| it.name()));
    let workloads = ["deployments", "statefulsets"];
    let named = |mut rule: Value, names: &[&str]| {
        rule["resourceNames"] = json!(names);
        rule
    };
    let metadata = ours(app, RIGHTS);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
        "rules": [
            rule("apps", &workloads, &["get", "list", "watch"]),
            named(rule("apps", &workloads, &["patch"]), &services),
            rule("apps", &["replicasets", "controllerrevisions"], &["get", "list"]),
            // A broken pod of a StatefulSet is deleted, since the rollout waits for it.
            rule("", &["pods"], &["get", "list", "watch", "delete"]),
            rule("", &["pods/eviction"], &["create"]),
            rule("", &["pods/log", "pods/proxy"], &["get"]),
            rule("", &["configmaps"], &["get", "list", "create"]),
            named(rule("", &["configmaps"], &["update", "patch"]), &maps),
            rule("coordination.k8s.io", &["leases"], &["create"]),
            named(rule("coordination.k8s.io", &["leases"], &["get", "update"]), &["rollback"]),
        ],
    });
    [role, binding(&metadata, ("Role", RIGHTS), ACCOUNT)]
}

/// What a program may do to the application: what people who deploy to its namespace usually may, as
/// `deploy/program.yaml` has it for the exchange.
fn rights_of_programs(app: &Described) -> Value {
    let metadata = ours(app, PROGRAMS_RIGHTS);
    binding(&metadata, ("ClusterRole", "edit"), PROGRAMS_ACCOUNT)
}

/// The metadata of an object called `name` in the application's namespace.
fn ours(app: &Described, name: &str) -> Value {
    json!({"name": name, "namespace": app.namespace, "labels": {(OURS): OUR_VALUE}})
}

/// A binding of a role, by its kind and name, to an account in the harness's own namespace.
fn binding(metadata: &Value, (kind, role): (&str, &str), account: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sim_services::describe::{Bundle, File, sample};

    use super::{NOT_TO_TOUCH, OUR_VALUE, OURS, Plan};
    use crate::scenario::Described;

    fn with(manifest: &str) -> Bundle {
        let mut bundle = sample(2, 1, 200);
        bundle.manifests.push(File {
            path: "k8s/more.yaml".to_owned(),
            text: manifest.to_owned(),
        });
        bundle
    }

    fn app(bundle: Bundle) -> Described {
        bundle.app().expect("the description is right").into()
    }

    fn find<'a>(plan: &'a Plan, kind: &str, name: &str) -> &'a Value {
        let mut objects = plan.objects.iter();
        let found = objects.find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("{kind} {name} in {plan:?}"))
    }

    #[test]
    fn everything_is_in_a_namespace_of_the_manifests_and_labelled() {
        let app = app(with(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: wide}\nrules: []\n---\n\
             apiVersion: batch/v1\nkind: Job\nmetadata: {name: once, namespace: sample}\n\
             spec: {template: {spec: {restartPolicy: Never, containers: [{name: once, image: once}]}}}\n---\n\
             apiVersion: v1\nkind: Namespace\nmetadata: {name: sample}\n",
        ));
        let plan = Plan::of(&app, false).expect("it can be drilled");
        assert_eq!(plan.namespaces.iter().collect::<Vec<_>>(), ["sample"]);
        for object in &plan.objects {
            assert_eq!(object["metadata"]["namespace"], "sample", "{object}");
            assert_eq!(object["metadata"]["labels"][OURS], OUR_VALUE, "{object}");
            assert!(object["kind"] != "Job" && object["kind"] != "Namespace");
        }
        let pods = &find(&plan, "Deployment", "s0")["spec"]["template"];
        assert_eq!(pods["metadata"]["labels"], json!({"app": "s0"}));
        let said = plan.not_created().expect("something is not created");
        assert!(said.contains("ClusterRole wide"), "{said}");
    }

    #[test]
    fn clients_come_in_by_a_service_of_their_own_with_the_same_pods_and_port() {
        let plan = Plan::of(&app(sample(2, 1, 200)), false).expect("it can be drilled");
        assert_eq!(plan.ways, ["firedrill-client-0"]);
        let spec = &find(&plan, "Service", "firedrill-client-0")["spec"];
        assert_eq!(spec["type"], "NodePort");
        assert_eq!(spec["selector"], json!({"app": "s0"}));
        let port = json!([{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]);
        assert_eq!(spec["ports"], port);
    }

    #[test]
    fn the_executor_may_patch_the_services_and_nothing_else() {
        let plan = Plan::of(&app(sample(2, 1, 200)), false).expect("it can be drilled");
        let role = find(&plan, "Role", "firedrill-rollback-executor");
        let rules = role["rules"].as_array().expect("rules");
        let patching: Vec<&Value> = rules
            .iter()
            .filter(|it| {
                it["verbs"]
                    .as_array()
                    .is_some_and(|all| all.contains(&json!("patch")))
            })
            .map(|it| &it["resourceNames"])
            .collect();
        assert_eq!(patching[0], &json!(["s0", "s1"]));
        assert!(patching.iter().all(|it| it.is_array()), "{patching:?}");
        let binding = find(&plan, "RoleBinding", "firedrill-rollback-executor");
        assert_eq!(binding["subjects"][0]["namespace"], "dex-production");
    }

    #[test]
    fn a_program_gets_an_account_with_the_usual_rights_only_where_there_is_one() {
        let app = app(sample(2, 1, 200));
        let plan = Plan::of(&app, true).expect("it can be drilled");
        let binding = find(&plan, "RoleBinding", "firedrill-drilled-program");
        assert_eq!(binding["metadata"]["namespace"], "sample");
        assert_eq!(binding["roleRef"]["name"], "edit");
        assert_eq!(binding["subjects"][0]["name"], "drilled-program");
        let none = Plan::of(&app, false).expect("it can be drilled");
        assert_eq!(none.objects.len() + 1, plan.objects.len());
        let manifest = include_str!("../../../../../deploy/program.yaml");
        assert!(manifest.contains("name: drilled-program") && manifest.contains("name: edit"));
    }

    #[test]
    fn the_namespaces_of_the_cluster_and_of_the_harness_are_refused() {
        for name in NOT_TO_TOUCH {
            let mut bundle = sample(1, 1, 200);
            for file in &mut bundle.manifests {
                file.text = file
                    .text
                    .replace("namespace: sample", &format!("namespace: {name}"));
            }
            let refused = Plan::of(&app(bundle), false).expect_err(name);
            assert!(refused.contains(&format!("namespace {name}")), "{refused}");
        }
    }
}
