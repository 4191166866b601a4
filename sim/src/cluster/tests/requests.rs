//! Paths, methods and questions that have nothing to do with a kind.

use super::lab::{Lab, apps, core, deployment};
use crate::cluster::json::{Value, json};

const JSON: &str = "application/json";
const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1/selfsubject";

fn review(lab: &mut Lab, path: &str, spec: &Value) -> (u16, Value) {
    lab.call("POST", path, JSON, &json!({"spec": spec}))
}

/// `kubectl auth can-i`, `kubectl auth can-i --list` and `kubectl auth whoami`.
#[test]
fn whoever_asks_may_do_everything() {
    let mut lab = Lab::new(1);
    let access = format!("{AUTHORIZATION}accessreviews");
    let what = json!({"resourceAttributes": {"verb": "delete", "resource": "pods"}});
    let (status, answer) = review(&mut lab, &access, &what);
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["kind"], "SelfSubjectAccessReview");
    assert_eq!(answer["status"], json!({"allowed": true}));
    let (status, answer) = review(&mut lab, &access, &json!({}));
    assert_eq!((status, &answer["reason"]), (422, &json!("Invalid")));
    let rules = format!("{AUTHORIZATION}rulesreviews");
    let (status, answer) = review(&mut lab, &rules, &json!({"namespace": "default"}));
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["status"]["resourceRules"][0]["verbs"], json!(["*"]));
    let who = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (status, answer) = review(&mut lab, who, &json!({}));
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["status"]["userInfo"]["username"], "test");
    assert_eq!(lab.call("GET", &access, "", &Value::Null).0, 405);
}

#[test]
fn exec_attach_and_port_forward_are_refused_by_name() {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.run_secs(5);
    let pod = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    for what in ["exec", "attach", "portforward"] {
        for method in ["GET", "POST"] {
            let path = core(&format!("pods/{pod}/{what}?command=ls"));
            let (status, answer) = lab.call(method, &path, "", &Value::Null);
            assert_eq!((status, &answer["reason"]), (403, &json!("Forbidden")));
            let message = answer["message"].as_str().expect("a message");
            let begins = format!("pods \"{pod}\" is forbidden: {what} is not simulated");
            assert!(message.starts_with(&begins), "{message}");
        }
        let absent = core(&format!("pods/absent/{what}"));
        assert_eq!(lab.call("POST", &absent, "", &Value::Null).0, 404);
        let path = core(&format!("pods/{pod}/{what}"));
        assert_eq!(lab.call("DELETE", &path, "", &Value::Null).0, 405);
    }
    // `kubectl top` looks for the group of the metrics first.
    let groups = lab.get("/apis");
    assert!(!groups.to_string().contains("metrics.k8s.io"));
    let metrics = "/apis/metrics.k8s.io/v1beta1/nodes";
    assert_eq!(lab.call("GET", metrics, "", &Value::Null).0, 404);
}

#[test]
fn what_no_path_and_no_method_takes_is_refused_as_a_server_does() {
    let mut lab = Lab::new(1);
    let text = "404 page not found\n";
    for path in ["/nonsense", "/apis/example.org/v1/things", "/api/v2/pods"] {
        assert_eq!(
            lab.call("GET", path, "", &Value::Null),
            (404, text.into()),
            "{path}"
        );
    }
    let (status, answer) = lab.call("GET", &apps("things"), "", &Value::Null);
    assert_eq!((status, &answer["reason"]), (404, &json!("NotFound")));
    assert_eq!(answer["details"], json!({}));
    for (method, path) in [
        ("POST", "/version".to_owned()),
        ("HEAD", core("pods")),
        ("OPTIONS", core("pods")),
        ("PUT", core("pods")),
        ("POST", core("pods/x")),
        ("DELETE", "/api/v1/namespaces".to_owned()),
        ("POST", apps("deployments/x/status")),
    ] {
        let (status, answer) = lab.call(method, &path, "", &Value::Null);
        assert_eq!(
            (status, &answer["reason"]),
            (405, &json!("MethodNotAllowed")),
            "{method} {path}"
        );
    }
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    for (method, path) in [
        ("PATCH", apps("deployments/risk")),
        ("POST", apps("deployments")),
    ] {
        let (status, answer) = lab.call(method, &path, "text/csv", &json!({}));
        assert_eq!(
            (status, &answer["reason"]),
            (415, &json!("UnsupportedMediaType")),
            "{method}"
        );
    }
}

/// `--dry-run=server` of each verb that writes.
#[test]
fn a_dry_run_changes_nothing() {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 2, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.run_secs(5);
    let pod = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let risk = apps("deployments/risk");
    let live = lab.get(&risk);
    let mut changed = live.clone();
    changed["spec"]["replicas"] = 5.into();
    let scale = json!({"spec": {"replicas": 5}});
    let applied = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "risk"}, "spec": {"replicas": 5}});
    let merge = "application/merge-patch+json";
    let requests: Vec<(&str, String, &str, Value)> = vec![
        (
            "POST",
            apps("deployments"),
            JSON,
            deployment("new", 1, "x:1"),
        ),
        ("PUT", risk.clone(), JSON, changed),
        ("PATCH", risk.clone(), merge, scale.clone()),
        (
            "PATCH",
            risk.clone(),
            "application/apply-patch+yaml",
            applied,
        ),
        ("PATCH", format!("{risk}/scale"), merge, scale),
        ("DELETE", risk.clone(), JSON, Value::Null),
        ("DELETE", core("pods"), JSON, Value::Null),
        ("DELETE", core(&format!("pods/{pod}")), JSON, Value::Null),
        (
            "POST",
            core(&format!("pods/{pod}/eviction")),
            JSON,
            json!({}),
        ),
        ("DELETE", risk.clone(), JSON, Value::Null),
    ];
    let before = lab.cluster.resource_version();
    for (method, path, media, body) in requests {
        let path = format!("{path}?dryRun=All&fieldManager=me&force=true");
        let path = match media {
            "application/apply-patch+yaml" => path,
            _ => path.replace("&force=true", ""),
        };
        let (status, answer) = lab.call(method, &path, media, &body);
        assert!(status == 200 || status == 201, "{method} {path}: {answer}");
        assert_eq!(lab.cluster.resource_version(), before, "{method} {path}");
        if answer["kind"] == "Deployment" && method != "POST" && method != "DELETE" {
            assert_eq!(answer["spec"]["replicas"], 5, "{method}");
        }
    }
    let (status, answer) = lab.call("DELETE", &format!("{risk}?dryRun=Some"), "", &Value::Null);
    assert_eq!((status, &answer["reason"]), (422, &json!("Invalid")));
}
