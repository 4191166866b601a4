//! What is deployed of the application: its manifests before a drill, and a release over them.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use sim::World;
use sim::time::Micros;
use sim_services::engine::{Services, StoreChange, StoreOp};

use crate::scenario::Described;
use crate::worlds::WorldError;
use crate::worlds::common::described;
use crate::worlds::sim::post::post;

/// Whose requests they are.
const ORIGIN: &str = "deployer";
/// How often a migration is tried, and what passes between two tries.
const MIGRATE_TRIES: u32 = 30;
const MIGRATE_AGAIN: Micros = Micros::from_secs(1);

/// Kinds of manifests that say how many pods there may be, and are not applied.
const NOT_APPLIED: [&str; 3] = ["HorizontalPodAutoscaler", "LimitRange", "ResourceQuota"];

/// What of the manifests changes how many pods run and is not applied, in a sentence for people; `None`: there is
/// nothing of it.
pub(super) fn not_applied(app: &Described) -> Option<String> {
    let names = described::named(app, &NOT_APPLIED)?;
    Some(format!(
        "does not apply {names}: each service keeps the replicas of its manifest, and no quota refuses a pod"
    ))
}

/// Creates everything through the API server, as the release `from` has it, but for what is
/// [left out](crate::worlds::common::described::left_out) and for what does
/// nothing in the simulated cluster.
pub(super) async fn set_up(
    world: &World<Services>,
    app: &Described,
    from: &str,
) -> Result<(), WorldError> {
    for object in &app.manifests.objects {
        let namespace = object.namespace().unwrap_or(&app.namespace);
        let client = kube::Client::new(world.kube("setup"), namespace);
        let value = object.value.clone();
        match (object.api_version(), object.kind()) {
            ("v1", "ConfigMap") => post::<ConfigMap>(&client, value).await?,
            ("v1", "Secret") => post::<Secret>(&client, value).await?,
            ("v1", "Service") => post::<Service>(&client, value).await?,
            ("apps/v1", "Deployment") => post::<Deployment>(&client, value).await?,
            ("apps/v1", "StatefulSet") => post::<StatefulSet>(&client, value).await?,
            ("policy/v1", "PodDisruptionBudget") => {
                post::<PodDisruptionBudget>(&client, value).await?;
            }
            _ => {}
        }
    }
    if from == app.prior {
        return Ok(());
    }
    let deployed = deploy(world, app, &app.prior, from).await;
    deployed.map_err(WorldError::SetUp)
}

/// Deploys `to` where `from` runs: migrations, configuration, then images. What went wrong.
pub(super) async fn deploy(
    world: &World<Services>,
    app: &Described,
    from: &str,
    to: &str,
) -> Result<(), String> {
    let client = kube::Client::new(world.kube(ORIGIN), &app.namespace);
    let release = app.releases.get(to);
    for version in release.into_iter().flat_map(|it| &it.migrations) {
        migrate(world, *version).await?;
    }
    described::deploy(&client, app, from, to).await
}

/// Migrates the store to that version, as often as it takes while somebody else has it to himself.
async fn migrate(world: &World<Services>, version: u32) -> Result<(), String> {
    let failed = |why: String| format!("migrate the store to version {version}: {why}");
    for _ in 0..MIGRATE_TRIES {
        let op = StoreOp::Change(StoreChange::Migrate(version));
        match world.db(ORIGIN, op).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) if !error.is_transient() => return Err(failed(error.to_string())),
            Ok(Err(_)) | Err(_) => world.sleep(MIGRATE_AGAIN).await,
        }
    }
    Err(failed("the store is busy".to_owned()))
}

#[cfg(test)]
mod tests {
    use sim_services::describe::{File, sample};

    use super::not_applied;
    use crate::scenario::Described;

    #[test]
    fn what_says_how_many_pods_there_may_be_and_is_not_applied_is_told() {
        let mut bundle = sample(1, 1, 200);
        let app = |bundle: &sim_services::describe::Bundle| {
            Described::from(bundle.clone().app().expect("the description is right"))
        };
        assert_eq!(not_applied(&app(&bundle)), None);
        bundle.manifests.push(File {
            path: "k8s/hpa.yaml".to_owned(),
            text: "\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: s0, namespace: sample}
spec: {minReplicas: 5, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: s0}}
"
            .to_owned(),
        });
        let said = not_applied(&app(&bundle)).expect("it is not applied");
        assert!(
            said.starts_with("does not apply HorizontalPodAutoscaler s0:"),
            "{said}"
        );
    }
}
