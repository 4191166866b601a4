//! Validation of how a pod finds names (`pkg/apis/core/validation/validation.go` validatePodDNSConfig,
//! ValidateHostAliases).

use std::net::Ipv6Addr;

use super::field_errors::{Errors, regex_error};
use super::field_path::FieldPath;
use super::names;
use crate::cluster::json::Value;
use crate::cluster::value::{items, text};

/// Most servers of names (`MaxDNSNameservers`).
const SERVERS_MAX: usize = 3;
/// Most search paths (`MaxDNSSearchPaths`).
const SEARCHES_MAX: usize = 32;
/// Longest list of search paths, in bytes, with a space between two (`MaxDNSSearchListChars`).
const SEARCH_LIST_MAX: usize = 2_048;

/// Whether a text is an address as Go's `ParseIPSloppy` takes it: numbers of an IPv4 address may begin with zeros.
pub(super) fn is_address(text: &str) -> bool {
    let part = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let number = part.trim_start_matches('0');
        digits && (number.is_empty() || number.parse::<u8>().is_ok())
    };
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 4 && parts.into_iter().all(part) || text.parse::<Ipv6Addr>().is_ok()
}

/// `IsValidIPForLegacyField`.
fn address(value: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    if !is_address(value.as_str().unwrap_or("")) {
        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.invalid(shown, value, why);
    }
}

/// `IsDNS1123SubdomainWithUnderscore`.
fn search_path(text: &str) -> Vec<String> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        let rest = part.strip_prefix('_').unwrap_or(part);
        rest.starts_with(edge)
            && rest.ends_with(edge)
            && rest.chars().all(|c| edge(c) || matches!(c, '-' | '_'))
    };
    let mut wrong = Vec::new();
    if text.len() > names::SUBDOMAIN_MAX {
        wrong.push(names::too_long(names::SUBDOMAIN_MAX));
    }
    if !text.split('.').all(part) {
        wrong.push(regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
            &["example.com"],
            r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
        ));
    }
    wrong
}

/// `validatePodDNSConfig`, for a pod's `spec`, which `shown` leads to.
pub(super) fn config(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let shown = shown.child("dnsConfig");
    let config = spec.get("dnsConfig");
    let servers = config.map_or(&[][..], |it| items(it, &["nameservers"]));
    let in_servers = shown.child("nameservers");
    if text(spec, &["dnsPolicy"]) == "None" {
        if config.is_none() {
            let what = "must provide `dnsConfig` when `dnsPolicy` is None";
            return errors.requires(&shown, what);
        }
        if servers.is_empty() {
            let what = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.requires(&in_servers, what);
        }
    }
    let Some(config) = config else {
        return;
    };
    let list = |field: &str| config.get(field).cloned().unwrap_or(Value::Null);
    if servers.len() > SERVERS_MAX {
        let why = format!("must not have more than {SERVERS_MAX} nameservers");
        errors.invalid(&in_servers, &list("nameservers"), &why);
    }
    for (nth, server) in servers.iter().enumerate() {
        address(server, &in_servers.index(nth), errors);
    }
    let in_searches = shown.child("searches");
    let searches: Vec<&str> = items(config, &["searches"])
        .iter()
        .map(|it| it.as_str().unwrap_or(""))
        .collect();
    if searches.len() > SEARCHES_MAX {
        let why = format!("must not have more than {SEARCHES_MAX} search paths");
        errors.invalid(&in_searches, &list("searches"), &why);
    }
    if searches.join(" ").len() > SEARCH_LIST_MAX {
        let why = format!(
            "must not have more than {SEARCH_LIST_MAX} characters (including spaces) in the search list"
        );
        errors.invalid(&in_searches, &list("searches"), &why);
    }
    for (nth, search) in searches.into_iter().enumerate() {
        if search != "." {
            let search = search.strip_suffix('.').unwrap_or(search);
            let wrong = search_path(search);
            errors.each_invalid(&in_searches.index(nth), &search.into(), &wrong);
        }
    }
    let in_options = shown.child("options");
    for (nth, option) in items(config, &["options"]).iter().enumerate() {
        if text(option, &["name"]).is_empty() {
            errors.requires(&in_options.index(nth), "must not be empty");
        }
    }
}

/// `ValidateHostAliases`.
pub(super) fn host_aliases(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let list = shown.child("hostAliases");
    for (nth, alias) in items(spec, &["hostAliases"]).iter().enumerate() {
        let shown = list.index(nth);
        let ip = text(alias, &["ip"]);
        address(&ip.into(), &shown.child("ip"), errors);
        let in_names = shown.child("hostnames");
        for (nth, name) in items(alias, &["hostnames"]).iter().enumerate() {
            let wrong = names::subdomain(name.as_str().unwrap_or(""));
            errors.each_invalid(&in_names.index(nth), name, &wrong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_address, search_path};

    #[test]
    fn addresses_are_told_from_names() {
        for right in [
            "10.0.0.1",
            "010.0.0.001",
            "0.0.0.0",
            "::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_address(right), "{right}");
        }
        for wrong in [
            "",
            "10.0.0",
            "10.0.0.256",
            "10.0.0.1.",
            "10.0.0.a",
            "a",
            "1::2::3",
        ] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }

    #[test]
    fn search_paths_may_have_underscores() {
        assert!(search_path("_a.b_c").is_empty());
        for wrong in ["", "A", "a..b", "a_", "__a"] {
            assert!(!search_path(wrong).is_empty(), "{wrong}");
        }
        assert_eq!(search_path(&"a".repeat(254)).len(), 1);
    }
}
