//! In which form a client wants an answer: what its `Accept` header lists, in the order of its wishes
//! (`apiserver/pkg/endpoints/handlers/negotiation/negotiate.go`).

use super::status::ApiError;

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects as they are.
    #[default]
    Whole,
    /// Only their metadata.
    Metadata,
    /// A table with a row for each, as `kubectl get` prints it.
    Table,
}

impl Form {
    /// The first form of `accept` that there is.
    ///
    /// # Errors
    /// 406 if none of them can be answered with.
    pub(crate) fn of(accept: Option<&str>) -> Result<Self, ApiError> {
        let accept = accept.map(str::trim).unwrap_or_default();
        if accept.is_empty() {
            return Ok(Self::Whole);
        }
        accept.split(',').find_map(one).ok_or_else(|| {
            ApiError::new(
                406,
                "NotAcceptable",
                "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
            )
        })
    }
}

/// What the router of kinds that are built in answers with.
const OF_ROUTER: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

/// Lets pass what the router of kinds that are built in lets pass: a request that accepts a media type of its, to the
/// letter. `watchable`: it is for a list, which has the media types of watches besides.
///
/// # Errors
/// 406 if there is none (go-restful, `curly.go` and `route.go` `matchesAccept`).
pub(crate) fn routed(accept: Option<&str>, watchable: bool) -> Result<(), ApiError> {
    let accept = accept.map(str::trim).unwrap_or_default();
    let served = |range: &str| {
        let media = range.split(';').next().unwrap_or_default().trim();
        media == "*/*" || OF_ROUTER.contains(&media)
    };
    if accept.is_empty() || accept.split(',').any(served) {
        return Ok(());
    }
    let watches = if watchable {
        ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    } else {
        ""
    };
    let all = OF_ROUTER.join(", ");
    let message = format!("406: Not Acceptable\n\nAvailable representations: {all}{watches}");
    Err(ApiError::of_router(406, "NotAcceptable", message))
}

/// The form that one range of an `Accept` header asks for; `None` if nothing is served so.
fn one(range: &str) -> Option<Form> {
    let mut parts = range.split(';').map(str::trim);
    if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let parameter = |name: &str| {
        let mut all = parameters.iter();
        all.find(|(key, _)| *key == name).map(|(_, value)| *value)
    };
    let form = match parameter("as") {
        None => return Some(Form::Whole),
        Some("Table") => Form::Table,
        Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Form::Metadata,
        Some(_) => return None,
    };
    let meta = parameter("g") == Some("meta.k8s.io") && parameter("v") == Some("v1");
    meta.then_some(form)
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn the_first_form_that_is_served_is_taken() {
        for (accept, form) in [
            ("", Form::Whole),
            ("application/json", Form::Whole),
            ("application/json, */*", Form::Whole),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Form::Whole,
            ),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Form::Table,
            ),
            (
                "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Form::Whole,
            ),
            (
                "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
                Form::Metadata,
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
                Form::Metadata,
            ),
        ] {
            assert_eq!(Form::of(Some(accept)).ok(), Some(form), "{accept}");
        }
        assert_eq!(Form::of(None).ok(), Some(Form::Whole));
        for accept in [
            "text/plain",
            "application/vnd.kubernetes.protobuf",
            "application/json;as=Chart;g=meta.k8s.io;v=v1",
        ] {
            let refused = Form::of(Some(accept)).expect_err(accept);
            assert_eq!(refused.code, 406, "{accept}");
        }
    }
}
