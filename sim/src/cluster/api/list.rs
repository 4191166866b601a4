//! LIST: selectors, paging and old resourceVersions.

use std::collections::BTreeMap;

use crate::cluster::json::{Value, json};
use bytes::{BufMut, Bytes, BytesMut};

use super::field_errors::Errors;
use super::negotiation::Form;
use super::selectors::{FieldSelector, LabelSelector};
use super::status::{ApiError, json_bytes, json_response};
use super::table::table;
use super::verbs::{Call, metadata_of};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;
use crate::cluster::value;
use crate::cluster::wire::ApiResponse;

/// The selectors of a list or watch.
#[derive(Clone, Debug)]
pub(crate) struct Selectors {
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selectors {
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            labels: LabelSelector::parse(call.query.get("labelSelector").unwrap_or(""))?,
            fields: FieldSelector::parse(
                call.resource.kind,
                call.query.get("fieldSelector").unwrap_or(""),
            )?,
        })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }

    fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

/// A page's position: the snapshot's resourceVersion (0: no longer consistent) and the last key sent.
pub(crate) struct Position {
    pub(crate) rv: u64,
    after: String,
}

impl Position {
    fn token(&self) -> String {
        let mut token = format!("v1.{:x}.", self.rv);
        for b in self.after.bytes() {
            token.push_str(&format!("{b:02x}"));
        }
        token
    }

    pub(crate) fn parse(token: &str) -> Option<Self> {
        let (rv, hex) = token.strip_prefix("v1.")?.split_once('.')?;
        let bytes = hex
            .as_bytes()
            .chunks(2)
            .map(|c| u8::from_str_radix(std::str::from_utf8(c).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()?;
        Some(Self {
            rv: u64::from_str_radix(rv, 16).ok()?,
            after: String::from_utf8(bytes).ok()?,
        })
    }
}

impl Cluster {
    /// GET on a collection.
    pub(crate) fn list(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        let selectors = Selectors::of(call)?;
        let limit = call.query.number("limit").filter(|l| *l > 0);
        let namespace = call.resource.namespace.as_deref();
        let asked = version_parameter(call)?;
        let current = self.store.rv();

        check_match(call)?;
        if let Some(token) = call.query.get("continue") {
            let position = Position::parse(token)
                .ok_or_else(|| ApiError::bad_request("continue key is not valid"))?;
            // `apiserver/pkg/storage/util.go` ValidateListOptions
            if asked.is_some_and(|it| it > 0) {
                return Err(ApiError::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            let (state, rv) = if position.rv == 0 {
                (None, current)
            } else {
                let Some(state) = self.store.state_at(kind, position.rv) else {
                    let mut e = ApiError::expired(
                        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
                    );
                    e.continue_token = Some(
                        Position {
                            rv: 0,
                            after: position.after,
                        }
                        .token(),
                    );
                    return Err(e);
                };
                (Some(state), position.rv)
            };
            return Ok(self.page(
                call,
                namespace,
                state,
                rv,
                &selectors,
                limit,
                &position.after,
            ));
        }
        let (state, rv) = match asked {
            Some(v) if v > current => return Err(ApiError::too_large_version(v, current)),
            Some(v) if v > 0 && call.query.get("resourceVersionMatch") == Some("Exact") => {
                let state = self.store.state_at(kind, v).ok_or_else(|| {
                    ApiError::expired("The resourceVersion for the provided list is too old.")
                })?;
                (Some(state), v)
            }
            _ => (None, current),
        };
        Ok(self.page(call, namespace, state, rv, &selectors, limit, ""))
    }

    #[expect(clippy::too_many_arguments, reason = "one page is all of these")]
    fn page(
        &self,
        call: &Call<'_>,
        namespace: Option<&str>,
        state: Option<BTreeMap<String, Ref>>,
        rv: u64,
        selectors: &Selectors,
        limit: Option<u64>,
        after: &str,
    ) -> ApiResponse {
        let kind = call.resource.kind;
        let prefix = namespace.map_or_else(String::new, |ns| value::key(ns, ""));
        let matching = |(key, o): &(&String, &Ref)| {
            key.starts_with(&prefix) && key.as_str() > after && selectors.matches(&o.value)
        };
        let all: Vec<(&String, &Ref)> = match &state {
            Some(state) => state.iter().filter(matching).collect(),
            None => self.store.list(kind, namespace).filter(matching).collect(),
        };
        let taken = limit.map_or(all.len(), |l| {
            all.len().min(usize::try_from(l).unwrap_or(usize::MAX))
        });
        let mut metadata = json!({"resourceVersion": rv.to_string()});
        if taken < all.len() {
            let position = Position {
                rv,
                after: all[taken - 1].0.clone(),
            };
            metadata["continue"] = position.token().into();
            if selectors.is_empty() {
                metadata["remainingItemCount"] = (all.len() - taken).into();
            }
        }
        let page = all[..taken].iter().map(|(_, o)| *o);
        let body = match call.form {
            Form::Whole => list_body(kind, &metadata, page),
            Form::Metadata => {
                let items: Vec<Value> = page.map(|o| metadata_of(&o.value)).collect();
                json_bytes(&json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata, "items": items,
                }))
            }
            Form::Table => json_bytes(&table(call.rows(), metadata, page.map(|o| &o.value))),
        };
        json_response(200, body)
    }
}

/// Refuses a `resourceVersionMatch` that a list can't have
/// (`apimachinery/pkg/apis/meta/internalversion/validation/validation.go` ValidateListOptions).
fn check_match(call: &Call<'_>) -> Result<(), ApiError> {
    const FIELD: &str = "resourceVersionMatch";
    let matching = call.query.get(FIELD).unwrap_or_default();
    if matching.is_empty() {
        return Ok(());
    }
    let version = call.query.get("resourceVersion").unwrap_or_default();
    let mut errors = Errors::default();
    if version.is_empty() {
        let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
        errors.forbidden(FIELD, why);
    }
    if call.query.get("continue").is_some() {
        let why = "resourceVersionMatch is forbidden when continue is provided";
        errors.forbidden(FIELD, why);
    }
    let known = ["Exact", "NotOlderThan"];
    if !known.contains(&matching) {
        errors.not_supported(FIELD, matching, &[known[0], known[1], ""]);
    }
    if matching == "Exact" && version == "0" {
        let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
        errors.forbidden(FIELD, why);
    }
    errors.of_options("ListOptions")
}

/// The number in `resourceVersion`.
pub(crate) fn version_parameter(call: &Call<'_>) -> Result<Option<u64>, ApiError> {
    let Some(text) = call.query.get("resourceVersion") else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        ApiError::bad_request(format!(
            "Invalid value: \"{text}\": invalid resource version"
        ))
    })
}

/// The list's text, put together from the cached texts of its items.
fn list_body<'a>(kind: Kind, metadata: &Value, objects: impl Iterator<Item = &'a Ref>) -> Bytes {
    let mut out = BytesMut::with_capacity(4_096);
    out.put_slice(b"{\"kind\":\"");
    out.put_slice(kind.list().as_bytes());
    out.put_slice(b"\",\"apiVersion\":\"");
    out.put_slice(kind.api_version().as_bytes());
    out.put_slice(b"\",\"metadata\":");
    out.put_slice(&json_bytes(metadata));
    out.put_slice(b",\"items\":[");
    for (i, object) in objects.enumerate() {
        if i > 0 {
            out.put_u8(b',');
        }
        out.put_slice(object.bytes());
    }
    out.put_slice(b"]}");
    out.freeze()
}
