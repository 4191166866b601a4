//! The drill from its beginning to the evidence.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sim_services::describe::Rate;
use tokio::net::TcpStream;

use super::super::by_command::Task;
use super::super::clock::{DrillClock, sleep, within};
use super::super::crash::Trap;
use super::super::ending::{hold, tell_errors, tell_unread};
use super::super::faults::Site;
use super::super::hosts::{By, Hosts, find_program};
use super::super::interrupt::{interrupts, no_world, or_interrupted, runtime};
use super::super::load::{Served, Target};
use super::super::path_taken::{self, Seen};
use super::super::perform::with_clearing;
use super::super::place::Place;
use super::super::run::Run;
use super::super::stage::{ActsRecord, Book};
use super::super::timing::Timing;
use super::super::{docker, harvest};
use super::ground::Ground;
use super::looks;
use super::plan::Plan;
use super::stage::AppStage;
use crate::evidence::{Reading, ms};
use crate::scenario::Described;
use crate::worlds::common::acts::act;
use crate::worlds::common::{beginning, described};
use crate::worlds::{DrillPlan, Performed, WorldError};

/// How long a client's way to its service may take to be open.
const REACH: Duration = Duration::from_secs(30);
/// Between two tries of it.
const REACH_AGAIN: Duration = Duration::from_millis(200);

/// Performs a drill of `app`.
///
/// # Errors
/// [`WorldError::SetUp`] if there is no cluster with the harness's marker, or the application does not come up on it.
pub(in super::super) fn perform(
    plan: &DrillPlan,
    app: &Described,
) -> Result<Performed, WorldError> {
    // Whatever can't be created is known before anything is touched.
    let objects = Plan::of(app, plan.executor.is_some()).map_err(WorldError::SetUp)?;
    let interrupted = interrupts();
    let performed = runtime()?.block_on(async {
        let user = format!("a drill of {}", plan.scenario.name);
        let place = Place::find(&user, &interrupted).await?;
        let survey = Ground::survey(place.admin()?, objects);
        let ground = or_interrupted(survey, &interrupted).await?;
        let performed = match set_up(plan, app, &place, &ground, &interrupted).await {
            Ok((book, served)) => {
                drill(plan, app, &place, &ground, &book, served, &interrupted).await
            }
            Err(error) => Err(error),
        };
        with_clearing(performed, ground.clear().await)
    });
    performed.map_err(|why| no_world(&interrupted, why))
}

/// Everything up to the drill's first instant.
async fn set_up(
    plan: &DrillPlan,
    app: &Described,
    place: &Place,
    ground: &Ground,
    interrupted: &AtomicBool,
) -> Result<(Arc<Book>, Served), String> {
    let scenario = &plan.scenario;
    let from = &scenario.release.from;
    find_program(plan)?;
    let work = async {
        ground.clear().await?;
        ground.create().await?;
        if *from != app.prior {
            described::deploy(&ground.client, app, &app.prior, from).await?;
        }
        ground.ready(app).await?;
        ground.node_ports(&app.namespace).await
    };
    let ports = or_interrupted(work, interrupted).await?;
    let node = docker::address_of(&place.node, &place.network)?;
    let rate_per_s = described::rate_said(app, scenario).map(Rate::whole);
    let mut targets = Vec::new();
    for (client, port) in app.clients.iter().zip(ports) {
        let address = SocketAddr::from((node, port));
        or_interrupted(reach(&client.name, address), interrupted).await?;
        targets.push(Target {
            client: app.at_rate(client, rate_per_s),
            address: address.to_string(),
        });
    }
    let mut evidence = beginning(plan, |release| described::versions(app, release));
    evidence.warm_up_ms = Timing::of(scenario).warm_up_ms;
    let clock = DrillClock::start();
    let slow_ms = ms(scenario.expect.p99_max);
    let duration = scenario.timing.duration;
    let served = Served::start(clock, &targets, slow_ms, duration, plan.seed)?;
    let book = Book::new(clock, Trap::new(scenario.crash), evidence);
    for told in described::left_out(app)
        .into_iter()
        .chain(ground.plan.not_created())
    {
        book.tell("harness", "", told);
    }
    Ok((Arc::new(book), served))
}

/// The drill itself, and its evidence; an error if it was interrupted.
async fn drill(
    plan: &DrillPlan,
    app: &Described,
    place: &Place,
    ground: &Ground,
    book: &Arc<Book>,
    mut served: Served,
    interrupted: &AtomicBool,
) -> Result<Performed, String> {
    let timing = Timing::of(&plan.scenario);
    let site = Site {
        node: place.node.clone(),
        client: ground.client.clone(),
        namespace: app.namespace.clone(),
        ledger: None,
    };
    let (record, due) = ActsRecord::begin(book, site, plan);
    let application = described::bounds(&plan.scenario);
    let task = Task {
        namespace: &app.namespace,
        prior: &plan.scenario.release.from,
        ledger: None,
    };
    let stage = AppStage {
        plan,
        app,
        client: &ground.client,
        timing,
        record,
        hosts: Hosts {
            plan,
            place,
            namespace: &app.namespace,
            application,
            by: By::of(plan, place, &task, &application)?,
        },
    };
    let seconds = || served.look(|tally| tally.seconds.clone());
    let whole = async {
        act(&stage).await;
        hold(book, &seconds, timing).await;
    };
    let release = &plan.scenario.release;
    let new = described::new(app, &release.from, &release.to);
    let looking = looks::keep_looking(book, &ground.client, app, &new);
    let pods = async || looks::pods(&ground.client, app).await;
    let run = Run {
        record: &stage.record,
        timing,
        interrupted,
    };
    run.until_over(whole, due, looking, pods).await?;
    finish(book, ground, app, &mut served, &new).await;
    Ok(book.performed())
}

/// The evidence at the end.
async fn finish(
    book: &Book,
    ground: &Ground,
    app: &Described,
    served: &mut Served,
    new: &described::New,
) {
    let end_ms = book.clock.now_ms();
    looks::look(book, &ground.client, app, new).await;
    if let Err(why) = served.stop() {
        book.harness_failed(&why);
    }
    let errors = served.look(|tally| {
        tally.tell(end_ms, &mut book.lock().evidence);
        tally.errors.clone()
    });
    tell_errors(book, errors);
    let pods = looks::pods(&ground.client, app).await;
    let state = harvest::state_of(&ground.client, &app.namespace).await;
    let mut notes = book.lock();
    let mut unread = BTreeMap::new();
    match pods {
        Ok(pods) => notes.evidence.pods = pods,
        Err(why) => {
            unread.insert(Reading::Pods, why);
        }
    }
    match state {
        Ok(state) => {
            notes.evidence.state_after.clone_from(&state);
            let ledger = None;
            path_taken::tell(&mut notes, &Seen { state, ledger });
        }
        Err(why) => {
            unread.insert(Reading::State, why);
        }
    }
    tell_unread(&mut notes, unread);
}

/// Waits until the client's way to its service takes connections: kube-proxy opens a node's port some time after its
/// Service was created.
async fn reach(client: &str, address: SocketAddr) -> Result<(), String> {
    let mut refused = String::new();
    let open = async {
        loop {
            match TcpStream::connect(address).await {
                Ok(_) => return,
                Err(error) => refused = error.to_string(),
            }
            sleep(REACH_AGAIN).await;
        }
    };
    if within(REACH, open).await.is_some() {
        return Ok(());
    }
    let why = if refused.is_empty() {
        "no answer"
    } else {
        &refused
    };
    Err(format!(
        "the client `{client}` does not reach the node at {address} within {} s: {why}; clients run on this machine, \
         which must reach the addresses of Docker's networks",
        REACH.as_secs()
    ))
}
