//! Validation of what a container asks for (`pkg/apis/core/validation/validation.go`
//! ValidateContainerResourceRequirements; `pkg/apis/core/helper/helpers.go`).

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::names;
use super::quantity::nanos;
use super::validate::NEGATIVE;
use crate::cluster::json::Value;
use crate::cluster::value::members;

const HUGE_PAGES: &str = "hugepages-";
/// What a container may ask for by a name without a domain.
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Names without a domain that there are besides (`standardResources`).
const OTHERS: [&str; 17] = [
    "configmaps",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
];
/// Those of them that count whole things (`integerResources`).
const WHOLE: [&str; 9] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

const ONE: i128 = 1_000_000_000;

/// Requests and limits, in a container's `resources` at the path `shown`.
pub(super) fn resources(of: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let limits = shown.child("limits");
    let requests = shown.child("requests");
    for (name, amount) in members(of, &["limits"]) {
        one(name, amount, &limits.key(name), errors);
    }
    for (name, amount) in members(of, &["requests"]) {
        one(name, amount, &requests.key(name), errors);
        let overcommitted = is_native(name) && !name.starts_with(HUGE_PAGES);
        let limit = of.get("limits").and_then(|it| it.get(name));
        let Some(limit) = limit else {
            if !overcommitted {
                let why = "Limit must be set for non overcommitable resources";
                errors.requires(&limits, why);
            }
            continue;
        };
        let (asked, most) = (in_nanos(amount), in_nanos(limit));
        let bound = limit.as_str().unwrap_or_default();
        let why = if !overcommitted && asked != most {
            format!("must be equal to {name} limit of {bound}")
        } else if asked > most {
            format!("must be less than or equal to {name} limit of {bound}")
        } else {
            continue;
        };
        errors.each_invalid_entry(&requests, name, amount, &[why]);
    }
    let all = || members(of, &["limits"]).chain(members(of, &["requests"]));
    let asks_for = |wanted: &dyn Fn(&str) -> bool| all().any(|(name, _)| wanted(name));
    if asks_for(&|name| name.starts_with(HUGE_PAGES))
        && !asks_for(&|name| matches!(name, "cpu" | "memory"))
    {
        errors.forbidden(shown, "HugePages require cpu or memory");
    }
}

fn in_nanos(amount: &Value) -> Option<i128> {
    nanos(amount.as_str()?)
}

fn one(name: &str, amount: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    named(name, shown, errors);
    let Some(asked) = in_nanos(amount) else {
        return;
    };
    if asked < 0 {
        errors.invalid(shown, amount, NEGATIVE);
    }
    if (WHOLE.contains(&name) || is_extended(name)) && asked % ONE != 0 {
        errors.invalid(shown, amount, "must be an integer");
    }
    if let Some(size) = name.strip_prefix(HUGE_PAGES) {
        let size = nanos(size).filter(|size| *size > 0 && size % ONE == 0);
        if size.is_none_or(|size| asked % size != 0) {
            let shown_amount = amount.as_str().unwrap_or_default();
            let why = format!("{shown_amount} is not positive integer multiple of {name}");
            errors.invalid(shown, amount, &why);
        }
    }
}

/// `validateContainerResourceName`.
fn named(name: &str, shown: &FieldPath<'_>, errors: &mut Errors) {
    let value = Value::from(name.to_owned());
    let wrong = names::qualified(name);
    errors.each_invalid(shown, &value, &wrong);
    let plain = !name.contains('/');
    let of_containers = OF_CONTAINERS.contains(&name) || name.starts_with(HUGE_PAGES);
    if plain && !of_containers {
        let quota = name.starts_with("requests.hugepages-");
        if wrong.is_empty() && !OTHERS.contains(&name) && !quota {
            let why = "must be a standard resource type or fully qualified";
            errors.invalid(shown, &value, why);
        }
        errors.invalid(shown, &value, "must be a standard resource for containers");
    } else if !is_native(name) && !is_extended(name) {
        let why = "doesn't follow extended resource name standard";
        errors.invalid(shown, &value, why);
    }
}

/// `IsNativeResource`.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// `IsExtendedResourceName`.
fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified(&format!("requests.{name}")).is_empty()
}
