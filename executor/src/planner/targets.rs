//! Which services are rolled back, and to what.

use std::collections::BTreeMap;

use super::observed::{Observed, ServiceState, template_digest};
use super::plan::{ServicePlan, Target};
use crate::baseline::ServiceBaseline;
use crate::workload::WorkloadKind;

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
    if now.half_way {
        why.push("pods of another revision are left".to_owned());
    }
    let differs = !why.is_empty();
    let target = if template_differs {
        pinned(&wanted, now)
    } else {
        Target::Unchanged
    };
    let plan = ServicePlan {
        service: service.to_owned(),
        kind: now.kind,
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
        taken_back: taken_back(baseline, now),
        why: why.join("; "),
    };
    (plan, differs)
}

/// The newest revision with the recorded template. By template, not by number: an undo renumbers.
fn pinned(wanted: &str, now: &ServiceState) -> Target {
    let newest = now
        .revisions
        .iter()
        .filter(|it| it.template_digest == wanted)
        .filter_map(|it| it.revision.map(|revision| (revision, it.name.clone())))
        .max();
    match (newest, now.kind) {
        (None, _) => Target::Recorded,
        (Some((revision, name)), WorkloadKind::Deployment) => Target::ReplicaSet { name, revision },
        (Some((revision, name)), WorkloadKind::StatefulSet) => {
            Target::ControllerRevision { name, revision }
        }
    }
}

/// The revisions of a StatefulSet that are later than the recorded one, without those of the recorded template. Numbers
/// only grow, also where an old template is rolled out again.
fn taken_back(baseline: &ServiceBaseline, now: &ServiceState) -> Vec<String> {
    if now.kind != WorkloadKind::StatefulSet {
        return Vec::new();
    }
    let wanted = template_digest(&baseline.template);
    let later = now.revisions.iter().filter(|it| {
        let since = it.revision.zip(baseline.revision);
        it.template_digest != wanted && since.is_some_and(|(number, recorded)| number > recorded)
    });
    let mut names: Vec<String> = later.map(|it| it.name.clone()).collect();
    names.sort();
    names
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
