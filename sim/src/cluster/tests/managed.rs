//! Who owns fields, and server-side apply.

use super::lab::{Lab, apps, core, deployment};
use crate::cluster::json::{Value, json};

const APPLY: &str = "application/apply-patch+yaml";

fn apply(lab: &mut Lab, path: &str, manager: &str, config: &Value) -> (u16, Value) {
    let path = format!("{path}?fieldManager={manager}");
    lab.call("PATCH", &path, APPLY, config)
}

fn config(replicas: Option<u32>, image: &str, env: &[&str]) -> Value {
    let env: Vec<Value> = env
        .iter()
        .map(|name| json!({"name": name, "value": "1"}))
        .collect();
    let mut config = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "risk"},
        "spec": {
            "selector": {"matchLabels": {"app": "risk"}},
            "template": {
                "metadata": {"labels": {"app": "risk"}},
                "spec": {"containers": [{
                    "name": "risk", "image": image, "env": env, "ports": [{"containerPort": 80}],
                }]},
            },
        },
    });
    if let Some(replicas) = replicas {
        config["spec"]["replicas"] = replicas.into();
    }
    config
}

/// Manager, operation, subresource and fields of each entry.
fn owners(object: &Value) -> Vec<(String, String, String, Value)> {
    let all = object["metadata"]["managedFields"].as_array().cloned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = all.unwrap_or_default().into_iter().map(|entry| {
        let (manager, operation) = (text(&entry["manager"]), text(&entry["operation"]));
        (
            manager,
            operation,
            text(&entry["subresource"]),
            entry["fieldsV1"].clone(),
        )
    });
    all.collect()
}

fn env(object: &Value) -> Vec<String> {
    let env = object["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
    let names = env.into_iter().flatten();
    names
        .map(|it| it["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// The entries are those that a cluster of 1.34 shows after `kubectl apply --server-side`.
#[test]
fn an_applier_owns_what_it_sent_and_no_default() {
    let mut lab = Lab::new(1);
    let path = apps("deployments/risk");
    let (status, created) = apply(&mut lab, &path, "kubectl", &config(Some(2), "r:1", &["A"]));
    assert_eq!(status, 201, "{created}");
    let key = |fields: Value| json!({"k:{\"name\":\"risk\"}": fields});
    let container = json!({
        ".": {}, "f:name": {}, "f:image": {},
        "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}},
        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
    });
    let fields = json!({"f:spec": {
        "f:replicas": {}, "f:selector": {},
        "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:containers": key(container)},
        },
    }});
    let entry = (
        "kubectl".to_owned(),
        "Apply".to_owned(),
        String::new(),
        fields,
    );
    assert_eq!(owners(&created), [entry]);
    assert_eq!(created["spec"]["progressDeadlineSeconds"], 600);
    let version = lab.cluster.resource_version();
    let (status, again) = apply(&mut lab, &path, "kubectl", &config(Some(2), "r:1", &["A"]));
    assert_eq!((status, again), (200, created));
    assert_eq!(
        lab.cluster.resource_version(),
        version,
        "nothing is written"
    );
}

#[test]
fn what_an_applier_no_longer_sends_is_removed_unless_another_owns_it() {
    let mut lab = Lab::new(1);
    let path = apps("deployments/risk");
    apply(
        &mut lab,
        &path,
        "one",
        &config(Some(3), "r:1", &["A", "B", "C"]),
    );
    let (status, both) = apply(&mut lab, &path, "two", &config(None, "r:1", &["C"]));
    assert_eq!(status, 200, "{both}");
    let (status, left) = apply(&mut lab, &path, "one", &config(None, "r:1", &["A"]));
    assert_eq!(status, 200, "{left}");
    assert_eq!(env(&left), ["A", "C"]);
    assert_eq!(left["spec"]["replicas"], 1, "the default is back");
    assert_eq!(
        left["spec"]["template"]["spec"]["containers"][0]["image"],
        "r:1"
    );
}

#[test]
fn a_field_of_another_manager_is_a_conflict() {
    let mut lab = Lab::new(1);
    let path = apps("deployments/risk");
    apply(&mut lab, &path, "one", &config(Some(3), "r:1", &["A"]));
    let merge = "application/merge-patch+json";
    let scaled = format!("{path}/scale?fieldManager=scaler");
    let (status, _) = lab.call("PATCH", &scaled, merge, &json!({"spec": {"replicas": 5}}));
    assert_eq!(status, 200);
    let (status, refused) = apply(&mut lab, &path, "one", &config(Some(3), "r:1", &["A"]));
    let who = "conflict with \"scaler\" with subresource \"scale\" using apps/v1";
    assert_eq!((status, &refused["reason"]), (409, &json!("Conflict")));
    assert_eq!(
        refused["message"],
        format!("Apply failed with 1 conflict: {who}: .spec.replicas")
    );
    assert_eq!(
        refused["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": who, "field": ".spec.replicas"}])
    );
    let (status, refused) = apply(&mut lab, &path, "two", &config(Some(4), "r:2", &[]));
    assert_eq!(status, 409);
    assert_eq!(
        refused["message"],
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.template.spec.containers[name=\"risk\"].image\nconflicts with \"scaler\" with subresource \"scale\" using apps/v1:\n- .spec.replicas"
    );
    let forced = format!("{path}?fieldManager=one&force=true");
    let (status, forced) = lab.call("PATCH", &forced, APPLY, &config(Some(3), "r:1", &["A"]));
    assert_eq!((status, &forced["spec"]["replicas"]), (200, &json!(3)));
    let managers: Vec<String> = owners(&forced).into_iter().map(|it| it.0).collect();
    assert_eq!(managers, ["one"], "{forced}");
    // A manager that sends the same value owns it, too.
    let (status, shared) = apply(&mut lab, &path, "two", &config(Some(3), "r:1", &[]));
    assert_eq!((status, owners(&shared).len()), (200, 2));
}

/// `kubectl create`, `kubectl set image`, and the controllers afterwards.
#[test]
fn updates_own_what_they_change() {
    let mut lab = Lab::new(1);
    let path = apps("deployments/risk");
    let create = format!("{}?fieldManager=kubectl-create", apps("deployments"));
    lab.post(&create, &deployment("risk", 1, "r:1"));
    lab.rolled_out("risk", 30);
    let set =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "risk", "image": "r:2"}]}}}});
    let strategic = "application/strategic-merge-patch+json";
    lab.call(
        "PATCH",
        &format!("{path}?fieldManager=kubectl-set"),
        strategic,
        &set,
    );
    lab.rolled_out("risk", 30);
    let found = owners(&lab.get(&path));
    let of = |manager: &str| {
        let mut all = found.iter();
        all.find(|it| it.0 == manager).expect("an entry").clone()
    };
    let created = of("kubectl-create").3;
    assert_eq!(created["f:spec"]["f:progressDeadlineSeconds"], json!({}));
    assert_eq!(created["f:status"], Value::Null);
    assert_eq!(created["f:spec"]["."], Value::Null, "Go holds it by value");
    let rolling = json!({".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}});
    assert_eq!(created["f:spec"]["f:strategy"]["f:rollingUpdate"], rolling);
    let container = |fields: &Value| {
        let spec = &fields["f:spec"]["f:template"]["f:spec"];
        spec["f:containers"]["k:{\"name\":\"risk\"}"].clone()
    };
    assert_eq!(
        container(&created)["f:image"],
        Value::Null,
        "it has another owner"
    );
    assert_eq!(container(&created)["f:name"], json!({}));
    assert_eq!(container(&of("kubectl-set").3), json!({"f:image": {}}));
    let (_, operation, subresource, controller) = of("kube-controller-manager");
    assert_eq!(
        (operation.as_str(), subresource.as_str()),
        ("Update", "status")
    );
    assert_eq!(controller["f:spec"], Value::Null);
    assert_eq!(controller["f:status"]["f:readyReplicas"], json!({}));
    let available = &controller["f:status"]["f:conditions"]["k:{\"type\":\"Available\"}"];
    assert_eq!(available["f:status"], json!({}));
    let revision = "f:deployment.kubernetes.io/revision";
    assert_eq!(
        controller["f:metadata"]["f:annotations"][revision],
        json!({})
    );
}

/// What nobody named is not tracked until it is applied (`managedfields/internal/skipnonapplied.go`).
#[test]
fn an_object_of_nobody_belongs_to_before_first_apply() {
    let mut lab = Lab::new(1);
    let path = core("configmaps/c");
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}});
    let created = lab.post(&core("configmaps"), &object);
    assert_eq!(owners(&created), []);
    let merge = "application/merge-patch+json";
    let named = format!("{path}?fieldManager=me");
    let (_, merged) = lab.call("PATCH", &named, merge, &json!({"data": {"a": "3"}}));
    assert_eq!(owners(&merged), []);
    let mine = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "4"}});
    let (status, refused) = apply(&mut lab, &path, "me", &mine);
    assert_eq!(status, 409);
    assert_eq!(
        refused["message"],
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.a"
    );
    let (status, taken) = lab.call("PATCH", &format!("{named}&force=true"), APPLY, &mine);
    assert_eq!(
        (status, &taken["data"]),
        (200, &json!({"a": "4", "b": "2"}))
    );
    let fields = |data: Value| json!({"f:data": data});
    let entry = |manager: &str, operation: &str, fields: Value| {
        (
            manager.to_owned(),
            operation.to_owned(),
            String::new(),
            fields,
        )
    };
    assert_eq!(
        owners(&taken),
        [
            entry("me", "Apply", fields(json!({"f:a": {}}))),
            entry(
                "before-first-apply",
                "Update",
                fields(json!({".": {}, "f:b": {}}))
            ),
        ]
    );
    // `managedFields: [{}]` resets them; whoever says nothing of them keeps them.
    let (_, kept) = lab.call(
        "PATCH",
        &path,
        merge,
        &json!({"metadata": {"managedFields": null}}),
    );
    assert_eq!(owners(&kept).len(), 2);
    let (_, reset) = lab.call(
        "PATCH",
        &path,
        merge,
        &json!({"metadata": {"managedFields": [{}]}}),
    );
    assert_eq!(owners(&reset), []);
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let mut lab = Lab::new(1);
    let path = apps("deployments/risk");
    let mut odd = config(None, "r:1", &[]);
    odd["spec"]["replica"] = 3.into();
    let (status, refused) = apply(&mut lab, &path, "me", &odd);
    assert_eq!(status, 500);
    assert_eq!(
        refused["message"],
        "failed to create typed patch object (/risk; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema"
    );
    let (status, refused) = apply(&mut lab, &path, "me", &config(None, "r:1", &["A", "A"]));
    assert_eq!(status, 500);
    let message = refused["message"].as_str().expect("a message");
    assert!(
        message.ends_with(".env: duplicate entries for key [name=\"A\"]"),
        "{message}"
    );
    let mut owned = config(None, "r:1", &[]);
    owned["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let (status, refused) = apply(&mut lab, &path, "me", &owned);
    assert_eq!(
        (status, &refused["message"]),
        (400, &json!("metadata.managedFields must be nil"))
    );
    let mut old = config(None, "r:1", &[]);
    old["apiVersion"] = "apps/v1beta1".into();
    assert_eq!(apply(&mut lab, &path, "me", &old).0, 400);
    assert_eq!(
        lab.call("GET", &path, "", &Value::Null).0,
        404,
        "nothing was made"
    );
}

#[test]
fn lists_keep_the_order_of_the_applier_and_what_others_added() {
    let mut lab = Lab::new(1);
    let path = apps("deployments/risk");
    apply(&mut lab, &path, "one", &config(None, "r:1", &["A", "B"]));
    let json_patch = "application/json-patch+json";
    let add = json!([{
        "op": "add", "path": "/spec/template/spec/containers/0/env/1", "value": {"name": "X", "value": "1"},
    }]);
    let (status, added) = lab.call(
        "PATCH",
        &format!("{path}?fieldManager=by-hand"),
        json_patch,
        &add,
    );
    assert_eq!(
        (status, env(&added)),
        (200, ["A", "X", "B"].map(str::to_owned).to_vec())
    );
    let (_, more) = apply(
        &mut lab,
        &path,
        "one",
        &config(None, "r:1", &["A", "B", "C"]),
    );
    assert_eq!(env(&more), ["A", "X", "B", "C"]);
    let (_, turned) = apply(&mut lab, &path, "one", &config(None, "r:1", &["C", "A"]));
    assert_eq!(env(&turned).len(), 3);
    let place = |name: &str| {
        env(&turned)
            .iter()
            .position(|it| it == name)
            .expect("there")
    };
    assert!(place("C") < place("A"), "{:?}", env(&turned));
}

#[test]
fn a_claim_is_bound_by_the_controllers_whoever_makes_it() {
    let mut lab = Lab::new(1);
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let path = format!("{}?fieldManager=me", core("persistentvolumeclaims"));
    lab.post(&path, &claim);
    let claim = lab.get(&core("persistentvolumeclaims/data"));
    let owners = owners(&claim);
    let mine: Vec<&Value> = owners
        .iter()
        .filter(|(manager, ..)| manager == "me")
        .map(|(.., fields)| fields)
        .collect();
    assert_eq!(mine.len(), 1, "{owners:?}");
    assert_eq!(mine[0]["f:spec"]["f:volumeName"], Value::Null);
    let theirs: Vec<(&str, &Value)> = owners
        .iter()
        .filter(|(manager, ..)| manager == "kube-controller-manager")
        .map(|(_, _, part, fields)| (part.as_str(), fields))
        .collect();
    let spec = json!({"f:spec": {"f:volumeName": {}}});
    assert!(theirs.contains(&("", &spec)), "{owners:?}");
    assert!(
        theirs.iter().any(|(part, _)| *part == "status"),
        "{owners:?}"
    );
    let volume = claim["spec"]["volumeName"].as_str().expect("it is bound");
    let volume = lab.get(&format!("/api/v1/persistentvolumes/{volume}"));
    assert!(!volume.to_string().contains("\"me\""), "{volume:?}");
}
