//! Discovery: which groups, versions and resources the server has. `kubectl` and every client that maps names to paths
//! ask for it first.
//!
//! There are two forms: the aggregated one, a single list of everything
//! (`apiserver/pkg/endpoints/discovery/aggregated`), and the older one, a list for each group version.

use crate::cluster::json::{Value, json};

use super::path::Discovery;
use super::reviews;
use super::status::{ApiError, json_bytes};
use crate::cluster::kinds::Kind;
use crate::cluster::wire::ApiResponse;

/// The media type of the aggregated form.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A part of an object, or something that can be done with it, under a path of its own.
struct Subresource {
    name: &'static str,
    /// Group, version and kind of its answers; the object's own kind where there is none.
    answers: Option<(&'static str, &'static str, &'static str)>,
    verbs: &'static [&'static str],
}

const WRITABLE: &[&str] = &["get", "patch", "update"];

impl Kind {
    fn subresources(self) -> Vec<Subresource> {
        let mut all = Vec::new();
        let mut add = |name, answers, verbs| {
            all.push(Subresource {
                name,
                answers,
                verbs,
            });
        };
        if self == Self::Pod {
            add("eviction", Some(("policy", "v1", "Eviction")), &["create"]);
            add("log", None, &["get"]);
            let any = &["create", "delete", "get", "patch", "update"];
            add("proxy", Some(("", "v1", "PodProxyOptions")), any);
        }
        if self.has_scale() {
            add("scale", Some(("autoscaling", "v1", "Scale")), WRITABLE);
        }
        if self.has_status() {
            add("status", None, WRITABLE);
        }
        all
    }

    fn verbs(self) -> Vec<&'static str> {
        let all = [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ];
        let served = all
            .into_iter()
            .filter(|verb| *verb != "deletecollection" || self.has_delete_collection());
        served.collect()
    }

    fn version(self) -> &'static str {
        let version = self.api_version();
        version.split_once('/').map_or(version, |(_, of)| of)
    }
}

/// Kinds of an `apiVersion`, by plural.
fn of_version(all: &[Kind], api_version: &str) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = all
        .iter()
        .copied()
        .filter(|kind| kind.api_version() == api_version)
        .collect();
    kinds.sort_by_key(|kind| kind.plural());
    kinds
}

/// The groups apart from the core one, each with its versions, in the order of the kinds.
fn groups(all: &[Kind]) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    for kind in all.iter().filter(|kind| !kind.group().is_empty()) {
        let (group, version) = (kind.group(), kind.version());
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, versions)) if versions.contains(&version) => {}
            Some((_, versions)) => versions.push(version),
            None => groups.push((group, vec![version])),
        }
    }
    groups.extend(
        reviews::groups()
            .into_iter()
            .map(|group| (group, vec!["v1"])),
    );
    groups
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// Answers a request for `of`, if these kinds are served.
///
/// # Errors
/// 404 for a group or a version that is not served.
pub(super) fn answer(
    of: &Discovery,
    accept: Option<&str>,
    kinds: &[Kind],
) -> Result<ApiResponse, ApiError> {
    let aggregated = accept.is_some_and(|accept| {
        let mut ranges = accept.split(',');
        ranges.any(|range| {
            let parts: Vec<&str> = range.split(';').map(str::trim).collect();
            parts.contains(&"g=apidiscovery.k8s.io") && parts.contains(&"v=v2")
        })
    });
    let body = match of {
        Discovery::Core if aggregated => {
            return Ok(aggregated_list(kinds, &[("", vec!["v1"])]));
        }
        Discovery::Groups if aggregated => {
            return Ok(aggregated_list(kinds, &groups(kinds)));
        }
        Discovery::Core => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
        }),
        Discovery::Groups => {
            let groups: Vec<Value> = groups(kinds).iter().map(|(n, v)| group(n, v)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        Discovery::Group(name) => {
            let groups = groups(kinds);
            let found = groups.iter().find(|(group, _)| group == name);
            let (name, versions) = found.ok_or_else(ApiError::no_resource)?;
            let mut group = group(name, versions);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            group
        }
        Discovery::Resources(api_version) => {
            let kinds = of_version(kinds, api_version).into_iter();
            let mut resources: Vec<Value> = kinds.flat_map(resources).collect();
            resources.extend(reviews::listed(api_version));
            if resources.is_empty() {
                return Err(ApiError::no_resource());
            }
            json!({
                "kind": "APIResourceList", "apiVersion": "v1",
                "groupVersion": api_version, "resources": resources,
            })
        }
    };
    Ok(super::status::json_response(200, json_bytes(&body)))
}

fn aggregated_list(kinds: &[Kind], groups: &[(&str, Vec<&str>)]) -> ApiResponse {
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let api_version = api_version(group, version);
                    let kinds = of_version(kinds, &api_version).into_iter();
                    let mut resources: Vec<Value> = kinds.map(aggregated).collect();
                    resources.extend(reviews::aggregated(&api_version));
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            let metadata = match *group {
                "" => json!({}),
                name => json!({"name": name}),
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items,
    });
    ApiResponse::whole(200, AGGREGATED, json_bytes(&body))
}

/// A resource in the aggregated form. The group and version of a kind are left empty where they are those of the list.
fn aggregated(kind: Kind) -> Value {
    let own = |name: &str| json!({"group": "", "version": "", "kind": name});
    let mut resource = json!({
        "resource": kind.plural(),
        "responseKind": own(kind.name()),
        "scope": if kind.namespaced() { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular(),
        "verbs": kind.verbs(),
    });
    if !kind.short_names().is_empty() {
        resource["shortNames"] = kind.short_names().into();
    }
    if !kind.categories().is_empty() {
        resource["categories"] = kind.categories().into();
    }
    let subresources: Vec<Value> = kind
        .subresources()
        .iter()
        .map(|sub| {
            let answers = match sub.answers {
                None => own(kind.name()),
                Some((group, version, name))
                    if api_version(group, version) == kind.api_version() =>
                {
                    own(name)
                }
                Some((group, version, name)) => {
                    json!({"group": group, "version": version, "kind": name})
                }
            };
            json!({"subresource": sub.name, "responseKind": answers, "verbs": sub.verbs})
        })
        .collect();
    if !subresources.is_empty() {
        resource["subresources"] = subresources.into();
    }
    resource
}

/// A group in the older form.
fn group(name: &str, versions: &[&str]) -> Value {
    let one =
        |version: &&str| json!({"groupVersion": api_version(name, version), "version": version});
    let all: Vec<Value> = versions.iter().map(one).collect();
    json!({"name": name, "versions": all, "preferredVersion": all[0]})
}

/// A resource and its subresources in the older form.
fn resources(kind: Kind) -> Vec<Value> {
    let mut resource = json!({
        "name": kind.plural(), "singularName": kind.singular(), "kind": kind.name(),
        "namespaced": kind.namespaced(), "verbs": kind.verbs(),
    });
    if !kind.short_names().is_empty() {
        resource["shortNames"] = kind.short_names().into();
    }
    if !kind.categories().is_empty() {
        resource["categories"] = kind.categories().into();
    }
    let subresources = kind.subresources().into_iter().map(|sub| {
        let mut resource = json!({
            "name": format!("{}/{}", kind.plural(), sub.name), "singularName": "",
            "namespaced": kind.namespaced(), "verbs": sub.verbs,
        });
        match sub.answers {
            None => resource["kind"] = kind.name().into(),
            Some((group, version, name)) => {
                resource["kind"] = name.into();
                if api_version(group, version) != kind.api_version() {
                    resource["group"] = group.into();
                    resource["version"] = version.into();
                }
            }
        }
        resource
    });
    std::iter::once(resource)
        .chain(subresources.collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// How many kinds of reviews there are.
    const REVIEWS: usize = 3;

    /// The list that the API server of 1.34.4 gives (`api/discovery/aggregated_v2.json` and `api__v1.json` of its
    /// sources), of the kinds that are served here.
    const UPSTREAM: &str = include_str!("../../../data/openapi/discovery.json");

    fn body(of: &Discovery, accept: Option<&str>) -> serde_json::Value {
        let ApiResponse::Unary {
            status: 200, body, ..
        } = answer(of, accept, &Kind::ALL).expect("served")
        else {
            panic!("a list")
        };
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Every resource of both aggregated lists, under its group version and name.
    fn ours() -> BTreeMap<String, serde_json::Value> {
        let mut all = BTreeMap::new();
        for of in [Discovery::Core, Discovery::Groups] {
            let list = body(&of, Some(AGGREGATED));
            for group in list["items"].as_array().expect("groups") {
                let name = group["metadata"]["name"].as_str().unwrap_or_default();
                for version in group["versions"].as_array().expect("versions") {
                    let version_name = version["version"].as_str().expect("a version");
                    for resource in version["resources"].as_array().expect("resources") {
                        let plural = resource["resource"].as_str().expect("a name");
                        let key = format!("{}/{plural}", api_version(name, version_name));
                        all.insert(key, resource.clone());
                    }
                }
            }
        }
        all
    }

    #[test]
    fn what_is_listed_is_what_the_real_server_lists() {
        let theirs: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(UPSTREAM).expect("JSON");
        let ours = ours();
        assert_eq!(ours.len(), Kind::ALL.len() + REVIEWS);
        for (key, resource) in &ours {
            let theirs = theirs.get(key).unwrap_or_else(|| panic!("{key}"));
            for field in [
                "responseKind",
                "scope",
                "singularResource",
                "shortNames",
                "categories",
                "verbs",
            ] {
                assert_eq!(resource.get(field), theirs.get(field), "{key}: {field}");
            }
            let subresources = |of: &serde_json::Value| -> BTreeMap<String, serde_json::Value> {
                let all = of["subresources"].as_array().cloned().unwrap_or_default();
                let named = all.into_iter().map(|sub| {
                    let name = sub["subresource"].as_str().expect("a name").to_owned();
                    (name, sub)
                });
                named.collect()
            };
            let real = subresources(theirs);
            for (name, sub) in subresources(resource) {
                let real = real.get(&name).unwrap_or_else(|| panic!("{key}/{name}"));
                assert_eq!(sub["verbs"], real["verbs"], "{key}/{name}");
                assert_eq!(sub["responseKind"], real["responseKind"], "{key}/{name}");
            }
        }
    }

    #[test]
    fn the_older_form_lists_the_same() {
        let groups = body(&Discovery::Groups, Some("application/json"));
        assert_eq!(groups["kind"], "APIGroupList");
        let core = body(&Discovery::Core, None);
        assert_eq!(core["kind"], "APIVersions");
        let mut listed = 0;
        let versions = groups["groups"].as_array().expect("groups").iter();
        let versions = versions.map(|it| it["preferredVersion"]["groupVersion"].clone());
        for version in std::iter::once(serde_json::json!("v1")).chain(versions) {
            let version = version.as_str().expect("a version").to_owned();
            let list = body(&Discovery::Resources(version.clone()), None);
            assert_eq!(list["groupVersion"], version.as_str());
            let names = list["resources"].as_array().expect("resources").iter();
            listed += names
                .filter(|it| !it["name"].as_str().expect("a name").contains('/'))
                .count();
        }
        assert_eq!(listed, Kind::ALL.len() + REVIEWS);
        let group = body(&Discovery::Group("apps".to_owned()), None);
        assert_eq!(group["preferredVersion"]["groupVersion"], "apps/v1");
        for missing in [
            Discovery::Group("example.org".to_owned()),
            Discovery::Resources("apps/v2".to_owned()),
        ] {
            assert_eq!(
                answer(&missing, None, &Kind::ALL)
                    .expect_err("missing")
                    .code,
                404
            );
        }
    }
}
