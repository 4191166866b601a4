//! The API server: canonical objects, defaults, validation, and what it answers to unusual requests.

use super::lab::{Lab, NS, apps, core, deployment};
use crate::cluster::Kind;
use crate::cluster::json::{Value, json};
use crate::cluster::value::set;
use crate::time::Micros;

type Change = (&'static str, Value);

fn patched(lab: &mut Lab, patch: &Value) -> (u16, Value) {
    let media = "application/strategic-merge-patch+json";
    lab.call("PATCH", &apps("deployments/risk"), media, patch)
}

/// What changes no value is no write: quantities are canonical, and Go's encoder leaves zeros out (`omitempty`).
#[test]
fn a_value_has_one_form() {
    let mut lab = Lab::new(3);
    let mut d = deployment("risk", 1, "dex/risk:1");
    let container = &mut d["spec"]["template"]["spec"]["containers"][0];
    container["resources"] = json!({"limits": {"cpu": "1", "memory": "1Gi"}});
    container["env"] = json!([{"name": "EMPTY"}]);
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    lab.run_secs(5);
    let of_container = |change: Value| {
        let mut container = change;
        container["name"] = "risk".into();
        json!({"spec": {"template": {"spec": {"containers": [container]}}}})
    };
    let of_pod = |change: Value| json!({"spec": {"template": {"spec": change}}});
    let changes: Vec<Change> = vec![
        (
            "cpu",
            of_container(json!({"resources": {"limits": {"cpu": "1000m"}}})),
        ),
        (
            "cpu as a number",
            of_container(json!({"resources": {"limits": {"cpu": 1}}})),
        ),
        (
            "memory",
            of_container(json!({"resources": {"limits": {"memory": "1024Mi"}}})),
        ),
        (
            "no requests",
            of_container(json!({"resources": {"requests": {}}})),
        ),
        (
            "env",
            of_container(json!({"env": [{"name": "EMPTY", "value": ""}]})),
        ),
        ("tty", of_container(json!({"tty": false, "stdin": false}))),
        ("workingDir", of_container(json!({"workingDir": ""}))),
        ("no args", of_container(json!({"args": [], "command": []}))),
        (
            "delay",
            of_container(json!({"readinessProbe": {"initialDelaySeconds": 0}})),
        ),
        (
            "hostNetwork",
            of_pod(json!({"hostNetwork": false, "hostPID": false})),
        ),
        (
            "names",
            of_pod(json!({"hostname": "", "subdomain": "", "nodeName": ""})),
        ),
        (
            "no selector",
            of_pod(json!({"nodeSelector": {}, "volumes": []})),
        ),
        ("paused", json!({"spec": {"paused": false}})),
        ("minReadySeconds", json!({"spec": {"minReadySeconds": 0}})),
        (
            "no annotations",
            json!({"spec": {"template": {"metadata": {"annotations": {}}}}}),
        ),
    ];
    let before = lab.cluster.resource_version();
    for (what, change) in changes {
        let (status, body) = patched(&mut lab, &change);
        assert_eq!(status, 200, "{what}: {body}");
        assert_eq!(lab.cluster.resource_version(), before, "{what} is written");
    }
    // A pointer's zero is a value, and so is another quantity.
    for change in [
        of_pod(json!({"automountServiceAccountToken": false})),
        of_pod(json!({"terminationGracePeriodSeconds": 0})),
        of_container(json!({"resources": {"limits": {"cpu": "1001m"}}})),
    ] {
        let before = lab.cluster.resource_version();
        assert_eq!(patched(&mut lab, &change).0, 200);
        assert!(lab.cluster.resource_version() > before, "{change}");
    }
    let empty = of_container(json!({"resources": {"limits": {"cpu": "much"}}}));
    let (status, body) = patched(&mut lab, &empty);
    assert_eq!(status, 422, "{body}");
}

/// `pkg/apis/apps/v1/defaults.go`, `pkg/apis/core/v1/defaults.go`.
#[test]
fn a_bare_deployment_gets_its_defaults() {
    let mut lab = Lab::new(3);
    let bare = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "risk"},
        "spec": {
            "selector": {"matchLabels": {"app": "risk"}},
            "template": {
                "metadata": {"labels": {"app": "risk"}},
                "spec": {"containers": [
                    {"name": "a", "image": "risk:1", "livenessProbe": {"httpGet": {"port": 80}}},
                    {"name": "b", "image": "risk"},
                    {"name": "c", "image": "host:5000/risk:latest"},
                    {"name": "d", "image": "risk@sha256:0"},
                ]},
            },
        },
    });
    let d = lab.post(&apps("deployments"), &bare);
    let spec = &d["spec"];
    let rolling = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
    for (field, value) in [
        ("replicas", json!(1)),
        ("revisionHistoryLimit", json!(10)),
        ("progressDeadlineSeconds", json!(600)),
        (
            "strategy",
            json!({"type": "RollingUpdate", "rollingUpdate": rolling}),
        ),
    ] {
        assert_eq!(spec[field], value, "{field}");
    }
    let pod = &spec["template"]["spec"];
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
    ] {
        assert_eq!(pod[field], value, "{field}");
    }
    let policy = |i: usize| pod["containers"][i]["imagePullPolicy"].clone();
    assert_eq!(
        [policy(0), policy(1), policy(2), policy(3)],
        ["IfNotPresent", "Always", "Always", "IfNotPresent"].map(Value::from)
    );
    let first = &pod["containers"][0];
    assert_eq!(first["terminationMessagePath"], "/dev/termination-log");
    assert_eq!(first["terminationMessagePolicy"], "File");
    let probe = &first["livenessProbe"];
    for (field, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        assert_eq!(probe[field], value, "{field}");
    }
    lab.run_secs(2);
    let tolerations = lab.pods()[0]["spec"]["tolerations"].clone();
    let of = |key: &str| json!({"key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    assert_eq!(tolerations, json!([of("not-ready"), of("unreachable")]));
}

/// Each change by itself, with the field and the text of its cause (`pkg/apis/apps/validation/validation.go`,
/// `pkg/apis/core/validation/validation.go`).
#[test]
fn what_a_server_refuses_is_refused() {
    const CONTAINER: &str = "spec.template.spec.containers";
    let long = "x".repeat(64);
    let twice = json!([{"name": "risk", "image": "a:1"}, {"name": "risk", "image": "b:1"}]);
    let both = json!([{"name": "risk", "image": "a:1", "env": [
        {"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]}]);
    let rolling_field = |field: &str| format!("spec.strategy.rollingUpdate.{field}");
    let strategy = |field: &str, value: Value| {
        let mut strategy = json!({"rollingUpdate": {}});
        strategy["rollingUpdate"][field] = value;
        strategy
    };
    let cases: Vec<(Vec<&str>, Value, String, String)> = vec![
        (
            vec!["spec", "strategy"],
            strategy("maxUnavailable", json!("150%")),
            rolling_field("maxUnavailable"),
            "Invalid value: \"150%\": must not be greater than 100%".to_owned(),
        ),
        (
            vec!["spec", "strategy"],
            strategy("maxSurge", json!(-1)),
            rolling_field("maxSurge"),
            "Invalid value: -1: must be greater than or equal to 0".to_owned(),
        ),
        (
            vec!["spec", "strategy"],
            strategy("maxSurge", json!("many")),
            rolling_field("maxSurge"),
            "Invalid value: \"many\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')".to_owned(),
        ),
        (
            vec!["spec", "minReadySeconds"],
            json!(-1),
            "spec.minReadySeconds".to_owned(),
            "Invalid value: -1: must be greater than or equal to 0".to_owned(),
        ),
        (
            vec!["spec", "revisionHistoryLimit"],
            json!(-1),
            "spec.revisionHistoryLimit".to_owned(),
            "Invalid value: -1: must be greater than or equal to 0".to_owned(),
        ),
        (
            vec!["spec", "template", "spec", "restartPolicy"],
            json!("Never"),
            "spec.template.spec.restartPolicy".to_owned(),
            "Unsupported value: \"Never\": supported values: \"Always\"".to_owned(),
        ),
        (
            vec!["spec", "template", "spec", "containers"],
            twice,
            format!("{CONTAINER}[1].name"),
            "Duplicate value: \"risk\"".to_owned(),
        ),
        (
            vec!["spec", "template", "spec", "containers"],
            both,
            format!("{CONTAINER}[0].env[0].valueFrom"),
            "Invalid value: \"\": may not be specified when `value` is not empty".to_owned(),
        ),
        (
            vec!["metadata", "labels", "line"],
            json!(long),
            "metadata.labels".to_owned(),
            format!("Invalid value: \"{long}\": must be no more than 63 characters"),
        ),
        (
            vec!["spec", "template", "metadata", "labels", long.as_str()],
            json!("x"),
            "spec.template.labels".to_owned(),
            format!("Invalid value: \"{long}\": name part must be no more than 63 characters"),
        ),
    ];
    let mut lab = Lab::new(3);
    for (path, value, field, why) in cases {
        let mut d = deployment("risk", 1, "dex/risk:1");
        set(&mut d, &path, value);
        let (status, body) = lab.call("POST", &apps("deployments"), "application/json", &d);
        assert_eq!(status, 422, "{field}: {body}");
        let message = format!("Deployment.apps \"risk\" is invalid: {field}: {why}");
        assert_eq!(body["message"], message);
        let causes = body["details"]["causes"].as_array().map_or(0, Vec::len);
        assert_eq!(causes, 1, "{body}");
    }
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["minReadySeconds"] = json!(-1);
    d["spec"]["replicas"] = json!(-2);
    let (_, body) = lab.call("POST", &apps("deployments"), "application/json", &d);
    let negative = "must be greater than or equal to 0";
    assert_eq!(
        body["message"],
        format!(
            "Deployment.apps \"risk\" is invalid: [spec.replicas: Invalid value: -2: {negative}, spec.minReadySeconds: Invalid value: -1: {negative}]"
        ),
        "every cause is named"
    );
    assert_eq!(
        body["details"]["causes"][1]["field"],
        "spec.minReadySeconds"
    );
}

#[test]
fn what_a_user_writes_into_a_map_is_left_as_it_is() {
    let mut lab = Lab::new(3);
    let data = json!({"divisor": "by two", "sizeLimit": "1000m", "paused": "", "count": "0"});
    let body =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    assert_eq!(lab.post(&core("configmaps"), &body)["data"], data);
}

#[test]
fn a_failing_test_of_a_json_patch_says_nothing_of_its_cause() {
    let mut lab = Lab::new(3);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    let patch = json!([{"op": "test", "path": "/spec/replicas", "value": 7}]);
    let media = "application/json-patch+json";
    let (status, body) = lab.call("PATCH", &apps("deployments/risk"), media, &patch);
    assert_eq!((status, &body["reason"]), (422, &json!("Invalid")));
    assert_eq!(body["details"], json!({}));
}

#[test]
fn unknown_fields_are_refused_only_if_that_is_asked_for() {
    let mut lab = Lab::new(3);
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["replica"] = 3.into();
    d["spec"]["template"]["spec"]["containers"][0]["imag"] = "x".into();
    let strict = apps("deployments?fieldValidation=Strict");
    let (status, body) = lab.call("POST", &strict, "application/json", &d);
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.replica\", unknown field \"spec.template.spec.containers[0].imag\""
    );
    let made = lab.post(&apps("deployments"), &d);
    assert_eq!(made["spec"].get("replica"), None);
    let path = apps("deployments/risk?fieldValidation=Strict");
    let patch = json!({"spec": {"replica": 3}});
    let (status, _) = lab.call("PATCH", &path, "application/merge-patch+json", &patch);
    assert_eq!(status, 422);
}

#[test]
fn a_collection_is_deleted_by_its_selector() {
    let mut lab = Lab::new(3);
    for (name, line) in [("a", "one"), ("b", "two"), ("c", "one")] {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"line": line}}});
        lab.post(&core("configmaps"), &body);
    }
    let path = core("configmaps?labelSelector=line%3Done");
    let (status, list) = lab.call("DELETE", &path, "", &Value::Null);
    assert_eq!((status, &list["kind"]), (200, &json!("ConfigMapList")));
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    let left: Vec<&Value> = lab
        .cluster
        .objects(Kind::ConfigMap, NS)
        .map(|c| &c["metadata"]["name"])
        .collect();
    assert_eq!(left, [&json!("b")]);
}

#[test]
fn a_body_of_more_than_three_mebibytes_is_refused() {
    let mut lab = Lab::new(3);
    let config = |bytes: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"k": "x".repeat(bytes)}});
    let (status, body) = lab.call(
        "POST",
        &core("configmaps"),
        "application/json",
        &config(3 << 20),
    );
    assert_eq!(
        (status, &body["reason"]),
        (413, &json!("RequestEntityTooLarge"))
    );
}

/// `ValidateConfigMap`: the message is that of a path without a name.
#[test]
fn a_config_map_of_more_than_a_mebibyte_is_refused() {
    let mut lab = Lab::new(3);
    let config = |bytes: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"k": "x".repeat(bytes)}});
    lab.post(&core("configmaps"), &config(1 << 20));
    let more = json!({"data": {"l": "y"}});
    let path = core("configmaps/big");
    let (status, body) = lab.call("PATCH", &path, "application/merge-patch+json", &more);
    assert_eq!((status, &body["reason"]), (422, &json!("Invalid")));
    let why = "Too long: may not be more than 1048576 bytes";
    assert_eq!(
        body["message"],
        format!("ConfigMap \"big\" is invalid: []: {why}").as_str()
    );
    assert_eq!(
        body["details"]["causes"],
        json!([{"reason": "FieldValueTooLong", "message": why, "field": "[]"}])
    );
    // Binary data counts as it is: three bytes are four characters.
    let binary = |bytes: usize| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "binary"},
            "binaryData": {"k": "eHh4".repeat(bytes / 3)}, "data": {"l": "y"},
        })
    };
    let post = |lab: &mut Lab, body: &Value| {
        let path = core("configmaps");
        lab.call("POST", &path, "application/json", body).0
    };
    assert_eq!(post(&mut lab, &binary((1 << 20) + 2)), 422);
    assert_eq!(post(&mut lab, &binary((1 << 20) - 1)), 201);
}

#[test]
fn what_remains_of_a_list_is_counted_only_without_selectors() {
    let mut lab = Lab::new(3);
    for name in ["a", "b", "c"] {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"x": "y"}}});
        lab.post(&core("configmaps"), &body);
    }
    let page = lab.get(&core("configmaps?limit=1"));
    assert_eq!(page["metadata"]["remainingItemCount"], 2);
    let page = lab.get(&core("configmaps?limit=1&labelSelector=x%3Dy"));
    assert_eq!(page["metadata"].get("remainingItemCount"), None);
    assert!(page["metadata"].get("continue").is_some());
}

/// `minRequestTimeout` of 1,800 s, and up to twice as long (`handlers/get.go`).
#[test]
fn a_watch_without_a_timeout_ends_after_half_an_hour_to_an_hour() {
    for seed in 0..4 {
        let mut lab = Lab::new(seed);
        let rv = lab.cluster.resource_version();
        let id = lab.open_watch(&core(&format!("configmaps?watch=1&resourceVersion={rv}")));
        lab.run_until(Micros::from_secs(1_799));
        assert_eq!(lab.frames(id), []);
        lab.run_until(Micros::from_secs(3_601));
        assert_eq!(lab.frames(id), [("END".to_owned(), Value::Null)]);
    }
}

#[test]
fn a_pod_of_two_budgets_is_not_evicted() {
    let mut lab = Lab::new(3);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    for name in ["a", "b"] {
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "risk"}}},
        });
        lab.post(
            &format!("/apis/policy/v1/namespaces/{NS}/poddisruptionbudgets"),
            &budget,
        );
    }
    lab.run_secs(2);
    let pod = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}});
    let path = core(&format!("pods/{pod}/eviction"));
    let (status, body) = lab.call("POST", &path, "application/json", &eviction);
    // The server gives no reason (`pkg/registry/core/pod/storage/eviction.go` Create).
    assert_eq!((status, body.get("reason")), (500, None));
    let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    assert_eq!(body["message"], message);
}
