//! Where services go back to, and what is refused.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::base::{at, migrated, observed, runbook, trigger};
use crate::planner::{LedgerPath, PlanError, Target, plan};
use crate::runbook::{Command, TriggerClass};
use crate::workload::WorkloadKind;

#[test]
fn the_target_is_found_by_template_after_renumbering() {
    let mut observed = observed(&[("gateway", "2")]);
    let gateway = observed.services.get_mut("gateway").expect("the gateway");
    gateway.revisions[0].revision = Some(7);
    let plan = plan(&runbook(), &observed).expect("a plan");
    let target = Target::ReplicaSet {
        name: "gateway-1".to_owned(),
        revision: 7,
    };
    assert_eq!(plan.services[0].target, target);
    assert_eq!(plan.services.len(), 1);
    assert_eq!(plan.unchanged, ["matching", "risk"]);
}

#[test]
fn a_pruned_target_is_applied_again() {
    let mut observed = observed(&[("gateway", "2")]);
    observed
        .services
        .get_mut("gateway")
        .expect("the gateway")
        .revisions
        .remove(0);
    let plan = plan(&runbook(), &observed).expect("a plan");
    assert_eq!(plan.services[0].target, Target::Recorded);
    assert!(plan.notes[0].contains("no ReplicaSet has the recorded template"));
}

#[test]
fn refusals() {
    let runbook = runbook();
    let calm = observed(&[]);
    assert_eq!(plan(&runbook, &calm), Err(PlanError::NothingDiffers));

    let mut old = observed(&[("gateway", "2")]);
    old.baseline
        .triggers
        .insert("anomaly".to_owned(), Some(3.0));
    old.trigger = Some(trigger(TriggerClass::DataIntegrity, "anomaly"));
    let predates = PlanError::PredatesRelease {
        trigger: "anomaly".to_owned(),
    };
    assert_eq!(plan(&runbook, &old), Err(predates));
    old.force = true;
    assert!(plan(&runbook, &old).is_ok());

    let mut late = observed(&[("gateway", "2")]);
    if let Some(trigger) = &mut late.trigger {
        trigger.fired_at = at(30) + SignedDuration::from_secs(3601);
    }
    let outside = PlanError::OutsideWindow {
        deployed_at: at(30),
    };
    assert_eq!(plan(&runbook, &late), Err(outside));

    let mut other = observed(&[("gateway", "2")]);
    other.services.get_mut("risk").expect("risk").uid = "new".to_owned();
    let recreated = PlanError::Recreated {
        kind: WorkloadKind::Deployment,
        service: "risk".to_owned(),
    };
    assert_eq!(plan(&runbook, &other), Err(recreated));

    let mut paused = observed(&[("gateway", "2")]);
    paused
        .services
        .get_mut("gateway")
        .expect("the gateway")
        .paused = true;
    assert!(plan(&runbook, &paused).is_ok());
    let mut without = runbook.clone();
    without
        .steps
        .retain(|step| step.command != Command::RolloutResume);
    let refusal = PlanError::Paused {
        service: "gateway".to_owned(),
    };
    assert_eq!(plan(&without, &paused), Err(refusal));

    let mut no_undo = runbook;
    no_undo
        .steps
        .retain(|step| step.command != Command::UndoSchema);
    let breaking = migrated(Some("breaking"), Some("lossless"), true);
    let missing = PlanError::MissingStep {
        path: LedgerPath::Undo,
    };
    assert_eq!(plan(&no_undo, &breaking), Err(missing));
}

#[test]
fn changed_configuration_alone_is_a_difference() {
    let mut observed = observed(&[]);
    let gateway = observed.services.get_mut("gateway").expect("the gateway");
    gateway.config.insert(
        "gateway-config".to_owned(),
        BTreeMap::from([("limit".to_owned(), "0".to_owned())]),
    );
    let plan = plan(&runbook(), &observed).expect("a plan");
    assert_eq!(plan.services[0].target, Target::Unchanged);
    assert!(
        plan.steps
            .iter()
            .any(|step| step.command == Command::RestoreConfig)
    );
}
