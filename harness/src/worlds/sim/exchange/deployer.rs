//! The deployer in the simulation: an origin of its own, and migrations through the simulated database.

use dex::migrations::Kind;
use dex::release::Release;
use sim_exchange::World;
use sim_exchange::database::{DbOp, DbReply};

use crate::scenario::Scenario;
use crate::worlds::common::deployer::{deploy as deploy_to, said};
use crate::worlds::common::manifests::NAMESPACE;

const ORIGIN: &str = "deployer";

/// Deploys the scenario's release; what went wrong.
pub(super) async fn deploy(world: &World, scenario: &Scenario) -> Result<(), String> {
    let known =
        |name: &str| Release::by_name(name).ok_or_else(|| format!("unknown release {name}"));
    let (from, to) = (known(&scenario.release.from)?, known(&scenario.release.to)?);
    let client = kube::Client::new(world.kube(ORIGIN), NAMESPACE);
    deploy_to(&client, &from, &to, migrate(world, &to)).await
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
