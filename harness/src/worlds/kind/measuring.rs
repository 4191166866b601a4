//! What every measurement needs, be it a calibration or a benchmark: the cluster to itself, the exchange on it,
//! and clients.

use std::time::Duration;

use super::clock::DrillClock;
use super::interrupt::{interrupts, no_world, or_interrupted, runtime};
use super::ledger::LedgerServer;
use super::load::Load;
use super::objects;
use super::perform::{gateway, genesis, release};
use super::place::Place;
use super::server::Server;
use crate::runbooks::LoadedRunbook;
use crate::scenario::{self, Scenario};
use crate::worlds::WorldError;

/// The scenario whose releases and load are measured: any of the built-in ones has the drills' rate.
const SCENARIO: &str = "latency-regression";
/// Seed of the clients.
const SEED: u64 = 0;

/// Does `work` with the cluster and a database server, and clears the cluster afterwards, whatever came of it.
/// `user` is told to those who wait for the cluster.
///
/// # Errors
/// [`WorldError::SetUp`] if there is no cluster or `work` failed, [`WorldError::Interrupted`].
pub(super) fn on_cluster<T>(
    user: &str,
    work: impl AsyncFnOnce(&Place, &kube::Client, &Server) -> Result<T, String>,
) -> Result<T, WorldError> {
    let interrupted = interrupts();
    let measured = runtime()?.block_on(async {
        let place = Place::find(user, &interrupted).await?;
        let admin = place.admin()?;
        let server = Server::start(&place.network).await?;
        let measured = or_interrupted(work(&place, &admin, &server), &interrupted).await;
        let cleared = objects::clear(&admin).await;
        drop(server);
        measured.and_then(|measured| cleared.map(|()| measured))
    });
    measured.map_err(|why| no_world(&interrupted, why))
}

/// The scenario to measure by, read with `runbook`'s triggers; its clients go on for `longest`.
pub(super) fn scenario(runbook: &LoadedRunbook, longest: Duration) -> Result<Scenario, String> {
    let built_in = scenario::find(SCENARIO).ok_or("the built-in scenario is gone")?;
    let mut scenario = Scenario::parse(built_in.file, built_in.text, &runbook.triggers())
        .map_err(|error| error.to_string())?;
    scenario.timing.duration = longest;
    Ok(scenario)
}

/// Brings the scenario's first release up on an empty ledger, and clients that send orders to it.
pub(super) async fn exchange(
    place: &Place,
    admin: &kube::Client,
    server: &Server,
    scenario: &Scenario,
) -> Result<(LedgerServer, Load), String> {
    let release = release(&scenario.release.from)?;
    objects::clear(admin).await?;
    let ledger = LedgerServer::create(server, &release, genesis(scenario)).await?;
    objects::create(
        admin,
        &release,
        &scenario.deployments,
        &ledger.exchange_url(),
    )
    .await?;
    objects::ready(admin).await?;
    let load = Load::start(DrillClock::start(), &gateway(place), scenario, SEED)?;
    Ok((ledger, load))
}
