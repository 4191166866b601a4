//! Kinds that CustomResourceDefinitions add.

use bytes::Bytes;

use super::lab::{Lab, NS};
use crate::cluster::json::{Value, json};
use crate::cluster::{ApiRequest, ApiResponse};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn definition(columns: Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tunnels.example.org"},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"plural": "tunnels", "kind": "Tunnel", "shortNames": ["tn"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["size"], "properties": {
                        "size": {"type": "integer"}, "limits": {"type": "string"},
                    }},
                    "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
                }}},
            }],
        },
    })
}

fn tunnels() -> String {
    format!("/apis/example.org/v1/namespaces/{NS}/tunnels")
}

fn tunnel(name: &str) -> Value {
    json!({
        "apiVersion": "example.org/v1", "kind": "Tunnel", "metadata": {"name": name},
        "spec": {"size": 3, "limits": "few", "unknown": true},
    })
}

fn accepted(lab: &mut Lab, path: &str, accept: &str) -> Value {
    let request = ApiRequest {
        user_agent: None,
        method: http::Method::GET,
        uri: path.parse().expect("a path"),
        content_type: None,
        accept: Some(accept.to_owned()),
        body: Bytes::new(),
        user: "test".to_owned(),
    };
    match lab.cluster.handle(lab.now, request, &mut lab.fake) {
        ApiResponse::Unary { body, .. } => serde_json::from_slice(&body).expect("JSON"),
        ApiResponse::Watch(_) | ApiResponse::Log(_) => panic!("{path} opened a stream"),
    }
}

#[test]
fn a_definition_is_served_with_its_write_and_its_objects_go_with_it() {
    let mut lab = Lab::new(1);
    let (status, _) = lab.call("GET", &tunnels(), "", &Value::Null);
    assert_eq!(status, 404);
    let made = lab.post(DEFINITIONS, &definition(json!([])));
    assert_eq!(made["status"]["conditions"][1]["type"], "Established");
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(made["spec"]["names"]["listKind"], "TunnelList");
    let group = lab.get("/apis/example.org");
    assert_eq!(group["preferredVersion"]["groupVersion"], "example.org/v1");
    let resources = lab.get("/apis/example.org/v1");
    assert_eq!(resources["resources"][0]["shortNames"], json!(["tn"]));
    assert_eq!(resources["resources"][1]["name"], "tunnels/status");
    let document = lab.get("/openapi/v3/apis/example.org/v1");
    let schema = &document["components"]["schemas"]["org.example.v1.Tunnel"];
    assert_eq!(
        schema["x-kubernetes-group-version-kind"][0]["kind"],
        "Tunnel"
    );
    lab.post(&tunnels(), &tunnel("a"));
    let list = lab.get(&tunnels());
    assert_eq!(list["kind"], "TunnelList");
    assert_eq!(
        list["items"][0]["spec"],
        json!({"size": 3, "limits": "few"})
    );
    let (status, _) = lab.call(
        "DELETE",
        &format!("{DEFINITIONS}/tunnels.example.org"),
        "",
        &Value::Null,
    );
    assert_eq!(status, 200);
    let (status, _) = lab.call("GET", &tunnels(), "", &Value::Null);
    assert_eq!(status, 404);
    lab.post(DEFINITIONS, &definition(json!([])));
    assert_eq!(
        lab.get(&tunnels())["items"],
        json!([]),
        "the objects went with their definition"
    );
}

#[test]
fn objects_are_checked_by_their_structure_and_have_a_status_of_their_own() {
    let mut lab = Lab::new(1);
    lab.post(DEFINITIONS, &definition(json!([])));
    let mut wrong = tunnel("a");
    wrong["spec"]["size"] = "three".into();
    let (status, answer) = lab.call("POST", &tunnels(), "application/json", &wrong);
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["details"]["causes"][0]["field"], "spec.size");
    let (status, answer) = lab.call(
        "POST",
        &format!("{}?fieldValidation=Strict", tunnels()),
        "application/json",
        &tunnel("a"),
    );
    assert_eq!(status, 400, "{answer}");
    let made = lab.post(&tunnels(), &tunnel("a"));
    assert_eq!(made["metadata"]["generation"], json!(1));
    let one = format!("{}/a", tunnels());
    let status = lab.merge(
        &format!("{one}/status"),
        &json!({"status": {"phase": "Up"}, "spec": {"size": 9}}),
    );
    assert_eq!(status["status"]["phase"], "Up");
    assert_eq!(status["spec"]["size"], json!(3));
    let media = "application/strategic-merge-patch+json";
    let (code, answer) = lab.call("PATCH", &one, media, &json!({"spec": {"size": 5}}));
    assert_eq!(code, 415, "{answer}");
    let changed = lab.merge(
        &one,
        &json!({"spec": {"size": 4}, "status": {"phase": "Down"}}),
    );
    assert_eq!(changed["status"]["phase"], "Up");
    assert_eq!(changed["metadata"]["generation"], json!(2));
}

#[test]
fn tables_have_the_definition_s_columns_or_the_age() {
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut lab = Lab::new(1);
    let columns = json!([
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Limits", "type": "string", "jsonPath": ".spec.limits", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    lab.post(DEFINITIONS, &definition(columns));
    lab.post(&tunnels(), &tunnel("a"));
    lab.run_secs(5);
    let answer = accepted(&mut lab, &tunnels(), table);
    assert_eq!(answer["rows"][0]["cells"], json!(["a", 3, "few", "5s"]));
    assert_eq!(answer["columnDefinitions"][2]["priority"], json!(1));
    lab.merge(
        &format!("{DEFINITIONS}/tunnels.example.org"),
        &json!({"spec": definition(json!([]))["spec"]}),
    );
    let answer = accepted(&mut lab, &tunnels(), table);
    assert_eq!(answer["rows"][0]["cells"], json!(["a", "5s"]));
}

#[test]
fn a_definition_with_a_wrong_name_is_refused() {
    let mut lab = Lab::new(1);
    let mut wrong = definition(json!([]));
    wrong["metadata"]["name"] = "tunnel.example.org".into();
    let (status, answer) = lab.call("POST", DEFINITIONS, "application/json", &wrong);
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["details"]["causes"][0]["field"], "metadata.name");
}
