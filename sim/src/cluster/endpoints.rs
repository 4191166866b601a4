//! EndpointSlices, kube-proxy and the delivery of ConfigMaps: how changes reach the traffic.
//!
//! A pod that is being deleted is taken out of its slice while it receives SIGTERM: nothing orders the two.

use std::collections::BTreeMap;

use super::api::status::ApiError;
use super::due_items::Item;
use super::kinds::Kind;
use super::machine::Cluster;
use super::notify::selects;
use super::objects::Part;
use super::store::Ref;
use super::value::{
    self, at, condition_true, flag, int, items, members, name, namespace, set, split_key, text, uid,
};
use crate::cluster::json::{Value, json};
use crate::time::Micros;
use crate::workload::Workload;

/// Label that names a slice's Service.
const SERVICE: &str = "kubernetes.io/service-name";
/// Most endpoints in one slice.
const SLICE_MAX: usize = 100;

/// What kube-proxy has programmed.
#[derive(Debug, Default)]
pub(crate) struct ProxyState {
    /// Service key → pod UIDs.
    routes: BTreeMap<String, Vec<String>>,
    waiting: bool,
    last_run: Option<Micros>,
}

impl Cluster {
    pub(crate) fn sync_endpoints(&mut self, key: &str) -> Result<(), ApiError> {
        let (ns, service_name) = split_key(key);
        let slice = self
            .store
            .list(Kind::EndpointSlice, Some(ns))
            .find(|(_, s)| value::label(&s.value, SERVICE) == service_name)
            .map(|(k, s)| (k.clone(), s.clone()));
        let Some(service) = self.get(Kind::Service, key) else {
            return Ok(());
        };
        if at(&service.value, &["spec", "selector"]).is_none() {
            return Ok(());
        }
        let mut pods: Vec<Ref> = self
            .store
            .list(Kind::Pod, Some(ns))
            .filter(|(_, p)| {
                selects(&service.value, &p.value)
                    && !text(&p.value, &["status", "podIP"]).is_empty()
                    && !value::is_ended(&p.value)
            })
            .map(|(_, p)| p.clone())
            .collect();
        pods.sort_by_key(|p| p.seq);
        pods.truncate(SLICE_MAX);
        let publish = flag(&service.value, &["spec", "publishNotReadyAddresses"]);
        let endpoints: Vec<Value> = pods.iter().map(|p| endpoint(&p.value, publish)).collect();
        let ports = ports(&service.value, pods.first().map(|p| &p.value));
        match slice {
            Some((slice_key, slice)) => {
                let mut object = slice.value.clone();
                set(&mut object, &["endpoints"], endpoints);
                set(&mut object, &["ports"], ports);
                self.update(Kind::EndpointSlice, &slice_key, object, Part::Main)?;
            }
            None => {
                let object = json!({
                    "metadata": {
                        "generateName": format!("{service_name}-"),
                        "labels": {
                            SERVICE: service_name,
                            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                        },
                        "ownerReferences": [{
                            "apiVersion": "v1", "kind": "Service", "name": service_name,
                            "uid": uid(&service.value), "controller": true, "blockOwnerDeletion": true,
                        }],
                    },
                    "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
                });
                self.create(Kind::EndpointSlice, ns, object)?;
            }
        }
        Ok(())
    }

    /// A slice has changed: kube-proxy runs, at most once each `proxy_min_sync`.
    pub(crate) fn proxy_wake(&mut self) {
        if self.proxy.waiting {
            return;
        }
        self.proxy.waiting = true;
        let seen = self.now + self.timings.proxy.draw(&mut self.rng.proxy);
        let earliest = self
            .proxy
            .last_run
            .map_or(Micros::ZERO, |last| last + self.timings.proxy_min_sync);
        self.event_queue.push(seen.max(earliest), Item::Proxy);
    }

    /// Programs all Services; tells the workload about those that changed.
    pub(crate) fn proxy_run(&mut self, workload: &mut dyn Workload) {
        self.proxy.waiting = false;
        self.proxy.last_run = Some(self.now);
        let mut routes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, slice) in self.store.list(Kind::EndpointSlice, None) {
            let service = value::key(namespace(&slice.value), value::label(&slice.value, SERVICE));
            routes
                .entry(service)
                .or_default()
                .extend(routable(&slice.value));
        }
        let gone: Vec<String> = self
            .proxy
            .routes
            .keys()
            .filter(|k| !routes.contains_key(*k))
            .cloned()
            .collect();
        for key in gone {
            routes.insert(key, Vec::new());
        }
        for (key, uids) in &routes {
            if self.proxy.routes.get(key) != Some(uids) {
                workload.route(self.now, split_key(key).1, uids);
            }
        }
        self.proxy.routes = routes;
    }

    /// A ConfigMap's content reaches the pods that watch it.
    pub(crate) fn deliver_config(&mut self, key: &str, workload: &mut dyn Workload) {
        let data: BTreeMap<String, String> = self
            .get(Kind::ConfigMap, key)
            .iter()
            .flat_map(|c| members(&c.value, &["data"]))
            .map(|(k, v)| (k.to_owned(), v.as_str().unwrap_or("").to_owned()))
            .collect();
        workload.config(self.now, split_key(key).1, &data);
    }
}

fn endpoint(pod: &Value, publish_not_ready: bool) -> Value {
    let terminating = value::deleting(pod);
    let serving = condition_true(pod, "Ready");
    json!({
        "addresses": [text(pod, &["status", "podIP"])],
        "conditions": {
            "ready": publish_not_ready || (serving && !terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "nodeName": text(pod, &["spec", "nodeName"]),
        "targetRef": {
            "kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod),
        },
    })
}

fn ports(service: &Value, pod: Option<&Value>) -> Vec<Value> {
    items(service, &["spec", "ports"])
        .iter()
        .map(|p| {
            let named = p.get("targetPort").and_then(Value::as_str);
            let number = match named {
                Some(wanted) => pod
                    .into_iter()
                    .flat_map(value::lasting_containers)
                    .flat_map(|c| items(c, &["ports"]))
                    .find(|c| text(c, &["name"]) == wanted)
                    .and_then(|c| int(c, &["containerPort"])),
                None => int(p, &["targetPort"]).or_else(|| int(p, &["port"])),
            };
            json!({"name": text(p, &["name"]), "port": number, "protocol": text(p, &["protocol"])})
        })
        .collect()
}

/// UIDs of the ready endpoints; if there are none, of those that serve while terminating.
fn routable(slice: &Value) -> Vec<String> {
    let of = |wanted: &dyn Fn(&Value) -> bool| -> Vec<String> {
        items(slice, &["endpoints"])
            .iter()
            .filter(|e| wanted(e))
            .map(|e| text(e, &["targetRef", "uid"]).to_owned())
            .collect()
    };
    let ready = of(&|e| flag(e, &["conditions", "ready"]));
    if ready.is_empty() {
        of(&|e| flag(e, &["conditions", "serving"]) && flag(e, &["conditions", "terminating"]))
    } else {
        ready
    }
}
