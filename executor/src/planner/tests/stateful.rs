//! Plans with a StatefulSet among the services.

use std::collections::BTreeSet;

use super::base::{each, observed, runbook, step};
use crate::planner::{Observed, Plan, PlanError, Refusal, RevisionState, StepReason, Target, plan};
use crate::runbook::{Command, Runbook};
use crate::workload::WorkloadKind;

/// The state after a release of the gateway, which is a StatefulSet.
fn state() -> Observed {
    let mut state = observed(&[("gateway", "2")]);
    let gateway = state.services.get_mut("gateway").expect("the gateway");
    gateway.kind = WorkloadKind::StatefulSet;
    let recorded = state.baseline.services.get_mut("gateway");
    recorded.expect("the gateway").kind = WorkloadKind::StatefulSet;
    state
}

/// A runbook that undoes workloads of these kinds, one step for each.
fn undoing(kinds: &[WorkloadKind]) -> Runbook {
    let steps = kinds.iter().map(|kind| {
        let undo = Command::RolloutUndo { pinned: true };
        let mut step = each(step(&format!("undo-{}", kind.word()), "Roll back", undo));
        step.kinds = BTreeSet::from([*kind]);
        step.text = format!("kubectl rollout undo {}/$SERVICE", kind.word());
        step
    });
    let mut broken = each(step("broken", "Roll back", Command::DeleteBrokenPods));
    broken.kinds = BTreeSet::from([WorkloadKind::StatefulSet]);
    broken.text = "delete $BAD_REVISIONS".to_owned();
    Runbook {
        steps: steps.chain([broken]).collect(),
        ..runbook()
    }
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.name.as_str()).collect()
}

#[test]
fn each_service_has_the_steps_of_its_kind() {
    let mut both = state();
    let changed = observed(&[("risk", "2")]);
    let risk = changed.services.get("risk").expect("risk").clone();
    both.services.insert("risk".to_owned(), risk);
    let planned = plan(&undoing(&WorkloadKind::ALL), &both).expect("a plan");
    assert_eq!(
        names(&planned),
        ["undo-deployment", "undo-statefulset", "broken"]
    );
    let target = Target::ControllerRevision {
        name: "gateway-1".to_owned(),
        revision: 1,
    };
    let of = |name: &str| planned.service(name).expect("it is rolled back").clone();
    assert_eq!(of("gateway").target, target);
    assert_eq!(of("gateway").taken_back, ["gateway-2"]);
    assert_eq!(of("risk").taken_back, Vec::<String>::new());
    assert_eq!(planned.steps[2].text, "delete gateway-2");
    let left_out = |it: &&crate::planner::SkippedStep| it.because == Some(StepReason::AnotherKind);
    let left_out: Vec<String> = planned
        .skipped
        .iter()
        .filter(left_out)
        .map(|it| {
            format!(
                "{} {}: {}",
                it.name,
                it.service.clone().unwrap_or_default(),
                it.reason
            )
        })
        .collect();
    assert_eq!(
        left_out,
        [
            "undo-statefulset risk: the service is a Deployment",
            "broken risk: the service is a Deployment",
            "undo-deployment gateway: the service is a StatefulSet",
        ]
    );
}

#[test]
fn a_runbook_that_undoes_the_other_kind_only_is_refused() {
    let refused = plan(&undoing(&[WorkloadKind::Deployment]), &state());
    let refused = refused.expect_err("no step undoes a StatefulSet");
    let expected = PlanError::NoUndo {
        kind: WorkloadKind::StatefulSet,
        service: "gateway".to_owned(),
    };
    assert_eq!(refused, expected);
    assert_eq!(refused.refusal(), Refusal::MissingStep);
    assert!(
        refused
            .to_string()
            .contains("kubectl rollout undo statefulset/$SERVICE")
    );
}

#[test]
fn what_was_rolled_out_since_the_baseline_is_taken_back_and_nothing_else() {
    let mut state = state();
    let gateway = state.services.get_mut("gateway").expect("the gateway");
    let revision = |name: &str, revision: u64, digest: &str| RevisionState {
        name: name.to_owned(),
        revision: Some(revision),
        template_digest: digest.to_owned(),
        created_at: None,
    };
    let recorded = gateway.revisions[0].template_digest.clone();
    gateway.revisions = vec![
        revision("older", 3, "x"),
        revision("tried", 5, "y"),
        revision("bad", 6, "z"),
        // Somebody has undone it by hand, which renumbered it.
        revision("recorded", 7, &recorded),
    ];
    let baseline = state.baseline.services.get_mut("gateway");
    baseline.expect("the gateway").revision = Some(4);
    let planned = plan(&undoing(&[WorkloadKind::StatefulSet]), &state).expect("a plan");
    assert_eq!(planned.services[0].taken_back, ["bad", "tried"]);
}

#[test]
fn an_undo_by_hand_that_hangs_is_gone_on_with() {
    let mut state = observed(&[]);
    for service in state.services.values_mut() {
        service.kind = WorkloadKind::StatefulSet;
    }
    let steps = undoing(&[WorkloadKind::StatefulSet]);
    assert_eq!(plan(&steps, &state), Err(PlanError::NothingDiffers));
    state
        .services
        .get_mut("gateway")
        .expect("the gateway")
        .half_way = true;
    let planned = plan(&steps, &state).expect("a plan");
    assert_eq!(planned.services[0].target, Target::Unchanged);
    assert_eq!(planned.services[0].why, "pods of another revision are left");
}

#[test]
fn a_plan_of_deployments_is_written_as_it_always_was() {
    let planned = plan(&runbook(), &observed(&[("gateway", "2")])).expect("a plan");
    let written = serde_json::to_value(&planned).expect("a plan is JSON");
    let service = written["services"][0].as_object().expect("a service");
    assert!(!service.contains_key("kind") && !service.contains_key("taken_back"));
    let with = plan(&undoing(&[WorkloadKind::StatefulSet]), &state()).expect("a plan");
    let written = serde_json::to_value(&with).expect("a plan is JSON");
    assert_eq!(written["services"][0]["kind"], "stateful-set");
    assert_eq!(
        serde_json::from_value::<Plan>(written).expect("it reads back"),
        with
    );
}
