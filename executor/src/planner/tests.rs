//! Tables of decisions, and plans as people read them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    COMES_AGAIN, LedgerPath, Observed, PlanError, Reconciler, ReplicaSetState, ServiceState,
    Target, decide, header, plan, template_digest,
};
use crate::baseline::{Baseline, ServiceBaseline};
use crate::ports::{HistoryRow, LedgerPosition, Snapshot};
use crate::report::TriggerEvent;
use crate::runbook::{
    Command, Condition, OnFail, Operator, Phase, Runbook, Step, Trigger, TriggerClass, When,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap_or_default()
}

fn template(image: &str) -> Value {
    json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "image": image }] } })
}

fn row(rank: i32, version: &str, success: bool) -> HistoryRow {
    HistoryRow {
        installed_rank: rank,
        version: Some(version.to_owned()),
        description: "d".to_owned(),
        kind: "SQL".to_owned(),
        script: format!("V{version}__d.sql"),
        checksum: Some(rank),
        success,
    }
}

fn step(name: &str, title: &str, command: Command) -> Step {
    Step {
        name: name.to_owned(),
        title: title.to_owned(),
        line: 1,
        text: format!("{name} $SERVICE $TARGET_REVISION"),
        command,
        phase: Phase::Run,
        timeout: Duration::from_secs(10),
        on_fail: OnFail::Abort,
        when: When::Always,
        for_each_service: false,
        expect: None,
        min_requests: None,
        count_query: None,
        hold: None,
    }
}

fn each(step: Step) -> Step {
    Step {
        for_each_service: true,
        ..step
    }
}

fn when(when: When, step: Step) -> Step {
    Step { when, ..step }
}

fn runbook() -> Runbook {
    let snapshot = "before_release".to_owned();
    let halt = |value: &str| Command::SetConfigValue {
        name: "trading".to_owned(),
        key: "mode".to_owned(),
        value: value.to_owned(),
    };
    Runbook {
        title: "Roll back".to_owned(),
        digest: "0123".to_owned(),
        rto: Duration::from_secs(300),
        rpo_trades: 0,
        validation_window: Duration::from_secs(3600),
        namespace: "prod".to_owned(),
        services: ["matching", "risk", "gateway"].map(str::to_owned).to_vec(),
        prometheus: "http://prometheus".to_owned(),
        loki: None,
        triggers: vec![Trigger {
            name: "anomaly".to_owned(),
            class: TriggerClass::DataIntegrity,
            query: "anomalies".to_owned(),
            condition: Condition {
                operator: Operator::Greater,
                value: 0.0,
            },
            hold_for: Duration::from_secs(15),
        }],
        steps: vec![
            when(
                When::LedgerBreaking,
                step("halt", "Halt", halt("maintenance")),
            ),
            when(When::LedgerBreaking, step("fence", "Fence", Command::Fence)),
            when(
                When::LedgerUndo,
                step("undo-schema", "Undo", Command::UndoSchema),
            ),
            when(
                When::LedgerRestore,
                step(
                    "restore",
                    "Restore",
                    Command::RestoreSnapshot { name: snapshot },
                ),
            ),
            when(
                When::ConfigChanged,
                each(step("config", "Roll back", Command::RestoreConfig)),
            ),
            when(
                When::DeploymentPaused,
                each(step("resume", "Roll back", Command::RolloutResume)),
            ),
            each(step(
                "undo",
                "Roll back",
                Command::RolloutUndo { pinned: true },
            )),
            each(step("status", "Roll back", Command::RolloutStatus)),
            each(step("review", "Review", Command::ReviewReplicaSets)),
            when(
                When::LedgerBreaking,
                step("unfence", "Reopen", Command::Unfence),
            ),
            when(When::LedgerBreaking, step("open", "Reopen", halt("open"))),
        ],
    }
}

fn observed(versions: &[(&str, &str)]) -> Observed {
    let mut services = BTreeMap::new();
    let mut recorded = BTreeMap::new();
    for (index, name) in ["matching", "risk", "gateway"].into_iter().enumerate() {
        let before = template(&format!("dex/{name}:1"));
        let version = versions
            .iter()
            .find(|(of, _)| *of == name)
            .map_or("1", |(_, to)| *to);
        let now = template(&format!("dex/{name}:{version}"));
        let set = |revision: u64, template: &Value| ReplicaSetState {
            name: format!("{name}-{revision}"),
            revision: Some(revision),
            template_digest: template_digest(template),
            created_at: Some(at(if revision == 1 { -9000 } else { 30 })),
        };
        let uid = format!("uid-{index}");
        let build = BTreeMap::from([(
            "x_build_info".to_owned(),
            BTreeMap::from([("version".to_owned(), "1.0.0".to_owned())]),
        )]);
        services.insert(
            name.to_owned(),
            ServiceState {
                uid: uid.clone(),
                paused: false,
                replicas: 1,
                template_digest: template_digest(&now),
                image: format!("dex/{name}:{version}"),
                revision: Some(if version == "1" { 1 } else { 2 }),
                replica_sets: if version == "1" {
                    vec![set(1, &before)]
                } else {
                    vec![set(1, &before), set(2, &now)]
                },
                reconciler: None,
                config: BTreeMap::from([(format!("{name}-config"), BTreeMap::new())]),
            },
        );
        recorded.insert(
            name.to_owned(),
            ServiceBaseline {
                uid,
                selector: format!("app={name}"),
                template: before,
                revision: Some(1),
                replicas: 1,
                image: format!("dex/{name}:1"),
                config: BTreeMap::from([(format!("{name}-config"), BTreeMap::new())]),
                builds: BTreeSet::from([build]),
            },
        );
    }
    let history = vec![row(1, "1", true)];
    let snapshot = Snapshot {
        name: "before_release".to_owned(),
        taken_at: at(0),
        size_bytes: 1,
        position: LedgerPosition::default(),
        schema_version: Some("1".to_owned()),
    };
    Observed {
        at: at(100),
        baseline: Baseline {
            recorded_at: at(0),
            runbook: "0123".to_owned(),
            services: recorded,
            triggers: BTreeMap::from([("anomaly".to_owned(), Some(0.0))]),
            schema_version: Some("1".to_owned()),
            history: history.clone(),
            position: LedgerPosition::default(),
            snapshot: Some(snapshot.clone()),
        },
        services,
        history,
        scripts: BTreeMap::new(),
        snapshot: Some(snapshot),
        position: None,
        trigger: Some(trigger(TriggerClass::Sla, "latency")),
        force: false,
    }
}

fn trigger(class: TriggerClass, name: &str) -> TriggerEvent {
    TriggerEvent {
        name: name.to_owned(),
        class,
        value: Some(0.5),
        since: at(60),
        fired_at: at(90),
        reason: "p99 > 0.1".to_owned(),
    }
}

fn migrated(v: Option<&str>, u: Option<&str>, success: bool) -> Observed {
    let mut observed = observed(&[("matching", "2"), ("risk", "2"), ("gateway", "2")]);
    observed.history.push(row(2, "2", success));
    let sql = |header: &str| format!("-- A change.\n{header}\nALTER TABLE x;\n");
    let v = v.map_or(String::new(), |v| format!("-- rollback: {v}"));
    observed.scripts.insert("V2__d.sql".to_owned(), sql(&v));
    if let Some(u) = u {
        observed
            .scripts
            .insert("U2__d.sql".to_owned(), sql(&format!("-- rollback: {u}")));
    }
    observed
}

#[test]
fn headers_are_comments_at_the_top() {
    for (sql, expected) in [
        ("-- rollback: compatible\nSELECT 1", Some("compatible")),
        ("\u{feff}--rollback:lossless", Some("lossless")),
        (
            "\n-- About it.\n--   rollback: breaking  \n",
            Some("breaking"),
        ),
        ("SELECT 1;\n-- rollback: compatible", None),
        ("-- rollbacks: compatible", None),
        ("", None),
    ] {
        assert_eq!(header(sql), expected, "{sql:?}");
    }
}

#[test]
fn the_ledgers_path() {
    use LedgerPath::{Application, Restore, Undo};
    for (v, u, success, expected) in [
        (Some("compatible"), None, true, Application),
        (Some("compatible"), Some("lossless"), true, Application),
        (Some("breaking"), Some("lossless"), true, Undo),
        (Some("breaking"), Some("lossy"), true, Restore),
        (Some("breaking"), None, true, Restore),
        (Some("breaking"), Some("whatever"), true, Restore),
        (None, Some("lossless"), true, Undo),
        (None, None, true, Restore),
        // A failed migration is never undone, and never compatible.
        (Some("breaking"), Some("lossless"), false, Restore),
        (Some("compatible"), Some("lossless"), false, Restore),
    ] {
        let found = decide(&migrated(v, u, success));
        assert_eq!(found.path, expected, "{v:?} {u:?} {success}: {}", found.why);
        assert_eq!(found.undo.len(), usize::from(expected == Undo));
    }
}

#[test]
fn every_newer_version_must_be_undoable_and_the_newest_goes_first() {
    let mut observed = migrated(Some("breaking"), Some("lossless"), true);
    observed.history.push(row(3, "3", true));
    assert_eq!(decide(&observed).path, LedgerPath::Restore);
    observed
        .scripts
        .insert("U3__d.sql".to_owned(), "-- rollback: lossless\n".to_owned());
    let decision = decide(&observed);
    let versions: Vec<&str> = decision
        .undo
        .iter()
        .map(|script| script.version.as_str())
        .collect();
    assert_eq!(versions, ["3", "2"]);
    let mut repeatable = row(4, "x", true);
    repeatable.version = None;
    observed.history.push(repeatable);
    assert_eq!(decide(&observed).path, LedgerPath::Restore);
}

#[test]
fn wrong_data_are_restored_whatever_the_schema() {
    let mut observed = observed(&[("matching", "2")]);
    observed.trigger = Some(trigger(TriggerClass::DataIntegrity, "anomaly"));
    assert_eq!(decide(&observed).path, LedgerPath::Restore);
    observed.snapshot = None;
    assert!(matches!(
        plan(&runbook(), &observed),
        Err(PlanError::NoSnapshot { .. })
    ));
}

/// A snapshot that is not the recorded one is not put back: neither a later one nor an earlier one, an empty one, or
/// one at another schema.
#[test]
fn only_the_recorded_snapshot_may_be_restored() {
    let mut sound = observed(&[("matching", "2")]);
    sound.trigger = Some(trigger(TriggerClass::DataIntegrity, "anomaly"));
    let recorded = sound.baseline.snapshot.as_mut().expect("recorded");
    recorded.position.log_seq = 7;
    sound.snapshot.clone_from(&sound.baseline.snapshot);
    assert!(plan(&runbook(), &sound).is_ok(), "it is the recorded one");
    let others: [fn(&mut Snapshot); 5] = [
        |it| it.taken_at = at(50),
        |it| it.taken_at = Timestamp::UNIX_EPOCH,
        |it| it.position = LedgerPosition::default(),
        |it| it.schema_version = Some("2".to_owned()),
        |it| it.name.push('x'),
    ];
    let mut undoable = migrated(Some("breaking"), Some("lossless"), true);
    let mut with_fallback = runbook();
    for step in &mut with_fallback.steps {
        if step.command == Command::UndoSchema {
            step.on_fail = OnFail::Restore;
        }
    }
    for other in others {
        let mut observed = sound.clone();
        other(observed.snapshot.as_mut().expect("a snapshot"));
        if observed.snapshot == sound.snapshot {
            continue;
        }
        let refused = plan(&runbook(), &observed).expect_err("another snapshot");
        let said = refused.to_string();
        assert!(matches!(refused, PlanError::NoSnapshot { .. }), "{said}");
        assert!(said.contains("recorded was `before_release`"), "{said}");
        assert!(said.contains("a person must"), "{said}");
        // Nor does it stand by for an undo that fails.
        undoable.baseline.snapshot.clone_from(&sound.snapshot);
        undoable.snapshot.clone_from(&sound.snapshot);
        other(undoable.snapshot.as_mut().expect("a snapshot"));
        let made = plan(&with_fallback, &undoable).expect("a plan");
        assert!(made.steps.iter().all(|it| it.name != "restore"));
        let notes = made.notes.join("\n");
        assert!(notes.contains("nothing is restored"), "{notes}");
    }
    sound.baseline.snapshot = None;
    assert!(plan(&runbook(), &sound).is_err(), "nothing was recorded");
}

#[test]
fn the_target_is_found_by_template_after_renumbering() {
    let mut observed = observed(&[("gateway", "2")]);
    let gateway = observed.services.get_mut("gateway").expect("the gateway");
    gateway.replica_sets[0].revision = Some(7);
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
        .replica_sets
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

#[test]
fn a_plan_survives_the_journal() {
    let plan = plan(&runbook(), &observed(&[("gateway", "2")])).expect("a plan");
    let text = serde_json::to_string(&plan).expect("JSON");
    assert_eq!(
        serde_json::from_str::<super::Plan>(&text).expect("the plan"),
        plan
    );
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
        step("replay", "Replay", Command::ReplayOrders),
    );
    runbook
        .steps
        .insert(restore.expect("it restores") + 1, replay);
    let budget = |observed: &Observed, command: fn(&Command) -> bool| {
        let plan = plan(&runbook, observed).expect("a plan");
        let step = plan.steps.iter().find(|step| command(&step.command));
        (step.expect("the step").budget, plan.notes.join("\n"))
    };
    let replays: fn(&Command) -> bool = |it| matches!(it, Command::ReplayOrders);
    let restores: fn(&Command) -> bool = |it| matches!(it, Command::RestoreSnapshot { .. });
    let mut observed = migrated(Some("breaking"), None, true);
    let position = |log_seq| LedgerPosition {
        log_seq,
        ..LedgerPosition::default()
    };
    observed.position = Some(position(1_000));
    let (short, notes) = budget(&observed, replays);
    assert!(!notes.contains("order log"), "{notes}");
    // An hour at 200 a second, and half a minute more until the fence is up.
    observed.baseline.recorded_at = at(-3_500);
    observed.position = Some(position(720_000));
    let (long, notes) = budget(&observed, replays);
    assert!(long > short && long >= Duration::from_secs(48), "{long:?}");
    assert!(
        notes.contains("some 726000 entries of the order log"),
        "{notes}"
    );
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
    let mut stay = step("stay", "Afterwards", Command::CheckBuildInfo { port: 8080 });
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
