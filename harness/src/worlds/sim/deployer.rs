//! The deployer: brings a release into production as a pipeline does. Schema first, then
//! configuration, then images.

use std::fmt::Display;

use dex::migrations::Kind;
use dex::release::{Release, Service};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use sim::database::{DbOp, DbReply};
use sim::world::World;

use super::NAMESPACE;
use super::objects::{MIGRATIONS, configuration, migrations};
use crate::scenario::Scenario;

const ORIGIN: &str = "deployer";

/// Deploys the scenario's release; what went wrong.
pub(super) async fn deploy(world: &World, scenario: &Scenario) -> Result<(), String> {
    let known =
        |name: &str| Release::by_name(name).ok_or_else(|| format!("unknown release {name}"));
    let (from, to) = (known(&scenario.release.from)?, known(&scenario.release.to)?);
    let client = kube::Client::new(world.kube(ORIGIN), NAMESPACE);
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    let params = PatchParams::default();
    if migrations(&to) != migrations(&from) {
        let patch = json!({"data": migrations(&to)});
        maps.patch(MIGRATIONS, &params, &Patch::Merge(&patch))
            .await
            .map_err(|e| said("publish the migrations", &e))?;
        migrate(world, &to).await?;
    }
    let before = configuration(&from);
    for (name, data) in configuration(&to) {
        if before.get(&name) != Some(&data) {
            let patch = json!({"data": data});
            maps.patch(&name, &params, &Patch::Merge(&patch))
                .await
                .map_err(|e| said("configure", &e))?;
        }
    }
    let deployments = Api::<Deployment>::namespaced(client, NAMESPACE);
    for service in Service::ALL {
        let (old, new) = (from.build(service), to.build(service));
        if old == new {
            continue;
        }
        let name = service.name();
        let patch = json!({
            "metadata": {"annotations": {"kubernetes.io/change-cause": format!("deploy {}", to.name)}},
            "spec": {"template": {"spec": {"containers": [{"name": name, "image": new.image()}]}}},
        });
        deployments
            .patch(name, &params, &Patch::Strategic(&patch))
            .await
            .map_err(|e| said("set the image", &e))?;
    }
    Ok(())
}

fn said(what: &str, error: &dyn Display) -> String {
    format!("{what}: {error}")
}

/// Runs the versioned migrations that the history lacks.
async fn migrate(world: &World, release: &Release) -> Result<(), String> {
    let history = match world.db(ORIGIN, DbOp::History).await {
        Ok(Ok(DbReply::History(rows))) => rows,
        other => return Err(format!("read the schema history: {other:?}")),
    };
    for migration in release.migrations() {
        let script = migration.script();
        let applied = history
            .iter()
            .any(|r| r.success && r.version.as_deref() == Some(script.version.as_str()));
        if script.kind != Kind::Versioned || applied {
            continue;
        }
        let op = DbOp::Migrate {
            name: migration.name.to_owned(),
            sql: migration.sql.to_owned(),
        };
        match world.db(ORIGIN, op).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(said(migration.name, &error)),
            Err(cut) => return Err(said(migration.name, &cut)),
        }
    }
    Ok(())
}
