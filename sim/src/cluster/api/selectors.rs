//! Label and field selectors.

use super::label_text;
use super::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{self, at, items, text};

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

/// A label selector: all requirements hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Parses the query parameter `labelSelector`.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        label_text::parse(text)
            .map(Self)
            .map_err(ApiError::bad_request)
    }

    /// From a `LabelSelector` object (`matchLabels`, `matchExpressions`), or a term of a node selector.
    pub(crate) fn of_object(selector: &Value) -> Self {
        let mut all = Self::of_map(at(selector, &["matchLabels"]));
        for e in items(selector, &["matchExpressions"]) {
            let key = text(e, &["key"]).to_owned();
            let values: Vec<String> = items(e, &["values"])
                .iter()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect();
            let number = || values.first().and_then(|v| v.parse().ok()).unwrap_or(0);
            all.0.push(match text(e, &["operator"]) {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                // In a node's affinity alone.
                "Gt" => Requirement::Greater(key, number()),
                "Lt" => Requirement::Less(key, number()),
                _ => Requirement::Absent(key),
            });
        }
        all
    }

    /// From a plain map of labels, as a Service has.
    pub(crate) fn of_map(map: Option<&Value>) -> Self {
        Self(
            map.into_iter()
                .flat_map(Value::members)
                .map(|(k, v)| {
                    Requirement::In(k.to_owned(), vec![v.as_str().unwrap_or("").to_owned()])
                })
                .collect(),
        )
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a map of labels fulfils every requirement.
    pub(crate) fn matches_labels(&self, labels: Option<&Value>) -> bool {
        let get = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
        self.0.iter().all(|r| match r {
            Requirement::In(k, vs) => get(k).is_some_and(|l| vs.iter().any(|v| v == l)),
            Requirement::NotIn(k, vs) => get(k).is_none_or(|l| vs.iter().all(|v| v != l)),
            Requirement::Exists(k) => get(k).is_some(),
            Requirement::Absent(k) => get(k).is_none(),
            Requirement::Greater(k, n) => get(k)
                .and_then(|l| l.parse::<i64>().ok())
                .is_some_and(|l| l > *n),
            Requirement::Less(k, n) => get(k)
                .and_then(|l| l.parse::<i64>().ok())
                .is_some_and(|l| l < *n),
        })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.is_empty() || self.matches_labels(at(object, &["metadata", "labels"]))
    }

    /// The text of a selector whose requirements are all equalities (`/scale` status).
    pub(crate) fn text(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|r| match r {
                Requirement::In(k, vs) if vs.len() == 1 => format!("{k}={}", vs[0]),
                Requirement::In(k, vs) => format!("{k} in ({})", vs.join(",")),
                Requirement::NotIn(k, vs) => format!("{k} notin ({})", vs.join(",")),
                Requirement::Exists(k) => k.clone(),
                Requirement::Absent(k) => format!("!{k}"),
                Requirement::Greater(k, n) => format!("{k}>{n}"),
                Requirement::Less(k, n) => format!("{k}<{n}"),
            })
            .collect();
        parts.join(",")
    }
}

/// A field selector: all terms hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector(Vec<(Vec<String>, String, bool)>);

/// Fields other than `metadata.name` and `metadata.namespace` that a kind supports
/// (`pkg/apis/core/v1/conversion.go`, the registries' strategies).
fn supported(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Pod => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        Kind::ReplicaSet => &["status.replicas"],
        Kind::Event => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        Kind::Namespace => &["status.phase"],
        Kind::Node => &["spec.unschedulable"],
        Kind::Secret => &["type"],
        Kind::Service => &["spec.clusterIP", "spec.type"],
        _ => &[],
    }
}

impl FieldSelector {
    /// Parses the query parameter `fieldSelector`; an unsupported field is a 400.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Self, ApiError> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (field, wanted, equal) = part
                .split_once("!=")
                .map(|(f, v)| (f, v, false))
                .or_else(|| part.split_once("==").map(|(f, v)| (f, v, true)))
                .or_else(|| part.split_once('=').map(|(f, v)| (f, v, true)))
                .ok_or_else(|| {
                    ApiError::bad_request(format!(
                        "invalid selector: '{text}'; can't understand '{part}'"
                    ))
                })?;
            let known = field == "metadata.name"
                || (field == "metadata.namespace" && kind.namespaced())
                || supported(kind).contains(&field);
            if !known {
                // Who adds no fields has the rule that all share (`apimachinery/pkg/runtime/conversion.go`
                // DefaultMetaV1FieldSelectorConversion).
                let own = !supported(kind).is_empty() || matches!(kind, Kind::Custom(_));
                return Err(ApiError::bad_request(if own {
                    format!("field label not supported: {field}")
                } else {
                    format!(
                        "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    )
                }));
            }
            terms.push((
                field.split('.').map(str::to_owned).collect(),
                wanted.to_owned(),
                equal,
            ));
        }
        Ok(Self(terms))
    }

    /// The name that `metadata.name=…` asks for.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|(path, _, equal)| *equal && path == &["metadata", "name"])
            .map(|(_, name, _)| name.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, wanted, equal)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let found = match at(object, &path) {
                Some(Value::String(s)) => s == wanted,
                Some(Value::Array(a)) => a.iter().any(|e| value::text(e, &["ip"]) == wanted),
                Some(Value::Bool(b)) => wanted == if *b { "true" } else { "false" },
                Some(other) => other.as_i64().is_some() && wanted.parse().ok() == other.as_i64(),
                None => {
                    wanted.is_empty()
                        || (matches!(path.last(), Some(&("hostNetwork" | "unschedulable")))
                            && wanted == "false")
                        || (path.last() == Some(&"replicas") && wanted == "0")
                }
            };
            found == *equal
        })
    }
}
