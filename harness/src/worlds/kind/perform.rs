//! A drill on the cluster, from its beginning to the evidence.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dex::release::Release;
use dex::service::migrate::Genesis;
use futures::future::{Either, join, select};

use super::acts::LiveActs;
use super::by_command::Outsider;
use super::clock::DrillClock;
use super::crash::Trap;
use super::ending::{End, finish, hold, seen_recovered};
use super::faults::{Injector, Site};
use super::interrupt::{interrupts, no_world, or_interrupted, runtime};
use super::ledger::LedgerServer;
use super::load::Load;
use super::place::Place;
use super::process::Program;
use super::server::Server;
use super::stage::{ActsRecord, Book, Stage};
use super::timing::Timing;
use super::{by_process, described, docker, objects, probe};
use crate::drill::timeline::TimelineEntry;
use crate::scenario::{Anchor, CrashSide, Scenario};
use crate::worlds::common::acts::{Record as _, act};
use crate::worlds::common::{beginning, manifests, versions};
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
                    server: server.id().to_owned(),
                    address: server.address,
                    network: place.network.clone(),
                };
                drill(plan, end, &place, site, stage, load, &interrupted).await
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

/// Whether our own executor must be a process of its own.
fn is_our_process(plan: &DrillPlan) -> bool {
    plan.executor.is_none() && by_process::is_needed(&plan.scenario)
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
) -> Result<(Arc<Stage>, Load), String> {
    let scenario = &plan.scenario;
    if is_our_process(plan) {
        Program::find()?;
    }
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
    // Without a crash it is never armed, so either side will do.
    let trap = Trap::new(scenario.crash.map_or(CrashSide::Before, |crash| crash.side));
    let stage = Stage {
        book: Book::new(clock, trap, evidence),
        client: client.clone(),
        ledger,
    };
    Ok((Arc::new(stage), load))
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
    stage: Arc<Stage>,
    mut load: Load,
    interrupted: &AtomicBool,
) -> Result<Performed, String> {
    let timing = Timing::of(&plan.scenario);
    let (injector, later) = Injector::new(&stage, site, &plan.scenario, plan.seed);
    let injector = Arc::new(injector);
    injector.reached(&Anchor::Start);
    let outsider = match &plan.executor {
        None => None,
        Some(program) => {
            stage.lock().evidence.executor.is_program = true;
            let to = release(&plan.scenario.release.to)?;
            let outsider = Outsider::new(
                &program.command,
                place,
                &manifests::migrations(&to),
                &stage.ledger.executor_url(),
                &plan.scenario.release.from,
            )?;
            Some(Arc::new(outsider))
        }
    };
    let program = if is_our_process(plan) {
        let database = stage.ledger.executor_url();
        let program = Program::new(place, &plan.runbook.text, database)?;
        Some(Arc::new(program))
    } else {
        None
    };
    let acts = LiveActs {
        plan,
        place,
        timing,
        releases: (
            release(&plan.scenario.release.from)?,
            release(&plan.scenario.release.to)?,
        ),
        record: ActsRecord {
            stage: Arc::clone(&stage),
            injector: Arc::clone(&injector),
        },
        program,
        outsider,
    };
    let act = async {
        let whole = async {
            act(&acts).await;
            hold(
                &stage,
                &|| load.look(|record| record.seconds.clone()),
                timing,
            )
            .await;
        };
        match end {
            End::Held => whole.await,
            End::Recovered => {
                select(Box::pin(whole), Box::pin(seen_recovered(&stage, &load))).await;
            }
        }
    };
    let act = async {
        let late = Box::pin(stage.clock.sleep_until(timing.until_ms));
        if let Either::Right(_) = select(Box::pin(act), late).await {
            stage.time_was_over();
        }
        Ok(())
    };
    let act = async {
        let looking = join(
            probe::keep_looking(&stage),
            join(
                probe::count_ready(&stage, &injector),
                probe::count_requests(&stage, &injector),
            ),
        );
        let looking = Box::pin(looking);
        let act = Box::pin(or_interrupted(act, interrupted));
        let whole = match select(act, looking).await {
            Either::Left((whole, _)) => whole,
            Either::Right(_) => {
                let why = "whoever looks at the ledger and the pods ended before the drill";
                acts.record.harness_failed(why.to_owned());
                Ok(())
            }
        };
        // Ends what its faults still do, however the drill ended.
        injector.stop();
        whole
    };
    let (whole, ()) = join(act, injector.run(later)).await;
    whole?;
    finish(&stage, &mut load, &plan.scenario).await;
    Ok(stage.performed())
}
