//! Which services are rolled back, and to what.

use std::collections::BTreeMap;

use super::observed::{Observed, ServiceState, template_digest};
use super::plan::{ServicePlan, Target};
use crate::baseline::ServiceBaseline;

/// The service's part of the plan, and whether it is rolled back: not so if it is as recorded.
pub(super) fn target(
    service: &str,
    baseline: &ServiceBaseline,
    now: &ServiceState,
) -> (ServicePlan, bool) {
    let wanted = template_digest(&baseline.template);
    let template_differs = now.template_digest != wanted;
    let config: BTreeMap<_, _> = baseline
        .config
        .iter()
        .filter(|(name, data)| now.config.get(*name) != Some(data))
        .map(|(name, data)| (name.clone(), data.clone()))
        .collect();
    let mut why = Vec::new();
    if template_differs {
        why.push("its pod template is not the recorded one".to_owned());
    }
    if !config.is_empty() {
        let names: Vec<&str> = config.keys().map(String::as_str).collect();
        why.push(format!("its configuration changed: {}", names.join(", ")));
    }
    if now.replicas < baseline.replicas {
        why.push(format!(
            "it has {} of {} replicas",
            now.replicas, baseline.replicas
        ));
    }
    let differs = !why.is_empty();
    let target = if template_differs {
        pinned(&wanted, now)
    } else {
        Target::Unchanged
    };
    let plan = ServicePlan {
        service: service.to_owned(),
        uid: now.uid.clone(),
        selector: baseline.selector.clone(),
        from_image: now.image.clone(),
        to_image: baseline.image.clone(),
        bad_digest: now.template_digest.clone(),
        target,
        template: baseline.template.clone(),
        template_digest: wanted,
        replicas: baseline.replicas,
        builds: baseline.builds.clone(),
        config,
        paused: now.paused,
        why: why.join("; "),
    };
    (plan, differs)
}

/// The newest ReplicaSet with the recorded template. By template, not by number: an undo renumbers.
fn pinned(wanted: &str, now: &ServiceState) -> Target {
    now.replica_sets
        .iter()
        .filter(|set| set.template_digest == wanted)
        .filter_map(|set| set.revision.map(|revision| (revision, set)))
        .max_by_key(|(revision, set)| (*revision, set.name.clone()))
        .map_or(Target::Recorded, |(revision, set)| Target::ReplicaSet {
            name: set.name.clone(),
            revision,
        })
}

/// When the release was deployed: the newest first appearance of a template that differs.
pub(super) fn deployed_at(observed: &Observed) -> Option<jiff::Timestamp> {
    observed
        .services
        .iter()
        .filter(|(name, state)| {
            observed
                .baseline
                .services
                .get(*name)
                .is_some_and(|recorded| {
                    template_digest(&recorded.template) != state.template_digest
                })
        })
        .filter_map(|(_, state)| state.deployed_at())
        .filter(|at| *at >= observed.baseline.recorded_at)
        .max()
}
