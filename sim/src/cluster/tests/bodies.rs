//! Bodies in each media type, and what of unknown and doubled fields.

use std::collections::BTreeSet;

use super::lab::{Lab, NS, apps, core};
use crate::cluster::json::{Value, json};
use crate::cluster::{ApiResponse, Kind};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Objects as client-go encodes them, in protobuf and in JSON. `tests/reference/controllers/bodies` writes them.
const BODIES: &str = include_str!("bodies.json");

fn rows() -> Vec<(Vec<u8>, Value)> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(BODIES).expect("JSON");
    let rows = rows.into_iter().map(|row| {
        let body: k8s_openapi::ByteString =
            serde_json::from_value(row["protobuf"].clone()).expect("base64");
        (body.0, Value::from(row["json"].clone()))
    });
    rows.collect()
}

fn kind_of(object: &Value) -> Kind {
    let name = object["kind"].as_str().expect("a kind");
    let mut kinds = Kind::ALL.into_iter();
    kinds
        .find(|kind| kind.name() == name)
        .expect("it is served")
}

fn collection(object: &Value) -> String {
    let kind = kind_of(object);
    let root = if kind.group().is_empty() {
        "api"
    } else {
        "apis"
    };
    let namespace = if kind.namespaced() {
        format!("/namespaces/{NS}")
    } else {
        String::new()
    };
    format!(
        "/{root}/{}{namespace}/{}",
        kind.api_version(),
        kind.plural()
    )
}

fn send(lab: &mut Lab, path: &str, media: &str, body: &[u8]) -> (u16, Value, Vec<String>) {
    let response = lab.raw("POST", path, media, body);
    let ApiResponse::Unary {
        status,
        body,
        warnings,
        ..
    } = response
    else {
        panic!("a watch")
    };
    let told = warnings
        .iter()
        .map(|it| it.to_str().expect("plain").to_owned());
    let body = serde_json::from_slice(&body).expect("JSON");
    (status, body, told.collect())
}

/// A header `Warning` as it is sent.
fn header(text: &str) -> String {
    format!("299 - \"{}\"", text.replace('"', "\\\""))
}

/// What differs between two objects that were created at the same instant.
fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for own in ["uid", "resourceVersion"] {
        metadata.remove(own);
    }
    object
}

#[test]
fn a_body_in_protobuf_makes_the_same_object_as_in_json() {
    let (mut found, mut differing) = (BTreeSet::new(), Vec::new());
    for (protobuf, object) in rows() {
        if object["kind"] == "Eviction" {
            continue;
        }
        let path = collection(&object);
        let json = object.to_string();
        let (status, as_json, _) =
            send(&mut Lab::new(1), &path, "application/json", json.as_bytes());
        assert_eq!(status, 201, "{as_json}");
        let (status, as_protobuf, warnings) = send(&mut Lab::new(1), &path, PROTOBUF, &protobuf);
        assert_eq!(status, 201, "{as_protobuf}");
        let (from_protobuf, from_json) = (comparable(&as_protobuf), comparable(&as_json));
        if from_protobuf != from_json {
            differing.push(format!("{from_protobuf}\n{from_json}"));
        }
        assert!(warnings.is_empty(), "{warnings:?}");
        found.insert(kind_of(&object));
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
    let mut all = BTreeSet::from(Kind::ALL);
    // It is sent in JSON only.
    all.remove(&Kind::CustomResourceDefinition);
    assert_eq!(found, all);
}

#[test]
fn an_eviction_in_protobuf_evicts() {
    let mut lab = Lab::new(1);
    let spec = json!({"containers": [{"name": "p", "image": "p:1"}]});
    for name in ["p", "q"] {
        let pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
        lab.post(&core("pods"), &pod);
    }
    lab.run_secs(5);
    let (protobuf, _) = rows().pop().expect("the last one");
    let path = core("pods/p/eviction");
    for (path, status, left) in [
        (core("pods/q/eviction"), 400, true),
        (format!("{path}?dryRun=All"), 201, true),
        (path, 201, false),
    ] {
        let (is, answer, _) = send(&mut lab, &path, PROTOBUF, &protobuf);
        assert_eq!(is, status, "{answer}");
        assert_eq!(lab.cluster.object(Kind::Pod, NS, "p").is_some(), left);
    }
}

#[test]
fn what_is_no_protobuf_of_the_kind_is_refused() {
    let mut lab = Lab::new(1);
    let (deployment, _) = rows().swap_remove(0);
    let long = b"k8s\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let cases: [(&[u8], &str); 6] = [
        (b"", "empty data"),
        (b"{}", "expected prefix [107 56 115 0] ({})"),
        (b"k8s\0", "empty body"),
        (b"k8s\0\xff", "unexpected EOF"),
        (long, "unexpected EOF"),
        (
            &deployment,
            "Deployment in version \"v1\" cannot be handled as a ConfigMap",
        ),
    ];
    for (body, why) in cases {
        let (status, answer, _) = send(&mut lab, &core("configmaps"), PROTOBUF, body);
        assert_eq!((status, &answer["reason"]), (400, &json!("BadRequest")));
        let message = answer["message"].as_str().expect("a message");
        assert!(message.contains(why), "{message}");
    }
    // However a body is cut or changed, it is answered.
    for length in 0..deployment.len() {
        let (status, ..) = send(
            &mut lab,
            &apps("deployments"),
            PROTOBUF,
            &deployment[..length],
        );
        assert!(status < 500, "{length}: {status}");
        let mut changed = deployment.clone();
        changed[length] ^= 0x55;
        let (status, ..) = send(&mut lab, &apps("deployments"), PROTOBUF, &changed);
        assert!(status < 500, "{length}: {status}");
    }
    let (status, answer, _) = send(&mut lab, &core("configmaps"), "text/html", b"{}");
    assert_eq!(
        (status, &answer["reason"]),
        (415, &json!("UnsupportedMediaType"))
    );
}

#[test]
fn a_body_in_yaml_is_read() {
    let mut lab = Lab::new(1);
    let text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: \"1\"\n  b: |\n    x\n";
    let (status, answer, _) = send(&mut lab, &core("configmaps"), "application/yaml", text);
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["data"], json!({"a": "1", "b": "x\n"}));
    let (status, answer, _) = send(&mut lab, &core("configmaps"), "application/yaml", b"a: [");
    assert_eq!(status, 400, "{answer}");
}

/// `kubectl create --validate=strict`, and `--validate=warn`.
#[test]
fn unknown_and_doubled_fields_are_refused_or_warned_of() {
    let body = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"risk"},"spec":{
        "replica":3,"replicas":1,"replicas":2,"selector":{"matchLabels":{"app":"risk"}},
        "template":{"metadata":{"labels":{"app":"risk"}},"spec":{"containers":[{"name":"risk","image":"r:1","imag":"x"}]}}}}"#;
    let problems = [
        "duplicate field \"spec.replicas\"",
        "unknown field \"spec.replica\"",
        "unknown field \"spec.template.spec.containers[0].imag\"",
    ];
    for (validation, status, warned) in [
        ("?fieldValidation=Strict", 400, 0),
        ("?fieldValidation=Warn", 201, 3),
        ("?fieldValidation=Ignore", 201, 0),
        ("?fieldValidation=Odd", 422, 0),
        ("", 201, 3),
    ] {
        let path = format!("{}{validation}", apps("deployments"));
        let (is, answer, warnings) =
            send(&mut Lab::new(1), &path, "application/json", body.as_bytes());
        assert_eq!(is, status, "{validation}: {answer}");
        let expected: Vec<String> = problems[..warned].iter().map(|it| header(it)).collect();
        assert_eq!(warnings, expected, "{validation}");
        if status == 400 {
            let why = format!(
                "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: {}",
                problems.join(", ")
            );
            assert_eq!(answer["message"], why);
        }
        if status == 201 {
            assert_eq!(answer["spec"]["replicas"], 2);
        }
    }
}

#[test]
fn a_body_of_another_kind_or_version_is_refused() {
    let mut lab = Lab::new(1);
    let body = |api_version: &str, kind: &str| {
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}).to_string()
    };
    let cases = [
        (
            "v1",
            "Secret",
            "Secret in version \"v1\" cannot be handled as a ConfigMap",
        ),
        (
            "v2",
            "ConfigMap",
            "the API version in the data (v2) does not match the expected API version (v1)",
        ),
    ];
    for (api_version, kind, why) in cases {
        let body = body(api_version, kind);
        let (status, answer, _) = send(
            &mut lab,
            &core("configmaps"),
            "application/json",
            body.as_bytes(),
        );
        assert_eq!(status, 400, "{answer}");
        let message = answer["message"].as_str().expect("a message");
        assert!(message.starts_with(why), "{message}");
    }
}
