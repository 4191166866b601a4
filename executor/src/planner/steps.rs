//! From decisions to steps.

use std::collections::BTreeSet;

use super::decide::{LedgerPath, decide};
use super::observed::{Observed, ServiceState};
use super::plan::{Plan, PlannedStep, ServicePlan, SkippedStep, Target};
use super::plan_error::PlanError;
use super::reason::StepReason;
use super::reconciler::COMES_AGAIN;
use super::targets::{deployed_at, target};
use super::work::work;
use crate::placeholders::fill_known;
use crate::runbook::{Command, Kind, OnFail, Part, Phase, Runbook, Step, When};
use crate::workload::WorkloadKind;

/// Plans the rollback.
///
/// # Errors
/// [`PlanError`]: nothing to do, or it would be unsafe or useless.
pub fn plan(runbook: &Runbook, observed: &Observed) -> Result<Plan, PlanError> {
    let mut services = Vec::new();
    let mut left_alone = Vec::new();
    for service in &runbook.services {
        let baseline = observed.baseline.services.get(service);
        let baseline = baseline.ok_or_else(|| PlanError::NotRecorded {
            service: service.clone(),
        })?;
        let now = observed.services.get(service);
        let now = now.ok_or_else(|| PlanError::Gone {
            kind: baseline.kind,
            service: service.clone(),
        })?;
        if now.uid != baseline.uid {
            return Err(PlanError::Recreated {
                kind: baseline.kind,
                service: service.clone(),
            });
        }
        match target(service, baseline, now) {
            (plan, true) => services.push(plan),
            (plan, false) => left_alone.push(plan),
        }
    }
    let ledger = decide(observed);
    let schema_differs = observed.history != observed.baseline.history;
    if services.is_empty() && !schema_differs {
        return Err(PlanError::NothingDiffers);
    }
    refuse_useless(runbook, observed)?;
    if ledger.path == LedgerPath::Restore
        && let Err(not) = observed.recorded_snapshot()
    {
        let why = ledger.why;
        return Err(PlanError::NoSnapshot { why, not });
    }
    let mut plan = Plan {
        runbook: runbook.title.clone(),
        digest: runbook.digest.clone(),
        observed_at: observed.at,
        trigger: observed.trigger.clone(),
        ledger,
        target_schema: observed.baseline.schema_version.clone(),
        set_aside: format!("ledger_set_aside_{}", observed.at.as_second()),
        naming: runbook.naming.clone(),
        halts_nothing: !runbook.steps.iter().any(halts),
        services,
        unchanged: left_alone.iter().map(|plan| plan.service.clone()).collect(),
        left_alone,
        steps: Vec::new(),
        stand_by: Vec::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    };
    expand(runbook, observed, &mut plan);
    refuse_without_undo(runbook, &plan)?;
    refuse_incomplete(observed, &plan)?;
    note(&mut plan);
    let sized = follow_size(observed, &mut plan);
    let owned = outlast_reconcilers(observed, &mut plan);
    plan.notes.extend(sized.into_iter().chain(owned));
    note_time(runbook, &mut plan);
    Ok(plan)
}

/// Whether a step halts something, or opens it again.
fn halts(step: &Step) -> bool {
    step.command.spec().part == Part::Halt
}

/// T1 and T2: outside the window, or the anomaly is older than the release.
fn refuse_useless(runbook: &Runbook, observed: &Observed) -> Result<(), PlanError> {
    let Some(trigger) = observed.trigger.as_ref().filter(|_| !observed.force) else {
        return Ok(());
    };
    let before = observed
        .baseline
        .triggers
        .get(&trigger.name)
        .copied()
        .flatten();
    let condition = runbook
        .triggers
        .iter()
        .find(|known| known.name == trigger.name);
    if let (Some(value), Some(known)) = (before, condition)
        && known.condition.holds(value) == Some(true)
    {
        return Err(PlanError::PredatesRelease {
            trigger: trigger.name.clone(),
        });
    }
    if let Some(deployed_at) = deployed_at(observed) {
        let age = trigger.fired_at.duration_since(deployed_at);
        if std::time::Duration::try_from(age).is_ok_and(|age| age > runbook.validation_window) {
            return Err(PlanError::OutsideWindow { deployed_at });
        }
    }
    Ok(())
}

/// The kinds of workloads that some step undoes; empty if no step undoes anything.
pub(crate) fn kinds_undone(runbook: &Runbook) -> BTreeSet<WorkloadKind> {
    let undoes = |step: &&Step| step.command.kind() == Kind::RolloutUndo;
    let undoes = runbook.steps.iter().filter(undoes);
    undoes.flat_map(|step| step.kinds.iter().copied()).collect()
}

/// A runbook that undoes workloads of one kind leaves those of the other kind as they are.
fn refuse_without_undo(runbook: &Runbook, plan: &Plan) -> Result<(), PlanError> {
    let kinds = kinds_undone(runbook);
    let left = |service: &&ServicePlan| {
        service.target != Target::Unchanged && !kinds.is_empty() && !kinds.contains(&service.kind)
    };
    match plan.services.iter().find(left) {
        None => Ok(()),
        Some(service) => Err(PlanError::NoUndo {
            kind: service.kind,
            service: service.service.clone(),
        }),
    }
}

/// A plan that would stop half-way is no plan.
fn refuse_incomplete(observed: &Observed, plan: &Plan) -> Result<(), PlanError> {
    let has = |wanted: fn(&Command) -> bool, service: Option<&str>| {
        plan.steps.iter().any(|step| {
            wanted(&step.command) && (service.is_none() || step.service.as_deref() == service)
        })
    };
    for service in &plan.services {
        let name = service.service.as_str();
        let paused = observed
            .services
            .get(name)
            .is_some_and(|state| state.paused);
        let resumes = has(
            |command| matches!(command, Command::RolloutResume),
            Some(name),
        );
        if paused && !resumes {
            return Err(PlanError::Paused {
                service: name.to_owned(),
            });
        }
    }
    let path = plan.ledger.path;
    let complete = match path {
        LedgerPath::Application => true,
        LedgerPath::Undo => has(|command| matches!(command, Command::UndoSchema), None),
        LedgerPath::Restore => has(
            |command| matches!(command, Command::RestoreSnapshot { .. }),
            None,
        ),
    };
    if complete {
        Ok(())
    } else {
        Err(PlanError::MissingStep { path })
    }
}

/// Walks the runbook. Neighbouring for-each steps under one heading are done service by service; the
/// next heading begins when all services are through.
fn expand(runbook: &Runbook, observed: &Observed, plan: &mut Plan) {
    let steps: Vec<&Step> = runbook
        .steps
        .iter()
        .filter(|step| step.phase != Phase::Prepare)
        .collect();
    let mut rest = steps.as_slice();
    while let Some(first) = rest.first() {
        let group = if first.for_each_service {
            rest.iter()
                .take_while(|step| {
                    step.for_each_service && step.title == first.title && step.phase == first.phase
                })
                .count()
        } else {
            1
        };
        let (now, later) = rest.split_at(group);
        rest = later;
        if first.for_each_service {
            for service in plan.services.clone() {
                for step in now {
                    if step.is_for(service.kind) {
                        add(runbook, observed, plan, step, Some(&service));
                    } else {
                        plan.skipped.push(of_another_kind(step, &service));
                    }
                }
            }
            for service in plan.left_alone.clone() {
                let stands_by =
                    |step: &&&Step| step.is_for(service.kind) && stands_by(step, &service);
                for step in now.iter().filter(stands_by) {
                    let planned = planned(runbook, plan, step, Some(&service), stood_by());
                    plan.stand_by.push(planned);
                }
                plan.skipped.push(SkippedStep {
                    name: now
                        .iter()
                        .map(|step| step.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                    service: Some(service.service),
                    because: Some(StepReason::ServiceAsRecorded),
                    reason: "the service is as the baseline recorded it".to_owned(),
                });
            }
        } else {
            add(runbook, observed, plan, first, None);
        }
    }
}

fn of_another_kind(step: &Step, service: &ServicePlan) -> SkippedStep {
    SkippedStep {
        name: step.name.clone(),
        service: Some(service.service.clone()),
        because: Some(StepReason::AnotherKind),
        reason: format!("the service is a {}", service.kind),
    }
}

fn add(
    runbook: &Runbook,
    observed: &Observed,
    plan: &mut Plan,
    step: &Step,
    service: Option<&ServicePlan>,
) {
    let state = service.and_then(|service| observed.services.get(&service.service));
    let instead_of = made_good(step, plan);
    let mut on_fail = step.on_fail;
    if on_fail == OnFail::Restore
        && plan.ledger.path == LedgerPath::Undo
        && let Err(not) = observed.recorded_snapshot()
    {
        on_fail = OnFail::Abort;
        plan.notes.push(format!(
            "if `{}` fails, a person is paged and nothing is restored: {not}",
            step.name
        ));
    }
    let applies = match instead_of {
        Some(at) => {
            let undo = &plan.steps[at].name;
            let words = format!("only if `{undo}` fails: the snapshot is restored instead");
            Ok((StepReason::InsteadOfAnother, words))
        }
        None => applies(step.when, plan, service, state),
    };
    match applies {
        Err((because, reason)) => {
            if service.is_some_and(|service| stands_by(step, service)) {
                let planned = planned(runbook, plan, step, service, stood_by());
                plan.stand_by.push(planned);
            }
            plan.skipped.push(SkippedStep {
                name: step.name.clone(),
                service: service.map(|service| service.service.clone()),
                because: Some(because),
                reason,
            });
        }
        Ok(why) => {
            let planned = PlannedStep {
                on_fail,
                instead_of,
                ..planned(runbook, plan, step, service, why)
            };
            plan.steps.push(planned);
        }
    }
}

/// Why a step is done or left out: by name, and in words.
type Because = (StepReason, String);

/// Why a step is in the plan that is done only then.
fn stood_by() -> Because {
    let words = "only if somebody does it meanwhile".to_owned();
    (StepReason::StandsBy, words)
}

/// Whether the step makes good what somebody may still do to the service. One that was paused before the plan was
/// made and is left alone stays as it is.
fn stands_by(step: &Step, service: &ServicePlan) -> bool {
    match step.when {
        When::DeploymentPaused => !service.paused,
        When::ReplicasReduced => true,
        _ => false,
    }
}

/// The step as the next one of the plan.
fn planned(
    runbook: &Runbook,
    plan: &Plan,
    step: &Step,
    service: Option<&ServicePlan>,
    (because, why): Because,
) -> PlannedStep {
    PlannedStep {
        index: plan.steps.len(),
        name: step.name.clone(),
        title: step.title.clone(),
        service: service.map(|service| service.service.clone()),
        text: fill_known(&step.text, |name| {
            known_placeholder(name, &runbook.namespace, plan, service)
        }),
        command: step.command.clone(),
        phase: step.phase,
        budget: step.timeout,
        on_fail: step.on_fail,
        expect: step.expect,
        min_requests: step.min_requests,
        count_query: step.count_query.clone(),
        hold: step.hold,
        instead_of: None,
        because: Some(because),
        why,
    }
}

/// The undo whose failure `step` makes good, on the undo path.
fn made_good(step: &Step, plan: &Plan) -> Option<usize> {
    let candidate = plan.ledger.path == LedgerPath::Undo && step.when == When::LedgerRestore;
    let undo = plan
        .steps
        .iter()
        .find(|before| before.on_fail == OnFail::Restore);
    undo.filter(|_| candidate).map(|undo| undo.index)
}

/// Why a step is done, or why it is left out.
fn applies(
    when: When,
    plan: &Plan,
    service: Option<&ServicePlan>,
    state: Option<&ServiceState>,
) -> Result<Because, Because> {
    let path = plan.ledger.path;
    let ledger = |wanted: bool| {
        let reason = match path {
            LedgerPath::Application => StepReason::LedgerStays,
            LedgerPath::Undo => StepReason::LedgerIsUndone,
            LedgerPath::Restore => StepReason::LedgerIsRestored,
        };
        let text = format!("the ledger's path is {path}: {}", plan.ledger.why);
        if wanted {
            Ok((reason, text))
        } else {
            Err((reason, text))
        }
    };
    // What a condition comes to, with the name and the words of either case.
    let either = |holds: bool, yes: (StepReason, &str), no: (StepReason, &str)| {
        let told = |(reason, words): (StepReason, &str)| (reason, words.to_owned());
        if holds { Ok(told(yes)) } else { Err(told(no)) }
    };
    match when {
        When::Always => Ok(match service {
            Some(service) => (StepReason::ServiceDiffers, service.why.clone()),
            None => {
                let words = "part of every rollback".to_owned();
                (StepReason::EveryRollback, words)
            }
        }),
        When::LedgerBreaking => ledger(path != LedgerPath::Application),
        When::LedgerUndo => ledger(path == LedgerPath::Undo),
        When::LedgerRestore => ledger(path == LedgerPath::Restore),
        When::DeploymentPaused => either(
            state.is_some_and(|state| state.paused),
            (StepReason::Paused, "the Deployment is paused"),
            (StepReason::NotPaused, "the Deployment is not paused"),
        ),
        When::ReplicasReduced => either(
            service
                .zip(state)
                .is_some_and(|(plan, now)| now.replicas < plan.replicas),
            (StepReason::ScaledDown, "the Deployment was scaled down"),
            (
                StepReason::NotScaledDown,
                "the Deployment wants as many replicas as were recorded",
            ),
        ),
        When::ConfigOnly => {
            let only = |service: &ServicePlan| {
                service.target == Target::Unchanged && !service.config.is_empty()
            };
            either(
                match service {
                    Some(service) => only(service),
                    None => plan.services.iter().any(only),
                },
                (
                    StepReason::ConfigurationOnly,
                    "the release changed nothing but the configuration",
                ),
                (
                    StepReason::NotConfigurationOnly,
                    "no service changed in nothing but its configuration",
                ),
            )
        }
        When::ConfigChanged => {
            let changed = |service: &ServicePlan| !service.config.is_empty();
            either(
                match service {
                    Some(service) => changed(service),
                    None => plan.services.iter().any(changed),
                },
                (
                    StepReason::ConfigurationChanged,
                    "the release changed the configuration",
                ),
                (
                    StepReason::ConfigurationAsRecorded,
                    "the configuration is as recorded",
                ),
            )
        }
    }
}

/// Placeholders whose value is fixed by the plan.
pub(crate) fn known_placeholder(
    name: &str,
    namespace: &str,
    plan: &Plan,
    service: Option<&ServicePlan>,
) -> Option<String> {
    match name {
        "NAMESPACE" => Some(namespace.to_owned()),
        "TARGET_SCHEMA" => plan.target_schema.clone(),
        "SERVICE" => service.map(|service| service.service.clone()),
        "TARGET_REVISION" => match &service?.target {
            Target::ReplicaSet { revision, .. } | Target::ControllerRevision { revision, .. } => {
                Some(revision.to_string())
            }
            Target::Recorded | Target::Unchanged => None,
        },
        "BAD_REVISIONS" => {
            let names = &service?.taken_back;
            (!names.is_empty()).then(|| names.join(","))
        }
        "TARGET_REPLICAS" => service.map(|service| service.replicas.to_string()),
        "TARGET_VERSION" => {
            let service = service.or(plan.services.first())?;
            let recorded = service.builds.iter().flat_map(|build| build.values());
            recorded
                .clone()
                .find_map(|labels| labels.get("version").cloned())
                .or_else(|| Some(contract::image::version(&service.to_image).to_owned()))
        }
        _ => None,
    }
}

fn note(plan: &mut Plan) {
    let mut notes = Vec::new();
    for service in &plan.services {
        match service.target {
            Target::Recorded => notes.push(format!(
                "{}: no {} has the recorded template any more; the template itself is applied, which makes a new revision",
                service.service,
                service.kind.keeps_history_in()
            )),
            Target::Unchanged if !service.config.is_empty() => notes.push(format!(
                "{}: only its configuration changed; {}",
                service.service,
                if plan.steps.iter().any(|step| step.command == Command::ReplacePods) {
                    "its pods are replaced one by one to take it up"
                } else {
                    "no step replaces its pods, which go on with what they have read"
                }
            )),
            _ => {}
        }
    }
    if plan.ledger.path == LedgerPath::Restore {
        notes.push(format!("the ledger in use is kept as `{}`", plan.set_aside));
    }
    plan.notes.extend(notes);
}

/// Gives the steps that take the longer the more there is the time for what there is.
fn follow_size(observed: &Observed, plan: &mut Plan) -> Vec<String> {
    let mut notes = Vec::new();
    let log = plan.naming.log.clone();
    for step in &mut plan.steps {
        let Some(work) =
            work(&step.command, observed, &log).filter(|work| work.takes > step.budget)
        else {
            continue;
        };
        notes.push(format!(
            "step `{}` gets {} s instead of {} s, for {}",
            step.label(),
            work.takes.as_secs(),
            step.budget.as_secs(),
            work.what
        ));
        step.budget = work.takes;
    }
    notes
}

/// Says by when the application is back if every step takes its whole budget, where that is more than the objective.
fn note_time(runbook: &Runbook, plan: &mut Plan) {
    let recovers = (0..plan.steps.len()).filter(|index| plan.delays_recovery(*index));
    let Some(last) = recovers.max() else {
        return;
    };
    let needed = plan.steps[..=last].iter();
    let sum: std::time::Duration = needed
        .filter(|step| step.instead_of.is_none())
        .map(|step| step.budget)
        .sum();
    if sum > runbook.rto {
        plan.notes.push(format!(
            "the application may be back only {} s after the rollback begins, which is more than the objective of {} s: tell people now",
            sum.as_secs(),
            runbook.rto.as_secs()
        ));
    }
}

/// Names the controllers that may put the release back, and has the last watch outlast their next visit.
fn outlast_reconcilers(observed: &Observed, plan: &mut Plan) -> Vec<String> {
    let mut notes = Vec::new();
    for service in &plan.services {
        let state = observed.services.get(&service.service);
        let Some(owner) = state.and_then(|state| state.reconciler.as_ref()) else {
            continue;
        };
        notes.push(format!(
            "{} is kept as a repository says by {owner}, which will put the release back: suspend it, or take the release back there",
            service.service
        ));
    }
    if notes.is_empty() {
        return notes;
    }
    for step in &mut plan.steps {
        if let Some(hold) = step.hold.filter(|_| step.phase == Phase::After)
            && hold < COMES_AGAIN
        {
            step.budget += COMES_AGAIN - hold;
            step.hold = Some(COMES_AGAIN);
            notes.push(format!(
                "step `{}` watches for {} s instead of {} s, until such a controller has come again",
                step.label(),
                COMES_AGAIN.as_secs(),
                hold.as_secs()
            ));
        }
    }
    notes
}
