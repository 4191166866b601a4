//! Reading Deployments and ReplicaSets: fenceposts, annotations, template equality.

use crate::cluster::json::Value;
use crate::cluster::store::Ref;
use crate::cluster::value::{annotation, at, created, int, members, name, safe_encoded, text};

/// Annotation with the revision, on Deployments and ReplicaSets.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(crate) const HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(crate) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(crate) const MAX: &str = "deployment.kubernetes.io/max-replicas";
/// Label that tells the ReplicaSets of a Deployment apart.
pub(crate) const HASH_LABEL: &str = "pod-template-hash";

/// Annotations that never travel between a Deployment and its ReplicaSets.
pub(crate) const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];

/// `spec.replicas`.
pub(crate) fn spec_replicas(v: &Value) -> i64 {
    int(v, &["spec", "replicas"]).unwrap_or(1)
}

/// A count in the status, 0 if absent.
pub(crate) fn status_count(v: &Value, field: &str) -> i64 {
    int(v, &["status", field]).unwrap_or(0)
}

pub(crate) fn sum_spec(sets: &[Ref]) -> i64 {
    sets.iter().map(|rs| spec_replicas(&rs.value)).sum()
}

pub(crate) fn sum_status(sets: &[Ref], field: &str) -> i64 {
    sets.iter().map(|rs| status_count(&rs.value, field)).sum()
}

/// ReplicaSets that want pods.
pub(crate) fn active(sets: &[Ref]) -> Vec<Ref> {
    sets.iter()
        .filter(|rs| spec_replicas(&rs.value) > 0)
        .cloned()
        .collect()
}

/// Oldest first; creation times have whole seconds, ties go by name.
pub(crate) fn by_creation(sets: &mut [Ref]) {
    sets.sort_by(|a, b| {
        (created(&a.value), name(&a.value)).cmp(&(created(&b.value), name(&b.value)))
    });
}

pub(crate) fn int_annotation(v: &Value, key: &str) -> Option<i64> {
    annotation(v, key).and_then(|a| a.parse().ok())
}

pub(crate) fn revision(v: &Value) -> i64 {
    int_annotation(v, REVISION).unwrap_or(0)
}

pub(crate) fn is_rolling(d: &Value) -> bool {
    text(d, &["spec", "strategy", "type"]) == "RollingUpdate"
}

/// A number or a percentage of `total`, rounded up or down.
pub(crate) fn scaled(v: Option<&Value>, total: i64, up: bool) -> i64 {
    match v {
        Some(Value::String(s)) => {
            let percent: i64 = s
                .strip_suffix('%')
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
            let hundredths = percent * total;
            if up {
                (hundredths + 99).div_euclid(100)
            } else {
                hundredths.div_euclid(100)
            }
        }
        Some(v) => v.as_i64().unwrap_or(0),
        None => 0,
    }
}

/// (surge, unavailable): surge rounds up, unavailable down, and not both are 0.
pub(crate) fn fenceposts(
    surge: Option<&Value>,
    unavailable: Option<&Value>,
    replicas: i64,
) -> (i64, i64) {
    let surge = scaled(surge, replicas, true);
    let unavailable = scaled(unavailable, replicas, false);
    if surge == 0 && unavailable == 0 {
        (0, 1)
    } else {
        (surge, unavailable)
    }
}

fn deployment_fenceposts(d: &Value) -> (i64, i64) {
    let rolling = at(d, &["spec", "strategy", "rollingUpdate"]);
    let field = |f: &str| rolling.and_then(|r| r.get(f));
    fenceposts(field("maxSurge"), field("maxUnavailable"), spec_replicas(d))
}

/// Pods beyond `spec.replicas` that a rollout may have.
pub(crate) fn max_surge(d: &Value) -> i64 {
    if is_rolling(d) {
        deployment_fenceposts(d).0
    } else {
        0
    }
}

/// Pods that may be missing during a rollout.
pub(crate) fn max_unavailable(d: &Value) -> i64 {
    let replicas = spec_replicas(d);
    if !is_rolling(d) || replicas == 0 {
        return 0;
    }
    deployment_fenceposts(d).1.min(replicas)
}

/// Seconds of the progress deadline; `None` if there is none.
pub(crate) fn progress_deadline(d: &Value) -> Option<i64> {
    int(d, &["spec", "progressDeadlineSeconds"]).filter(|s| *s != i64::from(i32::MAX))
}

/// The template without the label that ReplicaSets add.
pub(crate) fn template_without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template
        .get_mut("metadata")
        .and_then(|m| m.get_mut("labels"))
        .and_then(Value::as_object_mut)
    {
        labels.remove(HASH_LABEL);
    }
    template
}

/// The members of an object at `path` but for one.
fn others<'a>(
    v: &'a Value,
    path: &[&str],
    but: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    members(v, path).filter(move |(name, _)| *name != but)
}

/// Whether two templates are equal but for the hash label.
pub(crate) fn same_template(a: &Value, b: &Value) -> bool {
    let same = |path: &[&str], but: &str| others(a, path, but).eq(others(b, path, but));
    a.get("spec") == b.get("spec")
        && same(&["metadata"], "labels")
        && same(&["metadata", "labels"], HASH_LABEL)
}

pub(crate) fn template(v: &Value) -> &Value {
    at(v, &["spec", "template"]).unwrap_or(&Value::Null)
}

/// The ReplicaSet of the Deployment's template: the oldest whose template equals it.
pub(crate) fn find_new(d: &Value, sets: &[Ref]) -> Option<Ref> {
    let same = |rs: &&Ref| same_template(template(&rs.value), template(d));
    let mut equal: Vec<Ref> = sets.iter().filter(same).cloned().collect();
    by_creation(&mut equal);
    equal.into_iter().next()
}

/// All but the new one.
pub(crate) fn old_of(sets: &[Ref], new: Option<&Ref>) -> Vec<Ref> {
    sets.iter()
        .filter(|rs| new.is_none_or(|n| name(&n.value) != name(&rs.value)))
        .cloned()
        .collect()
}

/// A stand-in for `ComputeHash`: FNV-1a over the template's JSON and the collision count, in the
/// same alphabet and length. Real values need Go's dump format.
pub(crate) fn template_hash(template: &Value, collisions: Option<i64>) -> String {
    let text = template_without_hash(template).to_string();
    let tail = collisions
        .and_then(|c| u32::try_from(c).ok())
        .map(|c| u64::from(c).to_le_bytes())
        .unwrap_or_default();
    let bytes = text
        .bytes()
        .chain(collisions.is_some().then_some(tail).into_iter().flatten());
    let hash = bytes.fold(0x811c_9dc5_u32, |h, b| {
        (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
    });
    safe_encoded(&hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::{fenceposts, same_template, template_hash};
    use crate::cluster::json::{Value, json};

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        for (surge, unavailable, replicas, expected) in [
            (json!("25%"), json!("25%"), 1, (1, 0)),
            (json!("25%"), json!("25%"), 3, (1, 0)),
            (json!("25%"), json!("25%"), 4, (1, 1)),
            (json!("25%"), json!("25%"), 10, (3, 2)),
            (json!("0%"), json!("10%"), 5, (0, 1)),
            (json!(0), json!("49%"), 2, (0, 1)),
            (json!(1), json!(0), 1, (1, 0)),
            (json!(2), json!(5), 3, (2, 5)),
            (json!("100%"), json!("100%"), 7, (7, 7)),
            (json!("34%"), json!("0%"), 3, (2, 0)),
        ] {
            assert_eq!(
                fenceposts(Some(&surge), Some(&unavailable), replicas),
                expected,
                "{surge}/{unavailable} of {replicas}"
            );
        }
    }

    #[test]
    fn only_the_hash_label_is_ignored() {
        let template = |labels: Value, image: &str| json!({"metadata": {"labels": labels}, "spec": {"containers": [{"image": image}]}});
        let plain = template(json!({"app": "x"}), "i:1");
        let hashed = template(json!({"app": "x", "pod-template-hash": "abc"}), "i:1");
        assert!(same_template(&plain, &hashed));
        assert!(!same_template(
            &plain,
            &template(json!({"app": "x"}), "i:2")
        ));
        assert!(!same_template(
            &plain,
            &template(json!({"app": "x", "y": "z"}), "i:1")
        ));
        assert_eq!(template_hash(&plain, None), template_hash(&hashed, None));
        assert_ne!(template_hash(&plain, None), template_hash(&plain, Some(0)));
    }
}
