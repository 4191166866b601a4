//! A drill on the cluster, from its beginning to the evidence.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dex::release::Release;
use dex::service::migrate::Genesis;
use executor::Application;
use futures::future::{join, select};

use super::acts::LiveActs;
use super::by_command::{Task, TaskLedger};
use super::clock::DrillClock;
use super::crash::Trap;
use super::ending::{End, finish, hold, seen_recovered};
use super::faults::{LedgerSite, Site};
use super::hosts::{By, Hosts, find_program};
use super::interrupt::{interrupts, no_world, or_interrupted, runtime};
use super::ledger::LedgerServer;
use super::load::Load;
use super::place::Place;
use super::run::Run;
use super::server::Server;
use super::stage::{ActsRecord, Book, Stage};
use super::timing::Timing;
use super::{described, docker, harvest, objects, probe};
use crate::drill::timeline::TimelineEntry;
use crate::scenario::Scenario;
use crate::worlds::common::acts::act;
use crate::worlds::common::manifests::{self, NAMESPACE};
use crate::worlds::common::{beginning, versions};
use crate::worlds::{DrillPlan, Performed, WorldError};

/// Port of the gateway's Service on the node.
const NODE_PORT: u16 = 30_080;

/// Performs a drill on the cluster.
///
/// # Errors
/// [`WorldError::SetUp`] if there is no cluster with the harness's marker, or the exchange does not come up on it.
pub fn perform(plan: &DrillPlan) -> Result<Performed, WorldError> {
    perform_until(plan, End::Held)
}

/// Like [`perform`], but ends soon after recovery: to measure how fast it is, not to judge it.
///
/// # Errors
/// As [`perform`].
pub fn perform_to_recovery(plan: &DrillPlan) -> Result<Performed, WorldError> {
    perform_until(plan, End::Recovered)
}

fn perform_until(plan: &DrillPlan, end: End) -> Result<Performed, WorldError> {
    if let Some(app) = plan.scenario.application.described() {
        return described::perform(plan, app);
    }
    let interrupted = interrupts();
    let performed = runtime()?.block_on(async {
        let user = format!("a drill of {}", plan.scenario.name);
        let place = Place::find(&user, &interrupted).await?;
        let client = place.admin()?;
        // The container lives until the cluster is cleared: pods that miss their database only make noise.
        let server = Server::start(&place.network).await?;
        let performed = match set_up(plan, &place, &client, &server, &interrupted).await {
            Ok((stage, load)) => {
                let site = Site {
                    node: place.node.clone(),
                    client: client.clone(),
                    namespace: NAMESPACE.to_owned(),
                    ledger: Some(LedgerSite {
                        server: server.id().to_owned(),
                        address: server.address,
                        network: place.network.clone(),
                        ways: stage.ledger.clone(),
                    }),
                };
                drill(plan, end, &place, site, &stage, load, &interrupted).await
            }
            Err(error) => Err(error),
        };
        let cleared = objects::clear(&client).await;
        drop(server);
        with_clearing(performed, cleared)
    });
    performed.map_err(|why| no_world(&interrupted, why))
}

/// What was performed, with what went wrong when the cluster was cleared.
pub(super) fn with_clearing(
    performed: Result<Performed, String>,
    cleared: Result<(), String>,
) -> Result<Performed, String> {
    let mut performed = performed?;
    if let Err(why) = cleared {
        let at = performed.evidence.end_ms;
        let what = format!("could not clear the cluster: {why}");
        let entry = TimelineEntry::new(at, "world", "", what);
        performed.timeline.push(entry);
    }
    Ok(performed)
}

/// Accounts and markets of a scenario's ledger.
pub(super) fn genesis(scenario: &Scenario) -> Genesis {
    Genesis {
        accounts: scenario.load.accounts,
        markets: u16::try_from(scenario.load.markets).unwrap_or(u16::MAX),
    }
}

/// Everything up to the drill's first instant.
async fn set_up(
    plan: &DrillPlan,
    place: &Place,
    client: &kube::Client,
    server: &Server,
    interrupted: &AtomicBool,
) -> Result<(Stage, Load), String> {
    let scenario = &plan.scenario;
    find_program(plan)?;
    let from = release(&scenario.release.from)?;
    let genesis = genesis(scenario);
    let work = async {
        let (cleared, ledger) = join(
            objects::clear(client),
            LedgerServer::create(server, &from, genesis),
        )
        .await;
        cleared?;
        let ledger = ledger?;
        objects::create(client, &from, &scenario.deployments, &ledger.exchange_url()).await?;
        objects::ready(client).await?;
        Ok::<_, String>(ledger)
    };
    let ledger = or_interrupted(work, interrupted).await?;
    let timing = Timing::of(scenario);
    let mut evidence = beginning(plan, versions);
    evidence.warm_up_ms = timing.warm_up_ms;
    let clock = DrillClock::start();
    let load = Load::start(clock, &gateway(place), scenario, plan.seed)?;
    let trap = Trap::new(scenario.crash);
    let stage = Stage {
        book: Arc::new(Book::new(clock, trap, evidence)),
        client: client.clone(),
        ledger,
    };
    Ok((stage, load))
}

pub(super) fn release(name: &str) -> Result<Release, String> {
    Release::by_name(name).ok_or_else(|| format!("unknown release {name}"))
}

/// Base URL of the gateway's Service. The node itself, if this host reaches it: a port that Docker forwards accepts
/// connections even if nothing is behind it.
pub(super) fn gateway(place: &Place) -> String {
    let Ok(address) = docker::address_of(&place.node, &place.network) else {
        return place.gateway.clone();
    };
    let node = SocketAddr::from((address, NODE_PORT));
    match TcpStream::connect_timeout(&node, Duration::from_secs(1)) {
        Ok(_) => format!("http://{node}"),
        Err(_) => place.gateway.clone(),
    }
}

/// The drill itself, and its evidence; an error if it was interrupted.
async fn drill(
    plan: &DrillPlan,
    end: End,
    place: &Place,
    site: Site,
    stage: &Stage,
    mut load: Load,
    interrupted: &AtomicBool,
) -> Result<Performed, String> {
    let timing = Timing::of(&plan.scenario);
    let (record, due) = ActsRecord::begin(&stage.book, site, plan);
    let (from, to) = (
        release(&plan.scenario.release.from)?,
        release(&plan.scenario.release.to)?,
    );
    let application = Application::default();
    let task = Task {
        namespace: NAMESPACE,
        prior: &plan.scenario.release.from,
        ledger: Some(TaskLedger {
            url: stage.ledger.executor_url(),
            migrations: manifests::migrations(&to),
        }),
    };
    let by = By::of(plan, place, &task, &application)?;
    let acts = LiveActs {
        plan,
        stage,
        timing,
        releases: (from, to),
        record,
        hosts: Hosts {
            plan,
            place,
            namespace: NAMESPACE,
            application,
            by,
        },
    };
    let whole = async {
        let whole = async {
            act(&acts).await;
            let seconds = || load.look(|record| record.seconds.clone());
            hold(stage, &seconds, timing).await;
        };
        match end {
            End::Held => whole.await,
            End::Recovered => {
                select(Box::pin(whole), Box::pin(seen_recovered(stage, &load))).await;
            }
        }
    };
    let run = Run {
        record: &acts.record,
        timing,
        interrupted,
    };
    let pods = async || harvest::live_pods(&stage.client).await;
    let looking = probe::keep_looking(stage);
    run.until_over(whole, due, looking, pods).await?;
    finish(stage, &mut load, &plan.scenario).await;
    Ok(stage.performed())
}
