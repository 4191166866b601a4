//! The files that `firedrill new NAME -f PATH` writes pass `check` as they are, and their drill passes, however many
//! services the manifests have.

use std::sync::Arc;

use e2e::drills::{assert_passes, run};
use executor::StepOutcome;
use firedrill::about;
use firedrill::drill::Ending;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::{Described, Scenario};
use firedrill::worlds::{DrillPlan, Until, WorldKind};
use sim_services::describe::{Bundle, File};
use sim_services::manifests::{Document, Manifests};

/// The manifests of `count` Deployments with a Service each. `extra` is what their spec has besides.
fn deployments(count: usize, extra: &str) -> String {
    let names = (1..=count).map(|nth| format!("s{nth:02}"));
    names
        .map(|name| workload("Deployment", &name, extra))
        .collect()
}

/// The manifests of a workload and its Service.
fn workload(kind: &str, name: &str, extra: &str) -> String {
    let serves = if kind == "StatefulSet" {
        format!("serviceName: {name}, ")
    } else {
        String::new()
    };
    format!(
        "---
apiVersion: apps/v1
kind: {kind}
metadata: {{ name: {name}, namespace: mine }}
spec: {{ {serves}{extra}selector: {{ matchLabels: {{ app: {name} }} }}, template: {{
  metadata: {{ labels: {{ app: {name} }} }},
  spec: {{ containers: [{{ name: main, image: 'mine/{name}:1', ports: [{{ containerPort: 8080 }}],
    readinessProbe: {{ httpGet: {{ path: /health, port: 8080 }}, periodSeconds: 2 }} }}] }} }} }}
---
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: mine }}
spec: {{ ports: [{{ port: 80, targetPort: 8080 }}], selector: {{ app: {name} }} }}
"
    )
}

/// The files that are written for these manifests, as `check --strict` reads them, and the drill of the scenario.
fn first_drill(manifests: &str, seed: u64) -> (about::Files, DrillPlan) {
    let name = "k8s/all.yaml".to_owned();
    let text = manifests.to_owned();
    let document = Document {
        name: name.clone(),
        text: text.clone(),
    };
    let read = Manifests::parse(vec![document], "default").expect("they are right");
    let files = about::application("mine", &read, &["k8s".to_owned()]).expect("it can be drilled");
    let app = File {
        path: "app.toml".to_owned(),
        text: files.app.clone(),
    };
    let bundle = Bundle {
        app,
        manifests: vec![File { path: name, text }],
    };
    let app = Described::from(bundle.app().expect("the description is right"));
    let parsed = executor::runbook::Runbook::parse_and_lint("rollback.md", &files.runbook);
    let told = parsed
        .unwrap_or_else(|wrong| panic!("{wrong:?}\n{}", files.runbook))
        .plain();
    assert_eq!(told.matches("warning: ").count(), 0, "{told}");
    let runbook = LoadedRunbook::parse("rollback.md", &files.runbook).expect("it was read above");
    runbook.check_services(Some(&app)).expect("they are there");
    let scenario = Scenario::parse_of(&app, "s.toml", &files.scenario, &runbook.triggers());
    let scenario = scenario.expect("the scenario is right");
    scenario
        .fits("s.toml", &runbook.runbook)
        .expect("it fits the runbook");
    let plan = DrillPlan {
        world: WorldKind::Sim,
        scenario: Arc::new(scenario),
        runbook,
        seed,
        until: Until::Settled,
        executor: None,
    };
    (files, plan)
}

/// Each of these is drilled to its end, and the RTO is that of its budgets where they come to more than 300 s.
#[test]
fn the_first_drill_passes_with_one_service_with_three_and_with_many() {
    for (count, has_usual_rto) in [(1, true), (3, true), (25, false)] {
        let (files, plan) = first_drill(&deployments(count, ""), 1);
        let rto = plan.runbook.runbook.rto;
        assert_eq!(rto.as_secs() == 300, has_usual_rto, "{}", files.runbook);
        assert!(
            rto >= plan.runbook.runbook.longest_way(),
            "{}",
            files.runbook
        );
        assert_eq!(plan.scenario.expect.rto_max, rto, "{}", files.scenario);
        let result = run(&plan);
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered, "{count} services");
    }
}

/// Its pods are replaced one after the other, which takes longer than a Deployment's.
#[test]
fn the_first_drill_passes_with_a_stateful_set() {
    let manifests = deployments(1, "") + &workload("StatefulSet", "store", "replicas: 3, ");
    let (_, plan) = first_drill(&manifests, 1);
    let result = run(&plan);
    assert_passes(&result);
    assert_eq!(result.ending, Ending::Recovered);
}

/// Requests go to pods without a readiness probe before they listen. No metric of theirs tells of those that are
/// refused then, so the recovery is dated by the checks that found such a pod.
#[test]
fn the_first_drill_passes_without_readiness_probes() {
    let probe = "readinessProbe: { httpGet: { path: /health, port: 8080 }, periodSeconds: 2 }";
    let set = workload("StatefulSet", "store", "replicas: 3, ");
    let at_once = "replicas: 3, strategy: { type: Recreate }, ";
    for manifests in [set, workload("Deployment", "store", at_once)] {
        let manifests = manifests.replace(probe, "");
        assert!(!manifests.contains("readinessProbe"));
        for seed in 0..8 {
            let result = run(&first_drill(&manifests, seed).1);
            assert_passes(&result);
            assert_eq!(result.ending, Ending::Recovered, "seed {seed}");
        }
    }
}

/// The drill begins later where the pods of the manifests are available later.
#[test]
fn the_first_drill_passes_where_pods_are_available_late() {
    let manifests = deployments(1, "minReadySeconds: 45, ")
        + &workload("StatefulSet", "store", "replicas: 3, minReadySeconds: 20, ");
    let (files, plan) = first_drill(&manifests, 1);
    assert!(files.scenario.contains("warm_up = "), "{}", files.scenario);
    let result = run(&plan);
    assert_passes(&result);
    assert_eq!(result.ending, Ending::Recovered);
}

/// An image that is given by its digest has another one beside it that is bad.
#[test]
fn the_first_drill_passes_with_an_image_that_has_a_digest() {
    let digest = format!("s01@sha256:{}", "0a".repeat(32));
    let manifests = deployments(1, "").replace("s01:1", &digest);
    assert!(manifests.contains(&digest), "{manifests}");
    let (files, plan) = first_drill(&manifests, 1);
    assert!(files.app.contains("\"mine/s01:bad\""), "{}", files.app);
    let result = run(&plan);
    assert_passes(&result);
    assert_eq!(result.ending, Ending::Recovered);
}

/// The services listen at different ports, one of them beside another container. One step asks the pods of all.
#[test]
fn the_first_drill_checks_the_pods_of_services_with_different_ports() {
    let other = workload("Deployment", "other", "").replace("8080", "9000");
    let beside = "{ name: beside, image: 'mine/beside:1', ports: [{ containerPort: 7000 }] }";
    let other = other.replace(
        "periodSeconds: 2 } }]",
        &format!("periodSeconds: 2 }} }}, {beside}]"),
    );
    assert!(other.contains("7000"), "{other}");
    // The clients ask it, and the release changes it.
    let other = other.replace("ports: [{ port: 80,", "type: NodePort, ports: [{ port: 80,");
    assert!(other.contains("NodePort"), "{other}");
    let (files, plan) = first_drill(&(deployments(1, "") + &other), 1);
    assert_eq!(files.entry.0, "other");
    assert!(
        files.runbook.contains("pods/$POD/proxy/metrics"),
        "{}",
        files.runbook
    );
    let result = run(&plan);
    assert_passes(&result);
    for check in ["check-health", "check-build"] {
        let said = result
            .steps
            .iter()
            .find(|it| it.name == check)
            .expect("it was done");
        assert_eq!(said.outcome, StepOutcome::Done, "{check}: {}", said.detail);
        assert!(said.detail.contains("other"), "{check}: {}", said.detail);
    }
}

/// What a rollout is given follows from the manifest: each pod must have been ready for half a minute, three times.
#[test]
fn slow_rollouts_have_the_budget_that_their_manifests_ask_for() {
    let slow = "replicas: 3, minReadySeconds: 30, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }, ";
    let (files, plan) = first_drill(&deployments(2, slow), 1);
    let steps = &plan.runbook.runbook.steps;
    let status = steps.iter().find(|step| step.name == "rollout-status");
    let budget = status.expect("it waits for the rollout").timeout.as_secs();
    assert!(budget >= 3 * 30, "{}", files.runbook);
    let result = run(&plan);
    assert_passes(&result);
    assert_eq!(result.ending, Ending::Recovered);
}
