//! What a client may do, and who it is: answers that are made on the spot and kept nowhere
//! (`pkg/registry/authorization`, `pkg/registry/authentication`).
//!
//! The cluster has no rights. It answers as an API server with `--authorization-mode=AlwaysAllow`.

use super::body::{Expected, body_of};
use super::field_errors::Errors;
use super::status::{ApiError, json_bytes, json_response};
use crate::cluster::json::{Value, json};
use crate::cluster::value::at;
use crate::cluster::wire::{ApiRequest, ApiResponse};

/// A kind of review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Review {
    /// May I do this? `kubectl auth can-i` asks.
    Access,
    /// What may I do? `kubectl auth can-i --list` asks.
    Rules,
    /// Who am I? `kubectl auth whoami` asks.
    Subject,
}

impl Review {
    const ALL: [Self; 3] = [Self::Access, Self::Rules, Self::Subject];

    const fn group(self) -> &'static str {
        match self {
            Self::Access | Self::Rules => "authorization.k8s.io",
            Self::Subject => "authentication.k8s.io",
        }
    }

    const fn api_version(self) -> &'static str {
        match self {
            Self::Access | Self::Rules => "authorization.k8s.io/v1",
            Self::Subject => "authentication.k8s.io/v1",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Access => "SelfSubjectAccessReview",
            Self::Rules => "SelfSubjectRulesReview",
            Self::Subject => "SelfSubjectReview",
        }
    }

    fn singular(self) -> String {
        self.kind().to_lowercase()
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Access => "selfsubjectaccessreviews",
            Self::Rules => "selfsubjectrulesreviews",
            Self::Subject => "selfsubjectreviews",
        }
    }

    /// The review at a path such as `apis/authorization.k8s.io/v1/selfsubjectaccessreviews`.
    pub(super) fn at(path: &str) -> Option<Self> {
        let (version, plural) = path.strip_prefix("apis/")?.rsplit_once('/')?;
        let at = |it: &Self| (it.api_version(), it.plural()) == (version, plural);
        Self::ALL.into_iter().find(at)
    }

    /// Answers a review.
    ///
    /// # Errors
    /// 405 for anything but a POST, 400 and 422 for a body that is no review.
    pub(super) fn answer(self, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
        if request.method != http::Method::POST {
            return Err(ApiError::method_not_allowed());
        }
        let expected = Expected {
            api_version: self.api_version(),
            kind: self.kind(),
        };
        let mut review = Value::from(body_of(request, expected)?.tree);
        let given = |field: &str| {
            let value = at(&review, &["spec", field]);
            value.is_some_and(|value| !value.is_null())
        };
        if self == Self::Access && given("resourceAttributes") == given("nonResourceAttributes") {
            let mut errors = Errors::default();
            let why =
                "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.invalid("spec.resourceAttributes", &Value::Null, why);
            errors.of(self.group(), self.kind(), "")?;
        }
        review["metadata"] = json!({});
        review["status"] = match self {
            Self::Access => json!({"allowed": true}),
            Self::Rules => json!({
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": false,
            }),
            Self::Subject => json!({
                "userInfo": {"username": request.user, "groups": ["system:authenticated"]},
            }),
        };
        Ok(json_response(201, json_bytes(&review)))
    }
}

/// The groups of the reviews, each once.
pub(super) fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = Review::ALL.map(Review::group).to_vec();
    groups.dedup();
    groups
}

fn of_version(api_version: &str) -> impl Iterator<Item = Review> {
    let all = Review::ALL.into_iter();
    all.filter(move |review| review.api_version() == api_version)
}

/// The reviews of a version, as the aggregated form of discovery has them.
pub(super) fn aggregated(api_version: &str) -> impl Iterator<Item = Value> {
    of_version(api_version).map(|review| {
        json!({
            "resource": review.plural(), "singularResource": review.singular(),
            "responseKind": {"group": "", "version": "", "kind": review.kind()},
            "scope": "Cluster", "verbs": ["create"],
        })
    })
}

/// The same in the older form.
pub(super) fn listed(api_version: &str) -> impl Iterator<Item = Value> {
    of_version(api_version).map(|review| {
        json!({
            "name": review.plural(), "singularName": review.singular(), "kind": review.kind(),
            "namespaced": false, "verbs": ["create"],
        })
    })
}
