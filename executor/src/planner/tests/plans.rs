//! Whole plans, as people read them, and what stands by in them.

use std::time::Duration;

use super::base::{at, migrated, observed, runbook, step, when};
use crate::planner::{COMES_AGAIN, LedgerPath, Observed, Plan, Reconciler, plan};
use crate::pod_port::PodPort;
use crate::ports::LedgerPosition;
use crate::runbook::{Command, Naming, OnFail, Phase, Runbook, When};

#[test]
fn a_plan_survives_the_journal() {
    let plan = plan(&runbook(), &observed(&[("gateway", "2")])).expect("a plan");
    let text = serde_json::to_string(&plan).expect("JSON");
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("the plan"), plan);
}

#[test]
fn an_application_has_its_own_words_and_the_usual_ones_need_no_place_in_the_journal() {
    let observed = migrated(Some("breaking"), Some("lossy"), true);
    let mut runbook = runbook();
    let exchange = plan(&runbook, &observed).expect("a plan");
    let json = |plan: &Plan| serde_json::to_value(plan).expect("JSON");
    assert_eq!(json(&exchange).get("naming"), None);

    runbook.naming = Naming {
        halts: "booking".to_owned(),
        records: "bookings".to_owned(),
        log: "event log".to_owned(),
    };
    runbook
        .steps
        .retain(|step| step.command != Command::ReplayLog);
    let other = plan(&runbook, &observed).expect("a plan");
    let back: Plan = serde_json::from_value(json(&other)).expect("the plan");
    assert_eq!(back.naming, runbook.naming);
    let losses: Vec<String> = other.losses_from(0).into_iter().map(|it| it.what).collect();
    let told = "bookings acknowledged since snapshot `before_release`: no later step replays the event log";
    assert!(losses.iter().any(|it| it.starts_with(told)), "{losses:?}");
}

#[test]
fn a_restore_stands_by_for_an_undo_that_may_fail() {
    let mut runbook = runbook();
    let planned = |runbook: &Runbook, observed: &Observed| plan(runbook, observed).expect("a plan");
    let mut observed = migrated(Some("breaking"), Some("lossless"), true);
    let without = planned(&runbook, &observed);
    assert!(without.steps.iter().all(|step| step.name != "restore"));
    for step in &mut runbook.steps {
        if step.command == Command::UndoSchema {
            step.on_fail = OnFail::Restore;
        }
    }
    let with = planned(&runbook, &observed);
    let undo = with.steps.iter().find(|step| step.name == "undo-schema");
    let restore = with.steps.iter().find(|step| step.name == "restore");
    let undo = undo.expect("it is the undo path").index;
    assert_eq!(restore.and_then(|step| step.instead_of), Some(undo));
    assert_eq!(with.steps[undo].on_fail, OnFail::Restore);
    assert_eq!(with.ledger.path, LedgerPath::Undo);
    // Without a snapshot there is nothing to stand by with.
    observed.snapshot = None;
    assert_eq!(
        planned(&runbook, &observed).steps[undo].on_fail,
        OnFail::Abort
    );
}

#[test]
fn application_only_as_people_read_it() {
    let plan = plan(&runbook(), &observed(&[("gateway", "2")])).expect("a plan");
    insta::assert_snapshot!(plan);
}

#[test]
fn breaking_migration_as_people_read_it() {
    let observed = migrated(Some("breaking"), Some("lossless"), true);
    let plan = plan(&runbook(), &observed).expect("a plan");
    insta::assert_snapshot!(plan);
}

#[test]
fn restore_as_people_read_it() {
    let observed = migrated(Some("breaking"), Some("lossy"), true);
    let plan = plan(&runbook(), &observed).expect("a plan");
    insta::assert_snapshot!(plan);
}

#[test]
fn budgets_follow_the_size_of_the_work_and_the_plan_says_so() {
    let mut runbook = runbook();
    let restore = runbook.steps.iter().position(|it| it.name == "restore");
    let replay = when(
        When::LedgerRestore,
        step("replay", "Replay", Command::ReplayLog),
    );
    runbook
        .steps
        .insert(restore.expect("it restores") + 1, replay);
    let budget = |observed: &Observed, command: fn(&Command) -> bool| {
        let plan = plan(&runbook, observed).expect("a plan");
        let step = plan.steps.iter().find(|step| command(&step.command));
        (step.expect("the step").budget, plan.notes.join("\n"))
    };
    let replays: fn(&Command) -> bool = |it| matches!(it, Command::ReplayLog);
    let restores: fn(&Command) -> bool = |it| matches!(it, Command::RestoreSnapshot { .. });
    let mut observed = migrated(Some("breaking"), None, true);
    let position = |log_seq| LedgerPosition {
        log_seq,
        ..LedgerPosition::default()
    };
    observed.position = Some(position(1_000));
    let (short, notes) = budget(&observed, replays);
    assert!(!notes.contains("entries of the log"), "{notes}");
    // An hour at 200 a second, and half a minute more until the fence is up.
    observed.baseline.recorded_at = at(-3_500);
    observed.position = Some(position(720_000));
    let (long, notes) = budget(&observed, replays);
    assert!(long > short && long >= Duration::from_secs(48), "{long:?}");
    assert!(notes.contains("some 726000 entries of the log"), "{notes}");
    observed.snapshot.as_mut().expect("a snapshot").size_bytes = 9_000_000_000;
    let (restore, notes) = budget(&observed, restores);
    assert_eq!(restore, Duration::from_secs(201));
    assert!(notes.contains("a snapshot of 9000 MB"), "{notes}");
}

#[test]
fn what_somebody_may_do_meanwhile_is_stood_by_for() {
    let mut observed = observed(&[("gateway", "2")]);
    let stood_by_for = |observed: &Observed| {
        let plan = plan(&runbook(), observed).expect("a plan");
        let resumes = plan.stand_by.iter();
        let resumes = resumes.filter(|step| step.command == Command::RolloutResume);
        let services: Vec<String> = resumes
            .clone()
            .filter_map(|it| it.service.clone())
            .collect();
        // It would stand before the undo, and goes back to what was recorded.
        let gateways = resumes
            .clone()
            .find(|it| it.service.as_deref() == Some("gateway"));
        let next = &plan.steps[gateways.expect("the gateway's").index];
        assert_eq!(next.command, Command::RolloutUndo { pinned: true });
        assert!(services.iter().all(|name| plan.service(name).is_some()));
        services
    };
    assert_eq!(stood_by_for(&observed), ["gateway", "matching", "risk"]);
    // What was paused before, and is none of the rollback's business, stays so.
    observed.services.get_mut("risk").expect("risk").paused = true;
    assert_eq!(stood_by_for(&observed), ["gateway", "matching"]);
}

#[test]
fn who_puts_the_release_back_is_named_and_outlasted() {
    let mut runbook = runbook();
    let mut stay = step(
        "stay",
        "Afterwards",
        Command::CheckBuildInfo {
            port: PodPort::Number(8080),
        },
    );
    stay.phase = Phase::After;
    stay.hold = Some(Duration::from_secs(60));
    runbook.steps.push(stay);
    let mut observed = observed(&[("gateway", "2")]);
    let held = |observed: &Observed| {
        let plan = plan(&runbook, observed).expect("a plan");
        let last = plan.steps.last().expect("steps").clone();
        (last.hold, last.budget, plan.notes.join("\n"))
    };
    let (hold, before, notes) = held(&observed);
    assert_eq!((hold, notes.as_str()), (Some(Duration::from_secs(60)), ""));
    let gateway = observed.services.get_mut("gateway").expect("the gateway");
    gateway.reconciler = Some(Reconciler {
        name: "Argo CD".to_owned(),
        mark: "argocd.argoproj.io/instance=dex".to_owned(),
    });
    let (hold, budget, notes) = held(&observed);
    assert_eq!(hold, Some(COMES_AGAIN));
    assert_eq!(budget, before + COMES_AGAIN - Duration::from_secs(60));
    assert!(
        notes.contains(
            "gateway is kept as a repository says by Argo CD (argocd.argoproj.io/instance=dex)"
        ),
        "{notes}"
    );
}
