//! The application in the cluster: applied, waited for, and cleared away.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::discovery::pinned_kind;
use serde_json::{Value, json};
use sim_services::manifests::WorkloadKind;

use super::super::clock::sleep;
use super::super::objects::{gone, without_image};
use super::plan::{self, OUR_VALUE, OURS, Plan};
use crate::scenario::Described;

/// How long the application may take to come up, and a namespace to go.
const PATIENCE_S: u32 = 240;
/// What the executor makes besides its Lease, which has the name `rollback`.
const EXECUTORS: [&str; 2] = ["rollback-baseline", "rollback-journal"];
const LEASE: &str = "rollback";

/// Where the application is created.
pub(super) struct Ground {
    pub(super) client: kube::Client,
    pub(super) plan: Plan,
    /// How to ask for objects of each kind of the plan, by API version and kind.
    kinds: BTreeMap<(String, String), ApiResource>,
}

fn ours() -> ListParams {
    ListParams::default().labels(&format!("{OURS}={OUR_VALUE}"))
}

fn is_ours(labels: &BTreeMap<String, String>) -> bool {
    labels.get(OURS).is_some_and(|it| it == OUR_VALUE)
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> String {
    format!("{what}: {error}")
}

/// Kind and name of an object of the plan, for messages.
fn called(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let (kind, name) = (text(&object["kind"]), text(&metadata["name"]));
    format!("{kind} {name} in {}", text(&metadata["namespace"]))
}

impl Ground {
    /// Looks at the cluster, and changes nothing yet.
    ///
    /// # Errors
    /// The cluster has no objects of a kind of the plan.
    pub(super) async fn survey(client: kube::Client, plan: Plan) -> Result<Self, String> {
        let mut kinds = BTreeMap::new();
        for object in &plan.objects {
            let key = key(object);
            if kinds.contains_key(&key) {
                continue;
            }
            let (group, version) = key.0.split_once('/').unwrap_or(("", &key.0));
            let kind = GroupVersionKind::gvk(group, version, &key.1);
            let found = pinned_kind(&client, &kind).await;
            let (resource, _) = found.map_err(|error| {
                let what = called(object);
                format!(
                    "the cluster knows no kind {} of {}, which {what} is: {error}",
                    key.1, key.0
                )
            })?;
            kinds.insert(key, resource);
        }
        Ok(Self {
            client,
            plan,
            kinds,
        })
    }

    fn api(&self, object: &Value) -> Option<Api<DynamicObject>> {
        let resource = self.kinds.get(&key(object))?;
        let namespace = object["metadata"]["namespace"].as_str()?;
        let client = self.client.clone();
        Some(Api::namespaced_with(client, namespace, resource))
    }

    /// The objects of the plan, each with the way to it and its name.
    fn objects(&self) -> impl DoubleEndedIterator<Item = (&Value, Api<DynamicObject>, &str)> {
        let objects = self.plan.objects.iter();
        objects.filter_map(|it| Some((it, self.api(it)?, it["metadata"]["name"].as_str()?)))
    }

    /// Creates the namespaces that are not there yet, and everything in them.
    ///
    /// # Errors
    /// An object is there already and is not the harness's: then nothing was touched. The API server refuses one.
    pub(super) async fn create(&self) -> Result<(), String> {
        for (object, api, name) in self.objects() {
            let found = api.get_opt(name).await;
            let found = found.map_err(|error| failed(&called(object), &error))?;
            if found.is_some_and(|it| !is_ours(it.labels())) {
                return Err(format!(
                    "{} is there already, and no drill has made it: delete it, or drill on another cluster",
                    called(object)
                ));
            }
        }
        let params = PatchParams::apply("firedrill").force();
        let namespaces = Api::<Namespace>::all(self.client.clone());
        for name in &self.plan.namespaces {
            let found = namespaces.get_opt(name).await;
            if found.map_err(|error| failed(name, &error))?.is_none() {
                let patch = Patch::Apply(plan::namespace(name));
                let made = namespaces.patch(name, &params, &patch).await;
                made.map_err(|error| failed(&format!("namespace {name}"), &error))?;
            }
        }
        for (object, api, name) in self.objects() {
            let applied = api.patch(name, &params, &Patch::Apply(object)).await;
            applied.map_err(|error| failed(&format!("apply {}", called(object)), &error))?;
        }
        Ok(())
    }

    /// Waits until every Deployment and StatefulSet of `app` has rolled out; not for an image that can't be had.
    ///
    /// # Errors
    /// It does not, and why.
    pub(super) async fn ready(&self, app: &Described) -> Result<(), String> {
        let (client, namespace) = (&self.client, app.namespace.as_str());
        let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
        let stateful_sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        let mut waiting = Vec::new();
        for _ in 0..PATIENCE_S * 2 {
            waiting.clear();
            for service in &app.services {
                let name = service.name.as_str();
                let found = match service.kind {
                    WorkloadKind::Deployment => deployments.get(name).await.map(|it| json!(it)),
                    WorkloadKind::StatefulSet => stateful_sets.get(name).await.map(|it| json!(it)),
                };
                if !has_rolled_out(&found.map_err(|error| failed(name, &error))?) {
                    waiting.push(name);
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            let list = pods.list(&ListParams::default()).await;
            let list = list.map_err(|error| failed("list pods", &error))?;
            if let Some(complaint) = list.items.iter().find_map(without_image) {
                return Err(format!(
                    "{complaint}; load the image into the cluster (`kind load docker-image`), or let the manifest \
                     name one that the cluster can pull"
                ));
            }
            sleep(Duration::from_millis(500)).await;
        }
        let waiting = waiting.join(", ");
        Err(format!("not rolled out within {PATIENCE_S} s: {waiting}"))
    }

    /// The port of the node at which each client comes in, in the order of the clients.
    ///
    /// # Errors
    /// The cluster has given none.
    pub(super) async fn node_ports(&self, namespace: &str) -> Result<Vec<u16>, String> {
        let services = Api::<Service>::namespaced(self.client.clone(), namespace);
        let mut ports = Vec::new();
        for way in &self.plan.ways {
            let service = services.get(way).await;
            let service = json!(service.map_err(|error| failed(way, &error))?);
            let port = service["spec"]["ports"][0]["nodePort"].as_u64();
            let port = port.and_then(|it| u16::try_from(it).ok());
            ports.push(
                port.ok_or_else(|| format!("{way}: the cluster gave it no port of the node"))?,
            );
        }
        Ok(ports)
    }

    /// Removes everything that drills of described applications have made in the cluster, and waits until it is gone:
    /// whole namespaces where a drill made them, else single objects.
    ///
    /// # Errors
    /// Something does not go.
    pub(super) async fn clear(&self) -> Result<(), String> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let list = || async {
            let list = namespaces.list(&ours()).await;
            list.map_err(|error| failed("list namespaces", &error))
        };
        let made: Vec<String> = list().await?.iter().map(|it| it.name_any()).collect();
        for (_, api, name) in self.objects().rev() {
            if api
                .get_opt(name)
                .await
                .is_ok_and(|it| it.is_some_and(|it| is_ours(it.labels())))
            {
                gone(api.delete(name, &DeleteParams::background()).await)?;
            }
        }
        let others = self.plan.namespaces.iter().filter(|it| !made.contains(it));
        for namespace in others {
            self.forget(namespace).await?;
        }
        for name in &made {
            gone(namespaces.delete(name, &DeleteParams::background()).await)?;
        }
        for _ in 0..PATIENCE_S * 2 {
            let left = list().await?;
            if left.items.is_empty() {
                return Ok(());
            }
            for namespace in &left.items {
                // Nothing that its pods do matters any more.
                let pods = Api::<Pod>::namespaced(self.client.clone(), &namespace.name_any());
                let now = DeleteParams::default().grace_period(0);
                gone(pods.delete_collection(&now, &ListParams::default()).await)?;
            }
            sleep(Duration::from_millis(500)).await;
        }
        Err("the namespaces of the last drill do not go".to_owned())
    }

    /// Removes what the executor has made in a namespace that was there before.
    async fn forget(&self, namespace: &str) -> Result<(), String> {
        let params = DeleteParams::default();
        let maps = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
        for name in EXECUTORS {
            gone(maps.delete(name, &params).await)?;
        }
        let leases = Api::<Lease>::namespaced(self.client.clone(), namespace);
        gone(leases.delete(LEASE, &params).await)
    }
}

fn key(object: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["apiVersion"]), text(&object["kind"]))
}

/// Whether every pod that a Deployment or a StatefulSet asks for is of its template and ready, and there is no other.
fn has_rolled_out(workload: &Value) -> bool {
    let (spec, status) = (&workload["spec"], &workload["status"]);
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let wanted = spec["replicas"].as_u64().unwrap_or(1);
    let all = ["replicas", "updatedReplicas", "readyReplicas"];
    let generation = &workload["metadata"]["generation"];
    generation.is_u64()
        && status["observedGeneration"] == *generation
        && all.iter().all(|field| count(&status[field]) == wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{called, has_rolled_out};

    #[test]
    fn a_workload_has_rolled_out_once_all_pods_are_new_and_ready() {
        let workload = |observed: u64, updated: u64, ready: u64, replicas: u64| {
            json!({
                "metadata": {"generation": 2}, "spec": {"replicas": 2},
                "status": {
                    "observedGeneration": observed, "updatedReplicas": updated, "readyReplicas": ready,
                    "replicas": replicas,
                },
            })
        };
        assert!(has_rolled_out(&workload(2, 2, 2, 2)));
        assert!(!has_rolled_out(&workload(1, 2, 2, 2)));
        assert!(!has_rolled_out(&workload(2, 1, 2, 2)));
        assert!(!has_rolled_out(&workload(2, 2, 1, 2)));
        assert!(!has_rolled_out(&workload(2, 2, 2, 3)));
        assert!(!has_rolled_out(&json!({"spec": {"replicas": 0}})));
        let none = json!({
            "metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1},
        });
        assert!(has_rolled_out(&none));
    }

    #[test]
    fn an_object_is_called_by_kind_name_and_namespace() {
        let object = json!({"kind": "Service", "metadata": {"name": "a", "namespace": "b"}});
        assert_eq!(called(&object), "Service a in b");
    }
}
