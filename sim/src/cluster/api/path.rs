//! Request paths and query strings.

use super::reviews::Review;
use crate::cluster::kinds::Kind;

/// What a path addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/livez`, `/readyz`, `/healthz`.
    Health,
    /// `/version`.
    Version,
    /// A list of what is served.
    Discovery(Discovery),
    /// `/openapi/v3`, or the document of one group version below it: `apis/apps/v1`.
    OpenApi(Option<String>),
    /// A question about rights, or about who asks.
    Review(Review),
    /// A resource.
    Resource(Resource),
}

/// What discovery is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Discovery {
    /// `/api`.
    Core,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`; the `apiVersion` of the objects.
    Resources(String),
}

/// A resource path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// What follows `…/proxy`, without its leading slash.
    pub(crate) rest: String,
}

/// Takes a path apart; `None` for paths that nothing serves. Besides the built-in kinds there are those that were
/// `added`.
pub(crate) fn parse(path: &str, added: &[Kind]) -> Option<Route> {
    let path = path.strip_prefix('/')?;
    match path.trim_end_matches('/') {
        "livez" | "readyz" | "healthz" => return Some(Route::Health),
        "version" => return Some(Route::Version),
        "api" => return Some(Route::Discovery(Discovery::Core)),
        "apis" => return Some(Route::Discovery(Discovery::Groups)),
        "openapi/v3" => return Some(Route::OpenApi(None)),
        whole => {
            if let Some(document) = whole.strip_prefix("openapi/v3/") {
                return Some(Route::OpenApi(Some(document.to_owned())));
            }
            if let Some(review) = Review::at(whole) {
                return Some(Route::Review(review));
            }
            if let Some(of) = discovery(whole) {
                return Some(Route::Discovery(of));
            }
        }
    }
    let mut parts = path.split('/');
    let (group, version) = match parts.next()? {
        "api" => ("", parts.next()?.to_owned()),
        "apis" => {
            let group = parts.next()?;
            (group, format!("{group}/{}", parts.next()?))
        }
        _ => return None,
    };
    let parts: Vec<&str> = parts.collect();
    let (namespace, parts) = match parts.as_slice() {
        ["namespaces", ns, plural, rest @ ..] if !matches!(*plural, "status" | "finalize") => {
            (Some(decode(ns)), [&[*plural][..], rest].concat())
        }
        other => (None, other.to_vec()),
    };
    let plural = *parts.first()?;
    let kind = Kind::of_path(group, plural)
        .filter(|k| k.api_version() == version)
        .or_else(|| {
            let mut added = added.iter().copied();
            added.find(|k| k.api_version() == version && k.plural() == plural)
        })?;
    let name = parts.get(1).filter(|n| !n.is_empty()).map(|n| decode(n));
    if name.is_some() && kind.namespaced() != namespace.is_some() {
        return None;
    }
    let subresource = parts.get(2).filter(|s| !s.is_empty()).map(|s| decode(s));
    let rest = parts.get(3..).map_or_else(String::new, |r| r.join("/"));
    if !rest.is_empty() && subresource.as_deref() != Some("proxy") {
        return None;
    }
    Some(Route::Resource(Resource {
        kind,
        namespace,
        name,
        subresource,
        rest,
    }))
}

/// Whether a path is below a version of a group that is served; `added` are the kinds beside the built-in ones.
pub(crate) fn is_of_served_version(path: &str, added: &[Kind]) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let version = match parts.as_slice() {
        ["api", version, ..] => (*version).to_owned(),
        ["apis", group, version, ..] => format!("{group}/{version}"),
        _ => return false,
    };
    let mut kinds = Kind::ALL.into_iter().chain(added.iter().copied());
    kinds.any(|kind| kind.api_version() == version)
}

/// What a path of a group or of a group version asks discovery for.
fn discovery(path: &str) -> Option<Discovery> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["api", version] => Some(Discovery::Resources((*version).to_owned())),
        ["apis", group] => Some(Discovery::Group((*group).to_owned())),
        ["apis", group, version] => Some(Discovery::Resources(format!("{group}/{version}"))),
        _ => None,
    }
}

/// Percent-decoding; `+` stays, as in a path.
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%')
            .then(|| text.get(i + 1..i + 3))
            .flatten()
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex {
            Some(b) => {
                out.push(b);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parameters of a query string, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = query
            .unwrap_or("")
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| {
                let (k, v) = p.split_once('=').unwrap_or((p, ""));
                (decode(k), decode(&v.replace('+', " ")))
            })
            .collect();
        Self(pairs)
    }

    /// The first value of a parameter; empty values count as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, v)| k == key && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.0
            .iter()
            .any(|(k, v)| k == key && matches!(v.as_str(), "" | "1" | "true" | "True"))
    }

    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(|v| v.parse().ok())
    }

    pub(crate) fn dry_run(&self) -> bool {
        self.get("dryRun") == Some("All")
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, Route, parse};
    use crate::cluster::kinds::Kind;

    type Parts = (Kind, Option<String>, Option<String>, Option<String>, String);

    fn resource(path: &str) -> Option<Parts> {
        match parse(path, &[])? {
            Route::Resource(r) => Some((r.kind, r.namespace, r.name, r.subresource, r.rest)),
            _ => None,
        }
    }

    #[test]
    fn paths_are_taken_apart() {
        let s = |t: &str| Some(t.to_owned());
        assert_eq!(
            resource("/apis/apps/v1/namespaces/n/deployments/d/scale"),
            Some((Kind::Deployment, s("n"), s("d"), s("scale"), String::new()))
        );
        assert_eq!(
            resource("/api/v1/namespaces/n/pods/p:8080/proxy/metrics/x"),
            Some((
                Kind::Pod,
                s("n"),
                s("p:8080"),
                s("proxy"),
                "metrics/x".to_owned()
            ))
        );
        assert_eq!(
            resource("/api/v1/namespaces/n"),
            Some((Kind::Namespace, None, s("n"), None, String::new()))
        );
        assert_eq!(resource("/api/v1/pods").map(|r| r.1), Some(None));
        for bad in [
            "/apis/apps/v2/namespaces/n/deployments/d",
            "/api/v1/deployments",
            "/api/v1/pods/p",
            "/nonsense",
            "/apis/apps/v1/namespaces/n/deployments/d/scale/x",
        ] {
            assert_eq!(parse(bad, &[]), None, "{bad}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let q = Query::parse(Some(
            "labelSelector=app%3Dgateway%2Ca+in+(b)&watch=1&limit=",
        ));
        assert_eq!(q.get("labelSelector"), Some("app=gateway,a in (b)"));
        assert!(q.flag("watch"));
        assert_eq!(q.get("limit"), None);
    }
}
