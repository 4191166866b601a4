//! One request: from its path and verb to a response.

use std::cell::RefCell;

use crate::cluster::json::{Value, json};
use bytes::Bytes;
use http::Method;

use super::body::{Expected, media_type};
use super::decode::canonical;
use super::field_errors::Errors;
use super::list::Selectors;
use super::managed::Writer;
use super::negotiation::{self, Form};
use super::path::{Query, Resource, Route, is_of_served_version, parse};
use super::selectors::LabelSelector;
use super::status::{ApiError, json_bytes, json_response};
use super::table::{Include, Rows, table};
use super::{discovery, openapi};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::{CONTROLLERS, Cluster};
use crate::cluster::objects::{DeleteOptions, Deletion, Part, Propagation};
use crate::cluster::store::Ref;
use crate::cluster::value::{self, at, int, items, set, text};
use crate::cluster::wire::{ApiRequest, ApiResponse};
use crate::time::Micros;
use crate::workload::Workload;

/// Largest body, bytes (`MaxRequestBodyBytes`).
const MAX_BODY: usize = 3 * 1024 * 1024;

/// A request with its path taken apart.
pub(crate) struct Call<'a> {
    pub(crate) resource: Resource,
    pub(crate) query: Query,
    pub(crate) request: &'a ApiRequest,
    /// The form of the answer.
    pub(crate) form: Form,
    /// What the rows of a table have of their objects.
    pub(crate) include: Include,
    /// The present instant.
    pub(crate) now: Micros,
    /// What the answer warns of.
    pub(crate) warnings: RefCell<Vec<http::HeaderValue>>,
}

impl Call<'_> {
    /// Namespace of the path, empty for cluster-wide requests.
    pub(crate) fn namespace(&self) -> &str {
        self.resource.namespace.as_deref().unwrap_or("")
    }

    pub(crate) fn name(&self) -> &str {
        self.resource.name.as_deref().unwrap_or("")
    }

    pub(crate) fn key(&self) -> String {
        value::key(self.namespace(), self.name())
    }

    /// The media type of the body, without parameters.
    pub(crate) fn media_type(&self) -> &str {
        media_type(self.request)
    }

    /// What a table for this request is made of.
    pub(crate) fn rows(&self) -> Rows {
        Rows {
            now: self.now,
            kind: self.resource.kind,
            include: self.include,
            with_columns: true,
        }
    }

    /// The answer with one object, in the form that is asked for.
    pub(crate) fn answer(&self, status: u16, object: &Ref) -> ApiResponse {
        let body = match self.form {
            Form::Whole => object.bytes().clone(),
            Form::Metadata => json_bytes(&metadata_of(&object.value)),
            Form::Table => {
                let version = text(&object.value, &["metadata", "resourceVersion"]);
                let metadata = json!({"resourceVersion": version});
                let one = std::iter::once(&object.value);
                json_bytes(&table(self.rows(), metadata, one))
            }
        };
        json_response(status, body)
    }

    /// The body of a POST or PUT as a canonical object.
    fn object(&self) -> Result<Value, ApiError> {
        let kind = self.resource.kind;
        let expected = Expected::from(kind);
        let parsed = self.body(expected)?;
        let decoded = canonical(kind, parsed.tree)
            .map_err(|error| expected.cannot("", &error.to_string()))?;
        let problems = [parsed.problems, decoded.problems().collect()].concat();
        match self.strict_error(&problems) {
            Some(why) => Err(expected.cannot("", &why)),
            None => Ok(decoded.object),
        }
    }
}

/// An object of which only the metadata are asked for.
pub(crate) fn metadata_of(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": at(object, &["metadata"]),
    })
}

/// 415.
pub(crate) fn unsupported_media(accepted: &str) -> ApiError {
    ApiError::new(
        415,
        "UnsupportedMediaType",
        format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        ),
    )
}

impl Cluster {
    /// Answers one request at `now`; whatever is due by then is done first.
    pub fn handle(
        &mut self,
        now: Micros,
        req: ApiRequest,
        workload: &mut dyn Workload,
    ) -> ApiResponse {
        self.advance(now, workload);
        let answer = self.answer(&req, workload);
        self.writer = CONTROLLERS;
        answer.unwrap_or_else(|e| e.response())
    }

    fn answer(
        &mut self,
        request: &ApiRequest,
        workload: &mut dyn Workload,
    ) -> Result<ApiResponse, ApiError> {
        if request.body.len() > MAX_BODY {
            return Err(ApiError::new(
                413,
                "RequestEntityTooLarge",
                format!("Request entity too large: limit is {MAX_BODY}"),
            ));
        }
        let path = request.uri.path();
        let Some(route) = parse(path, &self.custom) else {
            if is_of_served_version(path, &self.custom) {
                return Err(ApiError::no_resource());
            }
            // No group of resources takes it: the answer of Go's `http.NotFound`.
            let media = "text/plain; charset=utf-8";
            let body = Bytes::from_static(b"404 page not found\n");
            return Ok(ApiResponse::whole(404, media, body));
        };
        if matches!(route, Route::Version | Route::Discovery(_)) && request.method != Method::GET {
            return Err(ApiError::method_not_allowed());
        }
        let resource = match route {
            Route::Health => {
                let media = "text/plain; charset=utf-8";
                return Ok(ApiResponse::whole(200, media, Bytes::from_static(b"ok")));
            }
            Route::Version => return Ok(json_response(200, json_bytes(&version()))),
            Route::Discovery(of) => {
                let kinds: Vec<Kind> = self.kinds().collect();
                return discovery::answer(&of, request.accept.as_deref(), &kinds);
            }
            Route::OpenApi(document) => {
                let kinds: Vec<Kind> = self.kinds().collect();
                return openapi::answer(document.as_deref(), &kinds);
            }
            Route::Review(review) => return review.answer(request),
            Route::Resource(r) => r,
        };
        self.provide(resource.kind);
        let accept = request.accept.as_deref();
        // A log and what a pod answers have a media type of their own.
        let form = match resource.subresource {
            None => {
                let is_list = resource.name.is_none() && request.method == Method::GET;
                if !matches!(resource.kind, Kind::Custom(_)) {
                    negotiation::routed(accept, is_list)?;
                }
                Form::of(accept)?
            }
            Some(_) => Form::Whole,
        };
        let query = Query::parse(request.uri.query());
        let call = Call {
            resource,
            form,
            include: Include::parse(query.get("includeObject"))?,
            query,
            request,
            now: self.now,
            warnings: RefCell::default(),
        };
        call.check_options()?;
        let manager = call.query.get("fieldManager");
        self.writer = Writer::client(manager, request.user_agent.as_deref());
        let mut response = self.dispatch(&call, workload)?;
        if let ApiResponse::Unary { warnings, .. } = &mut response {
            warnings.append(&mut call.warnings.take());
        }
        Ok(response)
    }

    fn dispatch(
        &mut self,
        call: &Call<'_>,
        workload: &mut dyn Workload,
    ) -> Result<ApiResponse, ApiError> {
        match call.resource.subresource.as_deref() {
            None => self.object_verb(call),
            Some("status") if call.resource.kind.has_status() => self.status_verb(call),
            Some("scale") if call.resource.kind.has_scale() => self.scale_verb(call),
            Some("log") if call.resource.kind == Kind::Pod => self.pod_log(call, workload),
            Some("proxy") if call.resource.kind == Kind::Pod => self.pod_proxy(call, workload),
            Some("eviction") if call.resource.kind == Kind::Pod => self.pod_eviction(call),
            Some("exec" | "attach" | "portforward") if call.resource.kind == Kind::Pod => {
                self.pod_connect(call)
            }
            Some(_) => Err(ApiError::no_resource()),
        }
    }

    fn object_verb(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        let named = call.resource.name.is_some();
        match call.request.method {
            Method::GET if !named && call.query.flag("watch") => self.watch(call),
            Method::GET if !named => self.list(call),
            Method::GET => Ok(call.answer(200, &self.found(call)?)),
            Method::POST if !named => self.post(call),
            Method::PUT if named => self.put(call, Part::Main),
            Method::PATCH if named => self.patch(call, Part::Main),
            Method::DELETE if named => self.delete_verb(call),
            Method::DELETE if call.resource.kind.has_delete_collection() => {
                self.delete_collection(call)
            }
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn status_verb(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        match call.request.method {
            Method::GET => Ok(call.answer(200, &self.found(call)?)),
            Method::PUT => self.put(call, Part::Status),
            Method::PATCH => self.patch(call, Part::Status),
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    pub(crate) fn found(&self, call: &Call<'_>) -> Result<Ref, ApiError> {
        if let Some(asked) = call.query.number("resourceVersion")
            && asked > self.store.rv()
        {
            return Err(ApiError::too_large_version(asked, self.store.rv()));
        }
        self.get(call.resource.kind, &call.key())
            .ok_or_else(|| ApiError::not_found(call.resource.kind, call.name()))
    }

    fn post(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        if kind.namespaced() && call.resource.namespace.is_none() {
            return Err(ApiError::method_not_allowed());
        }
        let object = call.object()?;
        self.create_or_try(call, object)
    }

    /// Creates an object, or with `dryRun` only shows what would be created.
    pub(crate) fn create_or_try(
        &mut self,
        call: &Call<'_>,
        object: Value,
    ) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        if call.query.dry_run() {
            let (_, object) = self.prepare_create(kind, call.namespace(), object)?;
            return Ok(json_response(201, json_bytes(&object)));
        }
        let stored = self.create(kind, call.namespace(), object)?;
        Ok(call.answer(201, &stored))
    }

    fn put(&mut self, call: &Call<'_>, part: Part) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        let mut object = call.object()?;
        self.check_name(call, &object)?;
        let key = call.key();
        let creates = matches!(kind, Kind::Lease | Kind::Event) && part == Part::Main;
        if creates && self.store.get(kind, &key).is_none() {
            value::remove(&mut object, &["metadata", "resourceVersion"]);
            set(&mut object, &["metadata", "name"], call.name());
            return self.create_or_try(call, object);
        }
        if kind.needs_version()
            && text(&object, &["metadata", "resourceVersion"]).is_empty()
            && self.store.get(kind, &key).is_some()
        {
            return Err(ApiError::invalid(
                kind,
                call.name(),
                "metadata.resourceVersion",
                "FieldValueInvalid",
                "Invalid value: 0: must be specified for an update",
            ));
        }
        self.write(call, object, part, 200)
    }

    /// Stores an object for a PUT or a PATCH and answers with it.
    pub(crate) fn write(
        &mut self,
        call: &Call<'_>,
        object: Value,
        part: Part,
        status: u16,
    ) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        if call.query.dry_run() {
            let old = self.found(call)?;
            let object = self.prepare_update(kind, &old, object, part)?;
            return Ok(json_response(status, json_bytes(&object)));
        }
        let stored = self.update(kind, &call.key(), object, part)?;
        Ok(call.answer(status, &stored))
    }

    pub(crate) fn check_name(&self, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
        let name = value::name(object);
        if name != call.name() {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                call.name()
            )));
        }
        let namespace = value::namespace(object);
        if !namespace.is_empty() && namespace != call.namespace() {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        Ok(())
    }

    /// DELETE on a collection: what the selectors match, each as a DELETE of its own would; answers with the list
    /// (`apiserver/pkg/registry/generic/registry/store.go` DeleteCollection).
    fn delete_collection(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        if kind.namespaced() && call.resource.namespace.is_none() {
            return Err(ApiError::method_not_allowed());
        }
        let options = delete_options(call)?;
        let selectors = Selectors::of(call)?;
        let matching: Vec<(String, Value)> = self
            .store
            .list(kind, call.resource.namespace.as_deref())
            .filter(|(_, o)| selectors.matches(&o.value))
            .map(|(key, o)| (key.clone(), o.value.clone()))
            .collect();
        for (key, _) in &matching {
            self.delete(kind, key, &options)?;
        }
        let items: Vec<Value> = matching.into_iter().map(|(_, object)| object).collect();
        let list = json!({
            "kind": kind.list(), "apiVersion": kind.api_version(),
            "metadata": {"resourceVersion": self.store.rv().to_string()}, "items": items,
        });
        Ok(json_response(200, json_bytes(&list)))
    }

    fn delete_verb(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        let options = delete_options(call)?;
        match self.delete(kind, &call.key(), &options)? {
            Deletion::Marked(object) => Ok(json_response(200, object.bytes().clone())),
            Deletion::Done(object) if kind == Kind::Pod => {
                Ok(json_response(200, object.bytes().clone()))
            }
            Deletion::Done(object) => {
                let mut details = json!({
                    "name": call.name(), "kind": kind.plural(), "uid": value::uid(&object.value),
                });
                if !kind.group().is_empty() {
                    details["group"] = kind.group().into();
                }
                let body = json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {},
                    "status": "Success", "details": details,
                });
                Ok(json_response(200, json_bytes(&body)))
            }
        }
    }

    fn scale_verb(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        let current = self.found(call)?;
        let mut scale = scale_of(&current.value);
        match call.request.method {
            Method::GET => return Ok(json_response(200, json_bytes(&scale))),
            Method::PUT => scale = call.body(SCALE)?.tree.into(),
            Method::PATCH => scale = super::patch::patched(call, &scale)?.tree.into(),
            _ => return Err(ApiError::method_not_allowed()),
        }
        let replicas = int(&scale, &["spec", "replicas"]).unwrap_or(0);
        let mut object = current.value.clone();
        let asked = text(&scale, &["metadata", "resourceVersion"]);
        if asked.is_empty() {
            value::remove(&mut object, &["metadata", "resourceVersion"]);
        } else {
            set(&mut object, &["metadata", "resourceVersion"], asked);
        }
        set(&mut object, &["spec", "replicas"], replicas);
        self.writer = self.writer.clone().through("scale");
        if call.query.dry_run() {
            let object = self.prepare_update(call.resource.kind, &current, object, Part::Main)?;
            return Ok(json_response(200, json_bytes(&scale_of(&object))));
        }
        let stored = self.update(call.resource.kind, &call.key(), object, Part::Main)?;
        Ok(json_response(200, json_bytes(&scale_of(&stored.value))))
    }
}

const SCALE: Expected<'_> = Expected {
    api_version: "autoscaling/v1",
    kind: "Scale",
};

const DELETE_OPTIONS: Expected<'_> = Expected {
    api_version: "v1",
    kind: "DeleteOptions",
};

/// The `DeleteOptions` of a request, from its body and its query.
fn delete_options(call: &Call<'_>) -> Result<DeleteOptions, ApiError> {
    let body: Value = if call.request.body.is_empty() {
        json!({})
    } else {
        call.body(DELETE_OPTIONS)?.tree.into()
    };
    options_of(call, &body)
}

/// The options that a tree and the query give.
pub(super) fn options_of(call: &Call<'_>, body: &Value) -> Result<DeleteOptions, ApiError> {
    let propagation = call
        .query
        .get("propagationPolicy")
        .unwrap_or_else(|| text(body, &["propagationPolicy"]));
    let owned = |path: &[&str]| Some(text(body, path).to_owned()).filter(|s| !s.is_empty());
    Ok(DeleteOptions {
        grace_s: int(body, &["gracePeriodSeconds"]).or_else(|| {
            call.query
                .get("gracePeriodSeconds")
                .and_then(|g| g.parse().ok())
        }),
        propagation: match propagation {
            "" | "Background" => Propagation::Background,
            "Foreground" => Propagation::Foreground,
            "Orphan" => Propagation::Orphan,
            other => {
                let mut errors = Errors::default();
                let known = ["Foreground", "Background", "Orphan", "nil"];
                errors.not_supported("propagationPolicy", other, &known);
                errors.of_options("DeleteOptions")?;
                Propagation::Background
            }
        },
        uid: owned(&["preconditions", "uid"]),
        rv: owned(&["preconditions", "resourceVersion"]),
        dry_run: call.query.dry_run() || !items(body, &["dryRun"]).is_empty(),
    })
}

/// `autoscaling/v1` Scale of a Deployment or ReplicaSet.
fn scale_of(object: &Value) -> Value {
    let selector =
        LabelSelector::of_object(at(object, &["spec", "selector"]).unwrap_or(&Value::Null));
    let meta = |field: &str| text(object, &["metadata", field]).to_owned();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta("name"), "namespace": meta("namespace"), "uid": meta("uid"),
            "resourceVersion": meta("resourceVersion"), "creationTimestamp": meta("creationTimestamp"),
        },
        "spec": {"replicas": int(object, &["spec", "replicas"]).unwrap_or(0)},
        "status": {
            "replicas": int(object, &["status", "replicas"]).unwrap_or(0),
            "selector": selector.text(),
        },
    })
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "34",
        "emulationMajor": "1", "emulationMinor": "34",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
        "gitVersion": "v1.34.4", "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.24.0", "compiler": "gc", "platform": "linux/amd64",
    })
}
