//! OpenAPI v3: an index, and a document for each group version (`kube-openapi/pkg/handler3`).
//!
//! The schemas are those of the real API server, which `cargo xtask openapi` has cut down to what is served here. The
//! paths are made from the kinds. `kubectl apply` takes from the schemas how lists are merged, and from the paths
//! whether the server validates fields.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::status::{ApiError, json_response};
use crate::cluster::custom::CustomKind;
use crate::cluster::kinds::Kind;
use crate::cluster::wire::ApiResponse;

/// Every schema, under its name.
const SCHEMAS: &str = include_str!("../../../data/openapi/schemas.json");

fn schemas() -> &'static Map<String, Value> {
    static READ: OnceLock<Map<String, Value>> = OnceLock::new();
    READ.get_or_init(|| serde_json::from_str(SCHEMAS).expect("the schemas are JSON"))
}

/// The path below `/openapi/v3` of an `apiVersion`.
fn document_of(api_version: &str) -> String {
    if api_version.contains('/') {
        format!("apis/{api_version}")
    } else {
        format!("api/{api_version}")
    }
}

fn api_versions(kinds: &[Kind]) -> BTreeSet<&'static str> {
    kinds.iter().map(|kind| kind.api_version()).collect()
}

/// Answers a request for the index, or for the document of this name.
///
/// # Errors
/// 404 for a group version that is not served.
pub(super) fn answer(document: Option<&str>, kinds: &[Kind]) -> Result<ApiResponse, ApiError> {
    let Some(document) = document else {
        let paths: Map<String, Value> = api_versions(kinds)
            .into_iter()
            .map(|version| {
                let name = document_of(version);
                let url = format!("/openapi/v3/{name}?hash={:X}", hash(version, kinds));
                (name, json!({"serverRelativeURL": url}))
            })
            .collect();
        return Ok(respond(&json!({"paths": paths})));
    };
    let mut versions = api_versions(kinds).into_iter();
    let version = versions
        .find(|version| document_of(version) == document)
        .ok_or_else(ApiError::no_resource)?;
    Ok(respond(&whole(version, kinds)))
}

fn respond(body: &Value) -> ApiResponse {
    let text = serde_json::to_vec(body).expect("a JSON value serialises");
    json_response(200, text.into())
}

/// Clients keep a document under its hash.
fn hash(api_version: &str, kinds: &[Kind]) -> u64 {
    let mut fingerprint = crate::fingerprint::Fingerprint::default();
    let mut record = |text: &str| {
        fingerprint.record(crate::time::Micros::ZERO, "openapi", text.as_bytes());
    };
    record(SCHEMAS);
    for kind in kinds
        .iter()
        .filter(|kind| kind.api_version() == api_version)
    {
        if let Kind::Custom(of) = kind {
            record(of.name());
            record(&of.schema().to_string());
        }
    }
    fingerprint.value()
}

/// The document of an `apiVersion`.
fn whole(api_version: &str, served: &[Kind]) -> Value {
    let kinds: Vec<Kind> = served
        .iter()
        .copied()
        .filter(|kind| kind.api_version() == api_version)
        .collect();
    let mut paths = Map::new();
    for &kind in &kinds {
        let collection = collection(kind);
        paths.insert(format!("{collection}/{{name}}"), one_path(kind));
        paths.insert(collection, collection_path(kind));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.34.4"},
        "paths": paths,
        "components": {"schemas": reachable(&kinds)},
    })
}

fn collection(kind: Kind) -> String {
    let namespace = if kind.namespaced() {
        "namespaces/{namespace}/"
    } else {
        ""
    };
    let root = document_of(kind.api_version());
    format!("/{root}/{namespace}{}", kind.plural())
}

/// Group, version and kind, as schemas and operations name them.
fn group_version_kind(kind: Kind) -> Value {
    let version = kind.api_version();
    let version = version.split_once('/').map_or(version, |(_, of)| of);
    json!({"group": kind.group(), "version": version, "kind": kind.name()})
}

fn parameters(names: &[(&str, &str)]) -> Vec<Value> {
    let one = |(name, of_type): &(&str, &str)| json!({"name": name, "in": "query", "schema": {"type": of_type}});
    names.iter().map(one).collect()
}

fn one_path(kind: Kind) -> Value {
    let gvk = group_version_kind(kind);
    let schema = json!({"$ref": format!("#/components/schemas/{}", schema_of(kind))});
    let answer =
        json!({"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}});
    let patch = json!({"schema": {"$ref": format!("#/components/schemas/{PATCH}")}});
    let content: Map<String, Value> = super::patch::MEDIA_TYPES
        .iter()
        .map(|media| ((*media).to_owned(), patch.clone()))
        .collect();
    let written = [
        ("dryRun", "string"),
        ("fieldManager", "string"),
        ("fieldValidation", "string"),
    ];
    let applied = [&written[..], &[("force", "boolean")]].concat();
    let operation = |action: &str, rest: Value| {
        let mut operation = json!({
            "responses": answer,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
        });
        let Value::Object(rest) = rest else {
            return operation;
        };
        for (name, value) in rest {
            operation[name] = value;
        }
        operation
    };
    json!({
        "get": operation("get", json!({})),
        "put": operation("put", json!({
            "parameters": parameters(&written),
            "requestBody": {"content": {"application/json": {"schema": schema}}, "required": true},
        })),
        "patch": operation("patch", json!({
            "parameters": parameters(&applied),
            "requestBody": {"content": content, "required": true},
        })),
        "delete": operation("delete", json!({"parameters": parameters(&written[..1])})),
    })
}

fn collection_path(kind: Kind) -> Value {
    let gvk = group_version_kind(kind);
    let schema = json!({"$ref": format!("#/components/schemas/{}", schema_of(kind))});
    let content = json!({"application/json": {"schema": schema}});
    json!({
        "get": {
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "list", "x-kubernetes-group-version-kind": gvk,
        },
        "post": {
            "parameters": parameters(&[
                ("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"),
            ]),
            "requestBody": {"content": content, "required": true},
            "responses": {"201": {"description": "Created", "content": content}},
            "x-kubernetes-action": "post", "x-kubernetes-group-version-kind": gvk,
        },
    })
}

/// The schema of any object's metadata.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// The schema of any patch.
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/// The schema of this name.
pub(super) fn schema(name: &str) -> Option<&'static Value> {
    schemas().get(name)
}

/// The schema of the objects of a kind. That of a kind that was added says nothing of metadata.
pub(super) fn schema_of_kind(kind: Kind) -> Option<&'static Value> {
    if let Kind::Custom(of) = kind {
        return Some(of.schema());
    }
    schema(name_of_built_in(kind))
}

/// The name of a kind's schema. That of a kind that was added has its group's parts in reverse order.
fn schema_of(kind: Kind) -> String {
    if let Kind::Custom(of) = kind {
        let mut parts: Vec<&str> = of.group().split('.').rev().collect();
        parts.extend([of.version(), of.name()]);
        return parts.join(".");
    }
    name_of_built_in(kind).to_owned()
}

/// The name of the schema of a kind that is built in; empty if there is none.
fn name_of_built_in(kind: Kind) -> &'static str {
    // Each strategic merge patch asks, and there are hundreds of schemas to look through.
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| Kind::ALL.into_iter().map(found_name).collect());
    names.get(kind.index()).copied().unwrap_or_default()
}

fn found_name(kind: Kind) -> &'static str {
    let gvk = group_version_kind(kind);
    let mut all = schemas().iter();
    let found = all.find(|(_, schema)| {
        let kinds = schema.get("x-kubernetes-group-version-kind");
        kinds
            .and_then(Value::as_array)
            .is_some_and(|kinds| kinds.contains(&gvk))
    });
    found.map_or("", |(name, _)| name.as_str())
}

/// The schema of a kind that was added, as its definition has it.
fn custom_schema(kind: Kind, of: &CustomKind) -> Value {
    let mut schema = match of.schema() {
        Value::Object(_) => of.schema().clone(),
        _ => json!({"type": "object"}),
    };
    let metadata = json!({"$ref": format!("#/components/schemas/{OBJECT_META}")});
    for (name, own) in [
        ("apiVersion", json!({"type": "string"})),
        ("kind", json!({"type": "string"})),
        ("metadata", json!({"allOf": [metadata]})),
    ] {
        schema["properties"][name] = own;
    }
    schema["x-kubernetes-group-version-kind"] = json!([group_version_kind(kind)]);
    schema
}

/// The schemas of these kinds, and whatever they refer to.
fn reachable(kinds: &[Kind]) -> Map<String, Value> {
    let mut wanted: Vec<String> = kinds.iter().map(|&kind| schema_of(kind)).collect();
    wanted.push(PATCH.to_owned());
    let mut taken = Map::new();
    for &kind in kinds {
        if let Kind::Custom(of) = kind {
            let schema = custom_schema(kind, of);
            references(&schema, &mut wanted);
            taken.insert(schema_of(kind), schema);
        }
    }
    while let Some(name) = wanted.pop() {
        let Some(schema) = schemas().get(&name) else {
            continue;
        };
        if taken.insert(name, schema.clone()).is_none() {
            references(schema, &mut wanted);
        }
    }
    taken
}

/// The names of the schemas that `value` refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("$ref", Value::String(to)) => {
                        found.extend(to.rsplit('/').next().map(str::to_owned));
                    }
                    _ => references(member, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|it| references(it, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(document: Option<&str>) -> Value {
        let ApiResponse::Unary {
            status: 200, body, ..
        } = answer(document, &Kind::ALL).expect("served")
        else {
            panic!("a document")
        };
        serde_json::from_slice(&body).expect("JSON")
    }

    #[test]
    fn the_index_leads_to_a_document_with_a_schema_of_every_kind() {
        let index = body(None);
        let paths = index["paths"].as_object().expect("paths");
        let mut found = 0;
        for (name, entry) in paths {
            let url = entry["serverRelativeURL"].as_str().expect("a URL");
            assert!(
                url.starts_with(&format!("/openapi/v3/{name}?hash=")),
                "{url}"
            );
            let document = body(Some(name));
            let schemas = document["components"]["schemas"]
                .as_object()
                .expect("schemas");
            let mut references = Vec::new();
            super::references(&document, &mut references);
            for name in references {
                assert!(schemas.contains_key(&name), "{name} is missing");
            }
            found += document["paths"].as_object().expect("paths").len() / 2;
        }
        assert_eq!(found, Kind::ALL.len());
        assert!(
            Kind::ALL
                .into_iter()
                .all(|kind| !schema_of(kind).is_empty())
        );
        assert_eq!(
            answer(Some("apis/apps/v2"), &Kind::ALL)
                .expect_err("none")
                .code,
            404
        );
    }

    #[test]
    fn an_apply_finds_merge_keys_and_field_validation() {
        let document = body(Some("apis/apps/v1"));
        let patch =
            &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        let parameters = patch["parameters"].as_array().expect("parameters");
        assert!(parameters.iter().any(|it| it["name"] == "fieldValidation"));
        assert_eq!(
            patch["x-kubernetes-group-version-kind"]["kind"],
            "Deployment"
        );
        let spec = &document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"];
        let containers = &spec["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    }
}
