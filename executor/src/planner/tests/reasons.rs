//! The names of a plan's reasons.

use std::collections::BTreeSet;

use super::base::{migrated, observed, row, runbook, trigger};
use crate::planner::{LedgerReason, Plan, PlanError, Refusal, StepReason, decide, plan};
use crate::runbook::{TriggerClass, When};
use crate::workload::WorkloadKind;

#[test]
fn the_ledgers_reason_has_a_name() {
    use LedgerReason::{
        Compatible, LosslessUndo, MigrationFailed, NoUndoScript, UndoNotLossless, UndoUnmarked,
    };
    for (v, u, success, expected) in [
        (Some("compatible"), None, true, Compatible),
        (Some("breaking"), Some("lossless"), true, LosslessUndo),
        (Some("breaking"), Some("lossy"), true, UndoNotLossless),
        (Some("breaking"), None, true, NoUndoScript),
        (Some("breaking"), Some("lossless"), false, MigrationFailed),
    ] {
        let found = decide(&migrated(v, u, success));
        assert_eq!(found.because, Some(expected), "{v:?} {u:?}: {}", found.why);
    }
    let mut unmarked = migrated(Some("breaking"), Some("lossless"), true);
    for sql in unmarked.scripts.values_mut() {
        *sql = sql.replace("-- rollback: lossless", "");
    }
    assert_eq!(decide(&unmarked).because, Some(UndoUnmarked));
    let mut repeatable = migrated(Some("breaking"), Some("lossless"), true);
    let mut newer = row(4, "x", true);
    newer.version = None;
    repeatable.history.push(newer);
    let because = decide(&repeatable).because;
    assert_eq!(because, Some(LedgerReason::RepeatableMigration));
    let mut wrong = observed(&[("matching", "2")]);
    assert_eq!(decide(&wrong).because, Some(LedgerReason::NoMigration));
    wrong.trigger = Some(trigger(TriggerClass::DataIntegrity, "anomaly"));
    assert_eq!(decide(&wrong).because, Some(LedgerReason::DataWrong));
}

fn reasons(plan: &Plan) -> BTreeSet<StepReason> {
    let done = plan.steps.iter().chain(&plan.stand_by).map(|it| it.because);
    let left_out = plan.skipped.iter().map(|it| it.because);
    done.chain(left_out)
        .map(|because| because.expect("a fresh plan names its reasons"))
        .collect()
}

#[test]
fn every_step_of_a_plan_says_by_name_why_it_is_there_or_left_out() {
    let runbook = runbook();
    let mut paused = observed(&[("gateway", "2")]);
    paused.services.get_mut("gateway").expect("there").paused = true;
    let states = [
        paused,
        migrated(Some("breaking"), Some("lossless"), true),
        migrated(Some("breaking"), None, true),
    ];
    let mut seen = BTreeSet::new();
    for state in &states {
        let plan = plan(&runbook, state).expect("a plan");
        seen.extend(reasons(&plan));
        // A journaled plan keeps them, and one of an older build reads as well.
        let mut json = serde_json::to_value(&plan).expect("it is written");
        let read: Plan = serde_json::from_value(json.clone()).expect("it is read");
        assert_eq!(reasons(&read), reasons(&plan));
        for step in json["steps"].as_array_mut().expect("steps") {
            step.as_object_mut().expect("a step").remove("because");
        }
        let old: Plan = serde_json::from_value(json).expect("an older plan is read");
        assert!(old.steps.iter().all(|step| step.because.is_none()));
    }
    for reason in [
        StepReason::ServiceDiffers,
        StepReason::ServiceAsRecorded,
        StepReason::LedgerStays,
        StepReason::LedgerIsUndone,
        StepReason::LedgerIsRestored,
        StepReason::Paused,
        StepReason::NotPaused,
        StepReason::StandsBy,
    ] {
        assert!(seen.contains(&reason), "{reason}: {seen:?}");
    }
    assert!(runbook.steps.iter().any(|it| it.when == When::LedgerUndo));
}

#[test]
fn a_refusal_has_a_name() {
    let same = observed(&[]);
    let refused = plan(&runbook(), &same).expect_err("nothing differs");
    assert_eq!(refused.refusal(), Refusal::NothingDiffers);
    let gone = PlanError::Gone {
        kind: WorkloadKind::Deployment,
        service: "risk".to_owned(),
    };
    assert_eq!(gone.refusal(), Refusal::Gone);
}
