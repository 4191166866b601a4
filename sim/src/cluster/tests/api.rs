//! The API server: statuses, patches, lists, generation.

use super::lab::{Lab, NS, apps, core, deployment};
use crate::cluster::json::{Value, json};

fn config(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}})
}

#[test]
fn refusals_have_exact_status_bodies() {
    let mut lab = Lab::new(1);
    let (status, body) = lab.call("GET", &apps("deployments/x"), "", &Value::Null);
    assert_eq!(status, 404);
    assert_eq!(
        body,
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "deployments.apps \"x\" not found", "reason": "NotFound",
            "details": {"name": "x", "group": "apps", "kind": "deployments"}, "code": 404,
        })
    );
    lab.post(&core("configmaps"), &config("a"));
    let (status, body) = lab.call(
        "POST",
        &core("configmaps"),
        "application/json",
        &config("a"),
    );
    assert_eq!((status, &body["reason"]), (409, &json!("AlreadyExists")));
    assert_eq!(body["message"], "configmaps \"a\" already exists");
    for (method, path, media, expected) in [
        ("GET", "/apis/apps/v1/things", "", 404),
        (
            "POST",
            "/api/v1/namespaces/absent/configmaps",
            "application/json",
            404,
        ),
        ("PATCH", &*core("configmaps/a"), "text/plain", 415),
        ("POST", &*core("configmaps/a"), "application/json", 405),
        ("GET", &*core("pods?fieldSelector=spec.nope%3Dx"), "", 400),
        ("GET", &*core("pods?labelSelector=a%20b%20c"), "", 400),
    ] {
        let (status, body) = lab.call(method, path, media, &config("b"));
        assert_eq!(status, expected, "{method} {path}: {body}");
        assert_eq!(body["code"], expected);
        assert_eq!(body["kind"], "Status");
    }
    // No group of resources takes it, and the answer is no `Status`.
    let (status, _) = lab.call("GET", "/apis/nothing/v1/things", "", &config("b"));
    assert_eq!(status, 404);
    assert_eq!(lab.get("/livez"), "ok");
    assert_eq!(lab.get("/readyz"), "ok");
    assert_eq!(lab.get("/version")["minor"], "34");
}

#[test]
fn a_stale_put_conflicts_and_an_unconditional_one_does_not() {
    let mut lab = Lab::new(1);
    let first = lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.run_secs(5);
    let (status, body) = lab.call("PUT", &apps("deployments/risk"), "application/json", &first);
    assert_eq!((status, &body["reason"]), (409, &json!("Conflict")));
    assert_eq!(
        body["message"],
        "Operation cannot be fulfilled on deployments.apps \"risk\": the object has been modified; please apply your changes to the latest version and try again"
    );
    let (status, _) = lab.call(
        "PUT",
        &apps("deployments/risk"),
        "application/json",
        &deployment("risk", 2, "dex/risk:1"),
    );
    assert_eq!(status, 200);

    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{NS}/leases");
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}});
    lab.post(&leases, &lease);
    let (status, body) = lab.call("PUT", &format!("{leases}/l"), "application/json", &lease);
    assert_eq!(
        (status, &body["reason"]),
        (422, &json!("Invalid")),
        "a Lease wants a resourceVersion"
    );
}

#[test]
fn a_write_that_changes_nothing_is_no_write() {
    let mut lab = Lab::new(1);
    lab.post(&core("configmaps"), &config("a"));
    let before = lab.cluster.resource_version();
    let after = lab.merge(&core("configmaps/a"), &json!({"data": {"k": "v"}}));
    assert_eq!(lab.cluster.resource_version(), before);
    assert_eq!(after["metadata"]["resourceVersion"], before.to_string());
}

#[test]
fn generations_move_by_the_rules_of_the_kind() {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.run_secs(2);
    let generation = |v: &Value| v["metadata"]["generation"].as_i64().unwrap_or(0);
    let path = apps("deployments/risk");
    let start = generation(&lab.get(&path));
    assert_eq!(
        generation(&lab.merge(&path, &json!({"metadata": {"labels": {"x": "y"}}}))),
        start
    );
    assert_eq!(
        generation(&lab.merge(&path, &json!({"metadata": {"annotations": {"x": "y"}}}))),
        start + 1
    );
    assert_eq!(
        generation(&lab.merge(&path, &json!({"spec": {"minReadySeconds": 1}}))),
        start + 2
    );
    let status_write = lab.merge(
        &format!("{path}/status"),
        &json!({"metadata": {"annotations": {"by-status": "1"}, "labels": {"z": "z"}}, "spec": {"replicas": 9}}),
    );
    assert_eq!(generation(&status_write), start + 2, "never by /status");
    assert_eq!(
        status_write["metadata"]["annotations"]["by-status"], "1",
        "annotations pass through /status"
    );
    assert!(status_write["metadata"]["labels"].get("z").is_none());
    assert_eq!(status_write["spec"]["replicas"], 1);
    let sets = lab.get(&apps("replicasets"));
    let rs = apps(&format!(
        "replicasets/{}",
        sets["items"][0]["metadata"]["name"]
            .as_str()
            .expect("a name")
    ));
    let before = generation(&lab.get(&rs));
    assert_eq!(
        generation(&lab.merge(&rs, &json!({"metadata": {"annotations": {"x": "y"}}}))),
        before
    );
}

#[test]
fn an_applied_object_with_metadata_of_another_type_is_refused() {
    let mut lab = Lab::new(2);
    for metadata in [json!("a name"), json!(7), json!([1])] {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        let apply = "application/apply-patch+yaml";
        let path = format!("{}?fieldManager=me", core("configmaps/fresh"));
        let (status, answer) = lab.call("PATCH", &path, apply, &body);
        assert_eq!(
            (status, &answer["reason"]),
            (422, &json!("Invalid")),
            "{metadata}"
        );
    }
}

#[test]
fn patches_of_every_type() {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    let path = apps("deployments/risk");
    let json_patch = "application/json-patch+json";
    let (status, body) = lab.call(
        "PATCH",
        &path,
        json_patch,
        &json!([{"op": "test", "path": "/spec/replicas", "value": 7}]),
    );
    assert_eq!((status, &body["reason"]), (422, &json!("Invalid")));
    let (status, _) = lab.call(
        "PATCH",
        &path,
        json_patch,
        &json!([{"op": "replace", "path": "/spec/absent/x", "value": 7}]),
    );
    assert_eq!(status, 422);
    let many: Vec<Value> = (0..10_001)
        .map(|_| json!({"op": "test", "path": "/spec/replicas", "value": 1}))
        .collect();
    assert_eq!(lab.call("PATCH", &path, json_patch, &json!(many)).0, 413);
    let (status, body) = lab.call(
        "PATCH",
        &path,
        json_patch,
        &json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]),
    );
    assert_eq!((status, &body["spec"]["replicas"]), (200, &json!(2)));
    let (status, body) = lab.call(
        "PATCH",
        &path,
        json_patch,
        &json!([{"op": "replace", "path": "/spec/replicas", "value": "many"}]),
    );
    assert_eq!(status, 422, "{body}");
    let (status, body) = lab.call(
        "PATCH",
        &path,
        "application/merge-patch+json",
        &json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 3}}),
    );
    assert_eq!((status, &body["reason"]), (409, &json!("Conflict")));
    let apply = "application/apply-patch+yaml";
    let cm = core("configmaps/fresh");
    let (status, body) = lab.call("PATCH", &cm, apply, &config("fresh"));
    assert_eq!(status, 422, "no field manager: {body}");
    assert_eq!(
        lab.call(
            "PATCH",
            &format!("{cm}?fieldManager=t&force=true"),
            apply,
            &config("fresh")
        )
        .0,
        201
    );
    assert_eq!(
        lab.call(
            "PATCH",
            &format!("{cm}?force=true"),
            "application/merge-patch+json",
            &json!({})
        )
        .0,
        422
    );
}

#[test]
fn deployments_are_validated() {
    let mut lab = Lab::new(1);
    let post = |lab: &mut Lab, change: &dyn Fn(&mut Value)| {
        let mut d = deployment("risk", 1, "dex/risk:1");
        change(&mut d);
        let (status, body) = lab.call("POST", &apps("deployments"), "application/json", &d);
        (status, body["message"].as_str().unwrap_or("").to_owned())
    };
    let (status, message) = post(&mut lab, &|d| {
        d["spec"]["progressDeadlineSeconds"] = 0.into()
    });
    assert_eq!(status, 422);
    assert!(
        message.contains("must be greater than minReadySeconds"),
        "{message}"
    );
    let (status, message) = post(&mut lab, &|d| {
        d["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}});
    });
    assert_eq!(status, 422);
    assert!(
        message.contains("may not be 0 when `maxSurge` is 0"),
        "{message}"
    );
    let (status, message) = post(&mut lab, &|d| {
        d["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"})
    });
    assert_eq!(status, 422);
    assert!(
        message.contains("`selector` does not match template `labels`"),
        "{message}"
    );
    assert_eq!(
        post(&mut lab, &|d| d["spec"]["replicas"] = "x".into()).0,
        400
    );
    assert_eq!(post(&mut lab, &|_| {}).0, 201);
    let (status, body) = lab.call(
        "PATCH",
        &apps("deployments/risk"),
        "application/merge-patch+json",
        &json!({"spec": {"selector": {"matchLabels": {"app": "risk", "x": "y"}}, "template": {"metadata": {"labels": {"x": "y"}}}}}),
    );
    assert_eq!(status, 422);
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|m| m.contains("field is immutable")),
        "{body}"
    );
}

#[test]
fn lists_page_through_one_snapshot() {
    let mut lab = Lab::new(1);
    for n in ["a", "b", "c", "d", "e"] {
        lab.post(&core("configmaps"), &config(n));
    }
    let names = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|i| i["metadata"]["name"].as_str().unwrap_or("").to_owned())
            .collect()
    };
    let page = lab.get(&core("configmaps?limit=2"));
    assert_eq!(names(&page), ["a", "b"]);
    assert_eq!(page["metadata"]["remainingItemCount"], 3);
    let token = page["metadata"]["continue"]
        .as_str()
        .expect("a token")
        .to_owned();
    lab.call("DELETE", &core("configmaps/c"), "", &Value::Null);
    lab.post(&core("configmaps"), &config("bb"));
    let rest = lab.get(&core(&format!("configmaps?limit=9&continue={token}")));
    assert_eq!(names(&rest), ["c", "d", "e"], "as it was at the first page");
    assert_eq!(
        rest["metadata"]["resourceVersion"],
        page["metadata"]["resourceVersion"]
    );
    lab.cluster.compact();
    let (status, body) = lab.call(
        "GET",
        &core(&format!("configmaps?limit=9&continue={token}")),
        "",
        &Value::Null,
    );
    assert_eq!((status, &body["reason"]), (410, &json!("Expired")));
    let fresh = body["metadata"]["continue"]
        .as_str()
        .expect("a way on")
        .to_owned();
    assert_eq!(
        names(&lab.get(&core(&format!("configmaps?continue={fresh}")))),
        ["bb", "d", "e"]
    );
    let (status, body) = lab.call(
        "GET",
        &core("configmaps?resourceVersion=99999"),
        "",
        &Value::Null,
    );
    assert_eq!((status, &body["reason"]), (504, &json!("Timeout")));
}

#[test]
fn selectors_filter_lists() {
    let mut lab = Lab::new(1);
    for (name, labels) in [
        ("a", json!({"app": "x", "tier": "1"})),
        ("b", json!({"app": "y"})),
        ("c", json!({})),
    ] {
        let mut c = config(name);
        c["metadata"]["labels"] = labels;
        lab.post(&core("configmaps"), &c);
    }
    for (selector, expected) in [
        ("app%3Dx", "a"),
        ("app", "ab"),
        ("%21app", "c"),
        ("app!%3Dx", "bc"),
        ("app+in+%28x%2Cy%29,tier", "a"),
        ("app+notin+%28x%29", "bc"),
    ] {
        let list = lab.get(&core(&format!("configmaps?labelSelector={selector}")));
        let names: String = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|i| i["metadata"]["name"].as_str())
            .collect();
        assert_eq!(names, expected, "{selector}");
    }
    let one = lab.get(&core("configmaps?fieldSelector=metadata.name%3Db"));
    assert_eq!(one["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn scale_reads_and_writes_the_size() {
    let mut lab = Lab::new(1);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 1, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    let scale = lab.get(&apps("deployments/gateway/scale"));
    assert_eq!(scale["status"]["selector"], "app=gateway");
    lab.merge(
        &apps("deployments/gateway/scale"),
        &json!({"spec": {"replicas": 3}}),
    );
    lab.rolled_out("gateway", 30);
    assert_eq!(lab.pods().len(), 3);
}
