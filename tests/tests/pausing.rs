//! A runbook that pauses the bad release's rollout: no more of its pods are started while the ledger is corrected.

use std::time::Duration;

use e2e::drills::{assert_passes, edited, plan_by, run};
use e2e::runbooks::pausing;
use executor::StepOutcome;
use executor::runbook::{Mistake, Runbook};
use firedrill::scenario::{Crash, CrashSide};
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;

/// Outcome and words of the steps called `name` in a drill that passes.
fn steps(plan: &DrillPlan, name: &str) -> Vec<(StepOutcome, String)> {
    let result = run(plan);
    assert_passes(&result);
    let steps = result.steps.iter().filter(|step| step.name == name);
    steps
        .map(|step| (step.outcome, step.detail.clone()))
        .collect()
}

#[test]
fn a_rollout_is_paused_and_resumed_ahead_of_the_undo() {
    let plan = plan_by("breaking-migration", 3, &pausing());
    let linted = Runbook::parse_and_lint("pausing.md", &pausing()).expect("it loads");
    let stays = |it: &Mistake| it.code == "pause-stays";
    assert!(!linted.warnings().iter().any(stays), "{}", linted.plain());
    let paused = steps(&plan, "pause-rollout");
    assert!(!paused.is_empty(), "services differ");
    for (outcome, detail) in &paused {
        assert_eq!(*outcome, StepOutcome::Done, "{detail}");
        assert!(detail.ends_with(" paused"), "{detail}");
    }
    // It reads the field back, so that it was set when it was removed.
    let resumed = steps(&plan, "resume-rollout");
    assert_eq!(resumed.len(), paused.len());
    for (outcome, detail) in resumed {
        assert_eq!(outcome, StepOutcome::Done, "{detail}");
    }
}

#[test]
fn whoever_resumes_finds_it_paused_and_goes_on() {
    // The executor is killed right after a pause took effect, before it could journal that.
    let already = (10..60).find_map(|request| {
        let plan = edited(plan_by("breaking-migration", 3, &pausing()), |scenario| {
            scenario.crash = Some(Crash {
                request,
                side: CrashSide::After,
                resume_after: Duration::from_secs(2),
            });
        });
        let result = run(&plan);
        let mut paused = result.steps.iter();
        paused
            .find(|step| step.name == "pause-rollout" && step.outcome == StepOutcome::AlreadySo)
            .map(|step| (step.detail.clone(), result.verdicts.overall))
    });
    let (detail, verdict) = already.expect("a request that paused a Deployment");
    assert!(detail.ends_with(" is paused already"), "{detail}");
    assert_eq!(verdict, Verdict::Pass);
}
