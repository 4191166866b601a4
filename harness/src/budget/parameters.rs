//! The parameters that are tried, each by itself: of the runbook, of the measurement, and of the manifests.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use executor::runbook::Kind as CommandKind;
use serde::Serialize;
use sim_services::describe::Bundle;

use super::spans::DrillSpans;
use crate::runbooks::LoadedRunbook;
use crate::scenario::{Deployment, Described, Scenario, Share, Strategy, Subject, format_duration};
use crate::search::{Change, Scale, mutants};
use crate::worlds::common::manifests::{self, Rolling};

/// A step counts as near its budget if it took this share of it in some drill, in percent.
const NEAR_PERCENT: u64 = 50;

/// A drill with one parameter changed.
#[derive(Clone, Debug, Serialize)]
pub struct Parameter {
    /// What is changed: a trigger, a step, a Deployment or a StatefulSet.
    pub of: String,
    /// How.
    pub change: String,
    /// The scenario with the change.
    #[serde(skip)]
    pub scenario: Arc<Scenario>,
    /// The runbook with the change.
    #[serde(skip)]
    pub runbook: LoadedRunbook,
}

/// The parameters that the drills so far make worth a try.
#[must_use]
pub(super) fn parameters(
    scenario: &Arc<Scenario>,
    runbook: &LoadedRunbook,
    drills: &[DrillSpans],
) -> Vec<Parameter> {
    let mut found = of_runbook(scenario, runbook, drills);
    let changed = |of: &str, change: String, make: &dyn Fn(&mut Scenario)| {
        let mut other = Scenario::clone(scenario);
        make(&mut other);
        Parameter {
            of: of.to_owned(),
            change,
            scenario: Arc::new(other),
            runbook: runbook.clone(),
        }
    };
    let timing = &scenario.timing;
    for (of, is, set) in [
        (
            "scrape interval",
            timing.scrape_interval,
            (|it, half| it.timing.scrape_interval = half) as fn(&mut Scenario, Duration),
        ),
        ("poll interval", timing.poll_interval, |it, half| {
            it.timing.poll_interval = half;
        }),
    ] {
        let half = is / 2;
        let change = format!("{} -> {}", format_duration(is), format_duration(half));
        found.push(changed(of, change, &|it| set(it, half)));
    }
    for service in undone(runbook, drills) {
        match &scenario.application {
            Subject::Exchange => {
                let now = manifests::rolling(&service);
                for (change, make) in now.map(of_workload).unwrap_or_default() {
                    let of = format!("deployment {service}");
                    found.push(changed(&of, change, &|it| {
                        make(deployment(it, &service));
                    }));
                }
            }
            Subject::Described(app) => {
                for (of, change, app) in of_described(app, &service) {
                    found.push(changed(&of, change, &|it| {
                        it.application = Subject::Described(app.clone());
                    }));
                }
            }
            // Its manifests are the program's own.
            Subject::InRust(_) => {}
        }
    }
    found
}

/// What can be changed of a workload of an application that a file describes: of what, how, and the application with
/// the change.
fn of_described(app: &Described, service: &str) -> Vec<(String, String, Described)> {
    let Some(object) = app.bundle.workload(service) else {
        return Vec::new();
    };
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    let Some(mut now) = manifests::rolling_of(&object["spec"]) else {
        return Vec::new();
    };
    if kind == "statefulset" {
        // Its pods are replaced one after the other.
        now.shares = None;
    }
    let mut found = Vec::new();
    for (change, make) in of_workload(now) {
        let mut wanted = unchanged(service);
        make(&mut wanted);
        let bundle = app
            .bundle
            .with_workload(service, |it| manifests::change(&mut it["spec"], &wanted));
        // What the application's limits don't allow is no parameter.
        if let Ok(other) = bundle.and_then(Bundle::app) {
            found.push((format!("{kind} {service}"), change, Described::from(other)));
        }
    }
    found
}

/// No word on the Deployment of a service.
fn unchanged(service: &str) -> Deployment {
    Deployment {
        service: service.to_owned(),
        replicas: None,
        strategy: None,
        probe_period_s: None,
    }
}

/// The scenario's word on a Deployment; one that says nothing is added where there is none.
fn deployment<'a>(scenario: &'a mut Scenario, service: &str) -> &'a mut Deployment {
    let at = scenario
        .deployments
        .iter()
        .position(|it| it.service == service);
    let at = at.unwrap_or_else(|| {
        scenario.deployments.push(unchanged(service));
        scenario.deployments.len() - 1
    });
    &mut scenario.deployments[at]
}

type Make = Box<dyn Fn(&mut Deployment)>;

/// What can be changed of a workload, by how its manifest is.
fn of_workload(now: Rolling) -> Vec<(String, Make)> {
    let rolling = |max_surge, max_unavailable| -> Make {
        Box::new(move |it| {
            it.strategy = Some(Strategy::Rolling {
                max_surge,
                max_unavailable,
            });
        })
    };
    let mut found: Vec<(String, Make)> = Vec::new();
    if let Some((surge, unavailable)) = now.shares {
        found.push((
            format!("maxSurge {surge} -> 100%"),
            rolling(Share::Percent(100), unavailable),
        ));
        if now.replicas > 1 {
            found.push((
                format!("maxUnavailable {unavailable} -> 50%"),
                rolling(surge, Share::Percent(50)),
            ));
        }
    }
    if let Some(period) = now.probe_period_s {
        let other = if period > 1 { 1 } else { 5 };
        found.push((
            format!("readinessProbe.periodSeconds {period} -> {other}"),
            Box::new(move |it| it.probe_period_s = Some(other)),
        ));
    }
    let more = now.replicas + 1;
    found.push((
        format!("replicas {} -> {more}", now.replicas),
        Box::new(move |it| it.replicas = Some(more)),
    ));
    found
}

/// The services whose rollout was waited for in some drill, by whatever name the runbook's step has.
fn undone(runbook: &LoadedRunbook, drills: &[DrillSpans]) -> BTreeSet<String> {
    let steps = runbook.runbook.steps.iter();
    let waits: BTreeSet<&str> = steps
        .filter(|step| step.command.kind() == CommandKind::RolloutStatus)
        .map(|step| step.name.as_str())
        .collect();
    let spans = drills.iter().flat_map(|it| &it.spans);
    let of_services = spans.filter_map(|it| it.what.split_once(' '));
    let undone = of_services.filter(|(step, _)| waits.contains(step));
    undone.map(|(_, service)| service.to_owned()).collect()
}

/// Changes of the runbook's text: of the triggers that fired, their `for` and their windows; of steps, the budgets that
/// they came near to, and how long something must hold.
fn of_runbook(
    scenario: &Arc<Scenario>,
    runbook: &LoadedRunbook,
    drills: &[DrillSpans],
) -> Vec<Parameter> {
    let fired: BTreeSet<&str> = drills
        .iter()
        .filter_map(|it| it.trigger.as_deref())
        .collect();
    let near = near_budget(drills);
    let done: BTreeSet<&str> = drills
        .iter()
        .flat_map(|it| &it.spans)
        .filter_map(|it| it.what.split(' ').next())
        .collect();
    let wanted = |kind: Change, subject: &str, halved: bool| match kind {
        Change::Debounce => fired.contains(subject) && halved,
        Change::Window => fired.contains(subject),
        Change::Budget => near.contains(subject) && halved,
        Change::Hold => done.contains(subject) && halved,
        _ => false,
    };
    let mut found = Vec::new();
    for mutant in mutants(&runbook.text) {
        if !wanted(
            mutant.kind,
            &mutant.subject,
            mutant.scale == Some(Scale::Halved),
        ) {
            continue;
        }
        // A text that is no runbook is no parameter.
        if let Ok(changed) = LoadedRunbook::parse(&runbook.file, &mutant.text) {
            let of = match mutant.kind {
                Change::Debounce | Change::Window => format!("trigger {}", mutant.subject),
                _ => format!("step {}", mutant.subject),
            };
            found.push(Parameter {
                of,
                change: mutant.change.replace("debounce", "`for`"),
                scenario: Arc::clone(scenario),
                runbook: changed,
            });
        }
    }
    found
}

/// The steps that came near their budget in some drill.
fn near_budget(drills: &[DrillSpans]) -> BTreeSet<String> {
    let spans = drills.iter().flat_map(|it| &it.spans);
    let near = spans.filter(|it| {
        let took = it.before_ms + it.after_ms;
        it.budget_ms
            .is_some_and(|budget| took * 100 >= budget * NEAR_PERCENT)
    });
    near.filter_map(|it| it.what.split(' ').next())
        .map(str::to_owned)
        .collect()
}
