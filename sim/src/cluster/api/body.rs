//! The body of a request as a tree: JSON, YAML or protobuf, by its `Content-Type`
//! (`apiserver/pkg/endpoints/handlers/negotiation`, `handlers/rest.go`).

use serde_json::Value as Raw;

use super::protobuf;
use super::status::ApiError;
use super::text::{self, Parsed};
use super::verbs::{Call, unsupported_media};
use crate::cluster::kinds::Kind;
use crate::cluster::wire::ApiRequest;

/// The media types of what can be decoded.
pub(super) const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Bytes of a body that an error shows.
const SHOWN: usize = 30;

/// What a body has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
}

impl From<Kind> for Expected<'static> {
    fn from(kind: Kind) -> Self {
        Self {
            api_version: kind.api_version(),
            kind: kind.name(),
        }
    }
}

/// The version alone, as it stands in messages.
fn version(api_version: &str) -> &str {
    let parts = api_version.split_once('/');
    parts.map_or(api_version, |(_, version)| version)
}

impl Expected<'_> {
    /// 400: what the body says that it is can't be taken for what it has to be (`rest.go` transformDecodeError).
    pub(super) fn cannot(&self, given: &str, why: &str) -> ApiError {
        let given = if given.is_empty() { self.kind } else { given };
        ApiError::bad_request(format!(
            "{given} in version {:?} cannot be handled as a {}: {why}",
            version(self.api_version),
            self.kind
        ))
    }

    /// 400: nobody knows what the body is.
    fn unrecognized(&self, why: &str, body: &[u8]) -> ApiError {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {why} ({})",
            self.kind,
            summary(body)
        ))
    }
}

/// The beginning of a body, as an error shows it (`rest.go` summarizeData).
fn summary(body: &[u8]) -> String {
    let shown = &body[..body.len().min(SHOWN)];
    let more = if body.len() > SHOWN { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}

impl Call<'_> {
    /// The body of the request, see [`body_of`].
    pub(super) fn body(&self, expected: Expected<'_>) -> Result<Parsed, ApiError> {
        body_of(self.request, expected)
    }
}

/// The media type of a request's body, without parameters.
pub(super) fn media_type(request: &ApiRequest) -> &str {
    let whole = request.content_type.as_deref();
    let media = whole.and_then(|it| it.split(';').next());
    media.map_or("", str::trim)
}

/// The body of a request, which has to be what is `expected`; what it leaves out of that is taken as said.
///
/// # Errors
/// 415 for a media type that is not read, and 400 for a body that is something else.
pub(super) fn body_of(request: &ApiRequest, expected: Expected<'_>) -> Result<Parsed, ApiError> {
    let bytes = &request.body;
    let unknown = |why: String| {
        let why = format!("couldn't get version/kind; json parse error: {why}");
        expected.unrecognized(&why, bytes)
    };
    let mut parsed = match media_type(request) {
        "" | "*/*" | JSON => text::json(bytes).map_err(unknown)?,
        YAML => text::yaml(bytes).map_err(unknown)?,
        PROTOBUF => of_protobuf(expected, bytes)?,
        _ => {
            let all = format!("{JSON}, {YAML}, {PROTOBUF}");
            return Err(unsupported_media(&all));
        }
    };
    let Raw::Object(members) = &mut parsed.tree else {
        return Err(unknown("the body is no object".to_owned()));
    };
    let mut given = |name: &str, expected: &str| match members.get(name).and_then(Raw::as_str) {
        None | Some("") => {
            members.insert(name.to_owned(), expected.into());
            expected.to_owned()
        }
        Some(given) => given.to_owned(),
    };
    let kind = given("kind", expected.kind);
    let api_version = given("apiVersion", expected.api_version);
    if kind != expected.kind {
        let why = format!(
            "converting ({kind}) to ({}): unknown conversion",
            expected.kind
        );
        return Err(expected.cannot(&kind, &why));
    }
    // Each client sends the options in the version of its own group.
    if api_version != expected.api_version && kind != "DeleteOptions" {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            expected.api_version
        )));
    }
    Ok(parsed)
}

fn of_protobuf(expected: Expected<'_>, bytes: &[u8]) -> Result<Parsed, ApiError> {
    // Custom resources have no messages.
    if protobuf::message_of(expected.api_version, expected.kind).is_none() {
        return Err(unsupported_media(&format!("{JSON}, {YAML}")));
    }
    let envelope = protobuf::open(bytes).map_err(|why| expected.unrecognized(&why, bytes))?;
    let (api_version, kind) = (envelope.api_version.as_str(), envelope.kind.as_str());
    let message = protobuf::message_of(api_version, kind).ok_or_else(|| {
        expected.cannot(
            kind,
            &format!("no kind {kind:?} is registered for version {api_version:?}"),
        )
    })?;
    let tree = envelope
        .object(message)
        .map_err(|why| expected.cannot(kind, &why))?;
    Ok(Parsed {
        tree,
        problems: Vec::new(),
    })
}
