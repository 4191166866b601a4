//! Kinds that only hold settings: Secrets, accounts, claims, rights, Ingresses.

use super::lab::{Lab, NS, core};
use crate::cluster::Kind;
use crate::cluster::json::{Value, json};

fn group(group: &str, resource: &str) -> String {
    format!("/apis/{group}/v1/namespaces/{NS}/{resource}")
}

fn refused(lab: &mut Lab, path: &str, body: &Value) -> String {
    let (status, answer) = lab.call("POST", path, "application/json", body);
    assert_eq!(status, 422, "{answer}");
    answer["message"].as_str().unwrap_or("").to_owned()
}

#[test]
fn a_secret_keeps_its_texts_as_base64_and_checks_its_type() {
    let mut lab = Lab::new(1);
    let secret = json!({
        "metadata": {"name": "s"}, "data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "new"},
    });
    let made = lab.post(&core("secrets"), &secret);
    assert_eq!(made["data"], json!({"a": "bmV3", "b": "b2xk"}));
    assert_eq!(made["type"], "Opaque");
    assert!(made.get("stringData").is_none());
    let patched = lab.merge(
        &core("secrets/s"),
        &json!({"stringData": {"c": "x"}, "immutable": true}),
    );
    assert_eq!(patched["data"]["c"], "eA==");
    let path = core("secrets/s");
    let merge = "application/merge-patch+json";
    let (status, answer) = lab.call("PATCH", &path, merge, &json!({"data": {"c": "eQ=="}}));
    assert_eq!(status, 422, "{answer}");
    let (status, answer) = lab.call("PATCH", &path, merge, &json!({"type": "other"}));
    assert_eq!(status, 422, "{answer}");
    let tls = json!({"metadata": {"name": "t"}, "type": "kubernetes.io/tls", "stringData": {"tls.crt": "x"}});
    assert_eq!(
        refused(&mut lab, &core("secrets"), &tls),
        "Secret \"t\" is invalid: data[tls.key]: Required value"
    );
}

#[test]
fn every_namespace_has_an_account_once_somebody_looks() {
    let mut lab = Lab::new(1);
    assert!(
        lab.cluster
            .object(Kind::ServiceAccount, NS, "default")
            .is_none()
    );
    let account = lab.get(&core("serviceaccounts/default"));
    assert_eq!(account["kind"], "ServiceAccount");
    let version = lab.cluster.resource_version();
    lab.get("/api/v1/serviceaccounts");
    assert_eq!(
        lab.cluster.resource_version(),
        version,
        "they are made once"
    );
    let classes = lab.get("/apis/storage.k8s.io/v1/storageclasses");
    assert_eq!(classes["items"][0]["metadata"]["name"], "standard");
}

#[test]
fn a_claim_is_bound_at_once_and_its_volume_goes_with_it() {
    let mut lab = Lab::new(1);
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    lab.post(&core("persistentvolumeclaims"), &claim);
    let claim = lab.get(&core("persistentvolumeclaims/data"));
    assert_eq!(claim["status"]["phase"], "Bound");
    assert_eq!(claim["status"]["capacity"]["storage"], "1Gi");
    let volume = claim["spec"]["volumeName"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    let volume = lab.get(&format!("/api/v1/persistentvolumes/{volume}"));
    assert_eq!(volume["spec"]["claimRef"]["name"], "data");
    assert_eq!(volume["status"]["phase"], "Bound");
    let none = json!({"metadata": {"name": "x"}, "spec": {"accessModes": ["ReadWriteOnce"]}});
    let why = refused(&mut lab, &core("persistentvolumeclaims"), &none);
    assert!(
        why.contains("spec.resources[storage]: Required value"),
        "{why}"
    );
    lab.call(
        "DELETE",
        &core("persistentvolumeclaims/data"),
        "",
        &Value::Null,
    );
    let volumes = lab.get("/api/v1/persistentvolumes");
    assert_eq!(volumes["items"], json!([]));
}

#[test]
fn ingresses_policies_and_rights_are_kept_as_a_server_keeps_them() {
    let mut lab = Lab::new(1);
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let ingress = |path: Value| json!({"metadata": {"name": "web"}, "spec": {"rules": [{"host": "a.example", "http": {"paths": [path]}}]}});
    let path = group("networking.k8s.io", "ingresses");
    let why = refused(
        &mut lab,
        &path,
        &ingress(json!({"path": "/", "backend": backend})),
    );
    assert!(
        why.contains("pathType: Required value: pathType must be specified"),
        "{why}"
    );
    let made = lab.post(
        &path,
        &ingress(json!({"path": "/", "pathType": "Prefix", "backend": backend})),
    );
    assert_eq!(made["metadata"]["generation"], json!(1));
    let policy = json!({"metadata": {"name": "p"}, "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}});
    let made = lab.post(&group("networking.k8s.io", "networkpolicies"), &policy);
    assert_eq!(made["spec"]["policyTypes"], json!(["Ingress"]));
    assert_eq!(made["spec"]["ingress"][0]["ports"][0]["protocol"], "TCP");
    let binding = json!({
        "metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": NS}],
    });
    let bindings = group("rbac.authorization.k8s.io", "rolebindings");
    let made = lab.post(&bindings, &binding);
    assert_eq!(made["roleRef"]["apiGroup"], "rbac.authorization.k8s.io");
    assert_eq!(made["subjects"][0]["apiGroup"], "rbac.authorization.k8s.io");
    assert!(made["subjects"][1].get("apiGroup").is_none());
    let other = json!({"roleRef": {"name": "other"}});
    let (status, answer) = lab.call(
        "PATCH",
        &format!("{bindings}/b"),
        "application/merge-patch+json",
        &other,
    );
    assert_eq!(status, 422, "{answer}");
}
