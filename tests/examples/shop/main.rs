//! A drill of an application that is not the exchange: a shop of two services is deployed, a bad release of one of them
//! comes, the executor rolls it back by a runbook of the shop's own, and the clients' record judges.
//!
//! `cargo run -p e2e --example shop`

mod app;
mod ports;

use std::error::Error;
use std::sync::Arc;

use executor::runbook::Runbook;
use executor::{Executor, Options, Report, WatchOutcome};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use sim::time::Micros;
use sim::{Limits, World, WorldConfig};

use self::app::{BAD, NAMESPACE, Second, Shop};

const RUNBOOK: &str = include_str!("rollback.md");
const DEPLOYED_AT: Micros = Micros::from_secs(60);
const END: Micros = Micros::from_secs(420);

/// What came of a drill.
struct Drill {
    report: Report,
    /// What the clients saw, second by second.
    seconds: Vec<Second>,
    fingerprint: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let drill = drill(7, RUNBOOK)?;
    for step in &drill.report.steps {
        println!("{:<16} {:?}: {}", step.name, step.outcome, step.detail);
    }
    let recovered = recovered_at(&drill).ok_or("the clients never saw a recovery")?;
    println!(
        "{:?}; clients are well from second {recovered}; fingerprint {:016x}",
        drill.report.outcome, drill.fingerprint
    );
    Ok(())
}

/// Deploys the shop, then the bad release of `front`, and lets the executor follow `runbook`.
fn drill(seed: u64, runbook: &str) -> Result<Drill, Box<dyn Error>> {
    let runbook = Runbook::parse("rollback.md", runbook).map_err(|errors| format!("{errors:?}"))?;
    let config = WorldConfig {
        application: Micros::from_secs(10),
        ..WorldConfig::<Micros>::default()
    };
    let program = |world: World<Shop>| async move {
        let client = Client::new(world.kube("people"), NAMESPACE);
        for (service, replicas) in [("stock", 2), ("front", 3)] {
            create(&client, service, replicas).await?;
        }
        world.sleep_until(Micros::from_secs(40)).await;
        let stored = ports::Stored::default();
        let ports = ports::of(&world, &stored);
        let executor = Executor::new(ports, Arc::new(runbook), Options::default());
        executor.prepare().await?;
        world.sleep_until(DEPLOYED_AT).await;
        let image = json!([{"name": "front", "image": format!("shop/front:{BAD}")}]);
        let patch = json!({"spec": {"template": {"spec": {"containers": image}}}});
        let deployments = Api::<Deployment>::default_namespaced(client);
        let params = PatchParams::default();
        deployments
            .patch("front", &params, &Patch::Strategic(patch))
            .await?;
        let WatchOutcome::Triggered(event) = executor.watch().await? else {
            return Err("no trigger fired".into());
        };
        let report = executor.run(event).await?;
        world.sleep_until(END).await;
        Ok(world.with(|state| Drill {
            report,
            seconds: state.application.seconds.clone(),
            fingerprint: state.fingerprint(),
        }))
    };
    sim::run(config, seed, Limits::default(), program)?
}

async fn create(client: &Client, service: &str, replicas: u32) -> kube::Result<()> {
    let labels = json!({"app": service});
    let deployment = json!({
        "metadata": {"name": service},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{
                "name": service,
                "image": format!("shop/{service}:1.0.0"),
                "ports": [{"containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
            }]}}},
    });
    let front = json!({
        "metadata": {"name": service},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    let deployment: Deployment =
        serde_json::from_value(deployment).map_err(kube::Error::SerdeError)?;
    let front: Service = serde_json::from_value(front).map_err(kube::Error::SerdeError)?;
    let params = PostParams::default();
    Api::default_namespaced(client.clone())
        .create(&params, &deployment)
        .await?;
    Api::default_namespaced(client.clone())
        .create(&params, &front)
        .await?;
    Ok(())
}

/// The first of ten seconds in a row after the deployment in which no request failed, once some had.
fn recovered_at(drill: &Drill) -> Option<usize> {
    let deployed = usize::try_from(DEPLOYED_AT.0 / 1_000_000).ok()?;
    let failing = (deployed..drill.seconds.len()).find(|at| drill.seconds[*at].failed > 0)?;
    let well = |second: &Second| second.failed == 0 && second.answered > 0;
    let windows = drill.seconds[failing..].windows(10);
    let at = windows
        .enumerate()
        .find(|(_, window)| window.iter().all(well));
    at.map(|(at, _)| failing + at)
}

#[cfg(test)]
mod tests {
    use executor::Outcome;

    use super::*;

    #[test]
    fn the_bad_release_is_rolled_back_and_clients_are_well_again() {
        let drill = drill(7, RUNBOOK).expect("the world goes on");
        assert_eq!(
            drill.report.outcome,
            Outcome::Recovered,
            "{:?}",
            drill.report
        );
        let recovered = recovered_at(&drill).expect("clients see it");
        let after = &drill.seconds[recovered..];
        assert!(after.len() > 150, "it recovers with minutes to spare");
        assert_eq!(after.iter().map(|second| second.failed).sum::<u32>(), 0);
        assert!(
            drill
                .report
                .evidence
                .iter()
                .any(|it| it.ends_with("post-mortem.md"))
        );
    }

    #[test]
    fn without_the_undo_nothing_recovers_and_nobody_claims_it() {
        let undo = RUNBOOK
            .find("```sh {\"name\":\"undo-app\"")
            .expect("the step");
        let end = undo + RUNBOOK[undo..].find("\n```\n").expect("its end") + 5;
        let without = format!("{}{}", &RUNBOOK[..undo], &RUNBOOK[end..]);
        let drill = drill(7, &without).expect("the world goes on");
        assert!(matches!(drill.report.outcome, Outcome::Escalated { .. }));
        assert_eq!(recovered_at(&drill), None);
    }

    #[test]
    fn a_drill_is_a_function_of_its_seed() {
        let fingerprint = |seed| drill(seed, RUNBOOK).expect("the world goes on").fingerprint;
        assert_eq!(fingerprint(1), fingerprint(1));
        assert_ne!(fingerprint(1), fingerprint(2));
    }
}
