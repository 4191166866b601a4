//! Validation of where a pod may run: tolerations, spreading and affinity (`pkg/apis/core/validation/validation.go`).

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::kind_rules::label_selector;
use super::names;
use crate::cluster::json::Value;
use crate::cluster::value::{at, int, items, members, text};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `ValidateTolerations`, for the tolerations of a pod's `spec`, which `shown` leads to.
pub(super) fn tolerations(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let list = shown.child("tolerations");
    for (nth, toleration) in items(spec, &["tolerations"]).iter().enumerate() {
        let shown = list.index(nth);
        let word = |field: &str| text(toleration, &[field]);
        let (key, value, effect) = (word("key"), word("value"), word("effect"));
        let in_operator = shown.child("operator");
        if !key.is_empty() {
            errors.each_invalid(&shown.child("key"), &key.into(), &names::qualified(key));
        }
        let operator = word("operator");
        if key.is_empty() && operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(&in_operator, &operator.into(), why);
        }
        let in_effect = shown.child("effect");
        if toleration.get("tolerationSeconds").is_some() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(&in_effect, &effect.into(), why);
        }
        match operator {
            // Upstream names the operator where the value is wrong.
            "Equal" | "" => {
                let wrong = names::label_value(value);
                if !wrong.is_empty() {
                    errors.invalid(&in_operator, &value.into(), &wrong.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.invalid(&in_operator, &value.into(), why);
            }
            "Exists" => {}
            other => errors.not_supported(&in_operator, other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            errors.not_supported(&in_effect, effect, &EFFECTS);
        }
    }
}

/// `validateTopologySpreadConstraints`.
pub(super) fn spread(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let list = shown.child("topologySpreadConstraints");
    let all = items(spec, &["topologySpreadConstraints"]);
    for (nth, constraint) in all.iter().enumerate() {
        let shown = list.index(nth);
        let positive = |field: &str, errors: &mut Errors| {
            let number = int(constraint, &[field]).unwrap_or(0);
            if number <= 0 {
                errors.invalid(
                    &shown.child(field),
                    &number.into(),
                    "must be greater than zero",
                );
            }
        };
        positive("maxSkew", errors);
        let key = text(constraint, &["topologyKey"]);
        if key.is_empty() {
            errors.requires(&shown.child("topologyKey"), "can not be empty");
        }
        let action = text(constraint, &["whenUnsatisfiable"]);
        let actions = ["DoNotSchedule", "ScheduleAnyway"];
        if !actions.contains(&action) {
            errors.not_supported(&shown.child("whenUnsatisfiable"), action, &actions);
        }
        let is_same = |other: &Value| {
            text(other, &["topologyKey"]) == key && text(other, &["whenUnsatisfiable"]) == action
        };
        if all[nth + 1..].iter().any(is_same) {
            let pair = Value::from(format!("{{{key}, {action}}}"));
            errors.duplicate(&shown.child("{topologyKey, whenUnsatisfiable}"), &pair);
        }
        if let Some(domains) = constraint.get("minDomains") {
            positive("minDomains", errors);
            if action != "DoNotSchedule" {
                let why = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                errors.invalid(&shown.child("minDomains"), domains, &why);
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            let policies = ["Honor", "Ignore"];
            match constraint.get(field).and_then(Value::as_str) {
                Some(policy) if !policies.contains(&policy) => {
                    errors.not_supported(&shown.child(field), policy, &policies);
                }
                _ => {}
            }
        }
        label_keys(constraint, &shown, errors);
        optional_selector(constraint, "labelSelector", &shown, errors);
    }
}

fn optional_selector(of: &Value, field: &str, shown: &FieldPath<'_>, errors: &mut Errors) {
    if let Some(selector) = of.get(field) {
        label_selector(selector, &shown.child(field), errors);
    }
}

/// `ValidateMatchLabelKeysAndMismatchLabelKeys`.
fn label_keys(of: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let keys = |field: &str| -> Vec<&str> {
        let keys = items(of, &[field]).iter();
        keys.map(|key| key.as_str().unwrap_or("")).collect()
    };
    let selector = of.get("labelSelector");
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        let (keys, list) = (keys(field), shown.child(field));
        if selector.is_none() && !keys.is_empty() {
            let why = "must not be specified when labelSelector is not set";
            errors.forbidden(&list, why);
            continue;
        }
        for (nth, key) in keys.into_iter().enumerate() {
            errors.each_invalid(&list.index(nth), &key.into(), &names::qualified(key));
        }
    }
    let (wanted, unwanted) = (keys("matchLabelKeys"), keys("mismatchLabelKeys"));
    if let Some(selector) = selector {
        let mut selected: Vec<&str> = members(selector, &["matchLabels"])
            .map(|(key, _)| key)
            .collect();
        for expression in items(selector, &["matchExpressions"]) {
            let key = text(expression, &["key"]);
            let place = wanted.iter().rposition(|it| *it == key);
            if let Some(nth) = place.filter(|_| selected.contains(&key)) {
                let why = "exists in both matchLabelKeys and labelSelector";
                errors.invalid(&shown.index(nth), &key.into(), why);
            }
            selected.push(key);
        }
    }
    let list = shown.child("matchLabelKeys");
    for (nth, key) in wanted.into_iter().enumerate() {
        if unwanted.contains(&key) {
            let why = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.invalid(&list.index(nth), &key.into(), why);
        }
    }
}

/// `validateAffinity`.
pub(super) fn affinity(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let shown = shown.child("affinity");
    if let Some(of_nodes) = at(spec, &["affinity", "nodeAffinity"]) {
        let shown = shown.child("nodeAffinity");
        node_affinity(of_nodes, &shown, errors);
    }
    for field in ["podAffinity", "podAntiAffinity"] {
        let of_pods = at(spec, &["affinity", field]).unwrap_or(&Value::Null);
        let shown = shown.child(field);
        let list = shown.child(REQUIRED);
        for (nth, term) in items(of_pods, &[REQUIRED]).iter().enumerate() {
            pod_term(term, &list.index(nth), errors);
        }
        let list = shown.child(PREFERRED);
        for (nth, weighted) in items(of_pods, &[PREFERRED]).iter().enumerate() {
            let shown = list.index(nth);
            weight(weighted, &shown, errors);
            let term = weighted.get("podAffinityTerm").unwrap_or(&Value::Null);
            pod_term(term, &shown.child("podAffinityTerm"), errors);
        }
    }
}

fn weight(of: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let weight = int(of, &["weight"]).unwrap_or(0);
    if !(1..=100).contains(&weight) {
        let why = "must be in the range 1-100";
        errors.invalid(&shown.child("weight"), &weight.into(), why);
    }
}

/// `validateNodeAffinity`.
fn node_affinity(of: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    if let Some(required) = of.get(REQUIRED) {
        let shown = shown.child(REQUIRED);
        let list = shown.child("nodeSelectorTerms");
        let terms = items(required, &["nodeSelectorTerms"]);
        if terms.is_empty() {
            errors.requires(&list, "must have at least one node selector term");
        }
        for (nth, term) in terms.iter().enumerate() {
            node_term(term, true, &list.index(nth), errors);
        }
    }
    let list = shown.child(PREFERRED);
    for (nth, preferred) in items(of, &[PREFERRED]).iter().enumerate() {
        let shown = list.index(nth);
        weight(preferred, &shown, errors);
        let term = preferred.get("preference").unwrap_or(&Value::Null);
        // What is only preferred may name values that no label can have.
        node_term(term, false, &shown.child("preference"), errors);
    }
}

/// `ValidateNodeSelectorTerm`.
fn node_term(term: &Value, values_are_labels: bool, shown: &FieldPath<'_>, errors: &mut Errors) {
    const OPERATOR: &str = "not a valid selector operator";
    let list = shown.child("matchExpressions");
    for (nth, expression) in items(term, &["matchExpressions"]).iter().enumerate() {
        let shown = list.index(nth);
        let values = items(expression, &["values"]);
        let in_values = shown.child("values");
        match text(expression, &["operator"]) {
            "In" | "NotIn" if values.is_empty() => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.requires(&in_values, why);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(&in_values, why);
            }
            "Gt" | "Lt" if values.len() != 1 => {
                let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.requires(&in_values, why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => errors.invalid(&shown.child("operator"), &other.into(), OPERATOR),
        }
        let key = text(expression, &["key"]);
        errors.each_invalid(&shown.child("key"), &key.into(), &names::qualified(key));
        let values = values.iter().filter(|_| values_are_labels);
        for (nth, value) in values.enumerate() {
            let wrong = names::label_value(value.as_str().unwrap_or(""));
            errors.each_invalid(&in_values.index(nth), value, &wrong);
        }
    }
    let list = shown.child("matchFields");
    for (nth, field) in items(term, &["matchFields"]).iter().enumerate() {
        let shown = list.index(nth);
        let values = items(field, &["values"]);
        let in_values = shown.child("values");
        match text(field, &["operator"]) {
            "In" | "NotIn" if values.len() != 1 => {
                let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                errors.requires(&in_values, why);
            }
            "In" | "NotIn" => {}
            other => errors.invalid(&shown.child("operator"), &other.into(), OPERATOR),
        }
        match text(field, &["key"]) {
            "metadata.name" => {
                for (nth, value) in values.iter().enumerate() {
                    let wrong = names::subdomain(value.as_str().unwrap_or(""));
                    errors.each_invalid(&in_values.index(nth), value, &wrong);
                }
            }
            other => {
                let why = "not a valid field selector key";
                errors.invalid(&shown.child("key"), &other.into(), why);
            }
        }
    }
}

/// `validatePodAffinityTerm`.
fn pod_term(term: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    for field in ["labelSelector", "namespaceSelector"] {
        optional_selector(term, field, shown, errors);
    }
    for namespace in items(term, &["namespaces"]) {
        let wrong = names::label(namespace.as_str().unwrap_or(""));
        // Upstream names the field so, without the position of the namespace.
        errors.each_invalid(&shown.child("namespace"), namespace, &wrong);
    }
    label_keys(term, shown, errors);
    let key = text(term, &["topologyKey"]);
    let shown = shown.child("topologyKey");
    if key.is_empty() {
        errors.requires(&shown, "can not be empty");
    }
    errors.each_invalid(&shown, &key.into(), &names::qualified(key));
}
