//! Defaults that the API server writes into objects (`pkg/apis/*/v1/defaults.go`).

use super::{kind_defaults, quantity};
use crate::cluster::json::{Map, Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, items, set, text};

pub(super) fn member<'a>(v: &'a mut Value, path: &[&str]) -> Option<&'a mut Map> {
    path.iter()
        .try_fold(v, |v, step| v.get_mut(step))?
        .as_object_mut()
}

pub(super) fn default_to(m: &mut Map, key: &str, value: impl Into<Value>) {
    if m.get(key).is_none_or(Value::is_null) {
        m.insert(key, value.into());
    }
}

/// Makes what stands at each of these paths, one in the other, an object, as a struct that Go holds by value is always
/// there.
fn structs(object: &mut Value, path: &[&str]) {
    for length in 1..=path.len() {
        let (holder, name) = (&path[..length - 1], path[length - 1]);
        if let Some(holder) = member(object, holder) {
            default_to(holder, name, json!({}));
        }
    }
}

/// Fills in the defaults of a kind.
pub(crate) fn apply(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet | Kind::Job => {
            structs(object, &["spec", "template", "spec"]);
        }
        Kind::Service | Kind::HorizontalPodAutoscaler | Kind::PodDisruptionBudget => {
            structs(object, &["spec"]);
        }
        _ => {}
    }
    match kind {
        Kind::Deployment => deployment(object),
        Kind::ReplicaSet => replica_set(object),
        Kind::Pod => pod(object),
        Kind::Service => service(object),
        Kind::Namespace => {
            set(object, &["status", "phase"], "Active");
            // `SetDefaults_Namespace`
            let name = text(object, &["metadata", "name"]).to_owned();
            set(
                object,
                &["metadata", "labels", "kubernetes.io/metadata.name"],
                name,
            );
            if let Some(spec) = object.as_object_mut() {
                default_to(spec, "spec", json!({"finalizers": ["kubernetes"]}));
            }
        }
        _ => kind_defaults::apply(kind, object),
    }
}

fn deployment(object: &mut Value) {
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "replicas", 1);
        default_to(spec, "revisionHistoryLimit", 10);
        default_to(spec, "progressDeadlineSeconds", 600);
        default_to(spec, "strategy", json!({}));
    }
    if let Some(strategy) = member(object, &["spec", "strategy"]) {
        default_to(strategy, "type", "RollingUpdate");
        if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
            default_to(strategy, "rollingUpdate", json!({}));
        }
    }
    if let Some(rolling) = member(object, &["spec", "strategy", "rollingUpdate"]) {
        default_to(rolling, "maxSurge", "25%");
        default_to(rolling, "maxUnavailable", "25%");
    }
    if let Some(template) = member(object, &["spec", "template", "spec"]) {
        pod_spec(template);
    }
}

fn replica_set(object: &mut Value) {
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "replicas", 1);
    }
    if let Some(template) = member(object, &["spec", "template", "spec"]) {
        pod_spec(template);
    }
}

fn pod(object: &mut Value) {
    if text(object, &["status", "phase"]).is_empty() {
        set(object, &["status", "phase"], "Pending");
    }
    if let Some(spec) = member(object, &["spec"]) {
        pod_spec(spec);
        host_ports(spec);
        requests(spec);
        default_to(spec, "serviceAccountName", "default");
        // The older name of the same (`pkg/apis/core/v1/conversion.go` Convert_core_PodSpec_To_v1_PodSpec).
        let account = spec.get("serviceAccountName").cloned().unwrap_or_default();
        spec.insert("serviceAccount", account);
        default_to(spec, "enableServiceLinks", true);
        default_to(spec, "preemptionPolicy", "PreemptLowerPriority");
        default_to(spec, "priority", 0);
        default_to(
            spec,
            "tolerations",
            json!([
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ]),
        );
    }
    if text(object, &["status", "qosClass"]).is_empty() {
        let class = quality(object);
        set(object, &["status", "qosClass"], class);
    }
}

/// A container asks for what it is limited to, where it does not say (`SetDefaults_Pod`).
fn requests(spec: &mut Map) {
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let limits = at(container, &["resources", "limits"]).cloned();
            for (resource, amount) in limits.iter().flat_map(Value::members) {
                let path = ["resources", "requests", resource];
                if at(container, &path).is_none() {
                    set(container, &path, amount.clone());
                }
            }
        }
    }
}

/// The class of a pod by what its containers request and are limited to (`pkg/apis/core/v1/helper/qos/qos.go`
/// ComputePodQOS).
fn quality(pod: &Value) -> &'static str {
    const COUNT: [&str; 2] = ["cpu", "memory"];
    let amount = |container: &Value, of: &str, resource: &str| {
        let amount = text(container, &["resources", of, resource]);
        quantity::nanos(amount).filter(|it| *it > 0)
    };
    let (mut some, mut all) = (false, true);
    for container in ["containers", "initContainers"]
        .iter()
        .flat_map(|list| items(pod, &["spec", list]))
    {
        for resource in COUNT {
            let request = amount(container, "requests", resource);
            let limit = amount(container, "limits", resource);
            some |= request.is_some() || limit.is_some();
            all &= limit.is_some() && request == limit;
        }
    }
    match (some, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// On the network of its node, a pod takes the node's port of the same number (`defaultHostNetworkPorts`).
fn host_ports(spec: &mut Map) {
    if spec.get("hostNetwork").and_then(Value::as_bool) != Some(true) {
        return;
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        let containers = containers.into_iter().flatten();
        for port in containers.filter_map(Value::as_object_mut).flat_map(ports) {
            let number = port.get("containerPort").cloned().unwrap_or_default();
            if port.get("hostPort").is_none_or(|it| *it == 0) && number != 0 {
                port.insert("hostPort", number);
            }
        }
    }
}

pub(super) fn pod_spec(spec: &mut Map) {
    default_to(spec, "restartPolicy", "Always");
    default_to(spec, "terminationGracePeriodSeconds", 30);
    default_to(spec, "dnsPolicy", "ClusterFirst");
    default_to(spec, "schedulerName", "default-scheduler");
    default_to(spec, "securityContext", json!({}));
    let volumes = spec.get_mut("volumes").and_then(Value::as_array_mut);
    for volume in volumes.into_iter().flatten() {
        // A volume that has a name alone (`SetDefaults_Volume`).
        if let Some(volume) = volume.as_object_mut()
            && volume.iter().all(|(key, _)| key == "name")
        {
            volume.insert("emptyDir", json!({}));
        }
    }
    for list in ["containers", "initContainers"] {
        for c in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(c) = c.as_object_mut() {
                container(c);
            }
        }
    }
}

fn container(c: &mut Map) {
    let image = c.get("image").and_then(Value::as_str).unwrap_or("");
    let tag = image
        .rsplit('/')
        .next()
        .and_then(|last| last.split_once(':'));
    let latest = !image.contains('@') && tag.is_none_or(|(_, tag)| tag == "latest");
    default_to(
        c,
        "imagePullPolicy",
        if latest { "Always" } else { "IfNotPresent" },
    );
    default_to(c, "terminationMessagePath", "/dev/termination-log");
    default_to(c, "terminationMessagePolicy", "File");
    default_to(c, "resources", json!({}));
    for port in ports(c) {
        default_to(port, "protocol", "TCP");
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = c.get_mut(probe).and_then(Value::as_object_mut) {
            default_to(probe, "timeoutSeconds", 1);
            default_to(probe, "periodSeconds", 10);
            default_to(probe, "successThreshold", 1);
            default_to(probe, "failureThreshold", 3);
            http_get(probe);
        }
    }
    let lifecycle = c.get_mut("lifecycle").and_then(Value::as_object_mut);
    if let Some(lifecycle) = lifecycle {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = lifecycle.get_mut(hook).and_then(Value::as_object_mut) {
                http_get(hook);
            }
        }
    }
}

/// The ports of a container, or of a Service's `spec`.
pub(super) fn ports(of: &mut Map) -> impl Iterator<Item = &mut Map> {
    let ports = of.get_mut("ports").and_then(Value::as_array_mut);
    let ports = ports.into_iter().flatten();
    ports.filter_map(Value::as_object_mut)
}

fn http_get(of: &mut Map) {
    if let Some(get) = of.get_mut("httpGet").and_then(Value::as_object_mut) {
        default_to(get, "path", "/");
        default_to(get, "scheme", "HTTP");
    }
}

fn service(object: &mut Value) {
    structs(object, &["status", "loadBalancer"]);
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "type", "ClusterIP");
        default_to(spec, "sessionAffinity", "None");
        let three_hours = json!({"clientIP": {"timeoutSeconds": 10800}});
        match spec.get("sessionAffinity").and_then(Value::as_str) {
            Some("None") => {
                spec.remove("sessionAffinityConfig");
            }
            Some("ClientIP") => default_to(spec, "sessionAffinityConfig", three_hours),
            _ => {}
        }
        let of_type = spec.get("type").and_then(Value::as_str).unwrap_or("");
        let balanced = of_type == "LoadBalancer";
        let outside = spec.get("externalIPs").and_then(Value::as_array);
        let from_outside = balanced
            || of_type == "NodePort"
            || of_type == "ClusterIP" && outside.is_some_and(|it| !it.is_empty());
        if of_type != "ExternalName" {
            default_to(spec, "internalTrafficPolicy", "Cluster");
            default_to(spec, "ipFamilyPolicy", "SingleStack");
            default_to(spec, "ipFamilies", json!(["IPv4"]));
        }
        if from_outside {
            default_to(spec, "externalTrafficPolicy", "Cluster");
        }
        if balanced {
            default_to(spec, "allocateLoadBalancerNodePorts", true);
        }
        for port in ports(spec) {
            default_to(port, "protocol", "TCP");
            let number = port.get("port").cloned().unwrap_or(Value::Null);
            // A zero is a target that was not given (`SetDefaults_Service`).
            let target = port.get("targetPort").cloned().unwrap_or_default();
            if target == Value::Null || target == 0 || target == "" {
                port.insert("targetPort", number);
            }
        }
    }
}
