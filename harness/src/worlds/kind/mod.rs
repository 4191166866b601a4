//! The live world: a kind cluster, PostgreSQL and Prometheus in containers, the exchange as real services, and the real
//! executor with the rights that it has in production.
//!
//! ```text
//! clear ─▶ ledger ─▶ exchange ─▶ warm-up ─▶ prepare ─▶ deploy ─▶ watch ─▶ run ─▶ hold ─▶ end ─▶ clear   (actor)
//!                                look ── look ── look ── look ── look ── look ── look ── look           (prober)
//!                                clients ════════════════════════════════════════════════               (load)
//! ```
//!
//! - `place`, `lock`: which cluster, whether it may be used, and by whom.
//! - `docker`: the engine's containers, and whose they are; `server`: the ledger's, a container of this process.
//! - `ledger`: its roles, migrations and rows.
//! - `objects`: the exchange in the cluster.
//! - `load`: the clients.
//! - `ending`: when the drill is over, and what is read then.
//! - `rollback`: the executor at work, here or in a `process` of its own; `crash`: its death at a request.
//! - `faults`: what else goes wrong.
//! - `benchmark`: what the executor costs on top of bare kubectl.
//! - `calibrate`: what all this takes, measured for the simulation.
//! - `probe`, `harvest`: what the harness sees of ledger and cluster, without asking the executor.
//!
//! Times are real, so the scenario's are shortened (`Timing`): nothing is waited for that shows nothing.

mod benchmark;
mod calibrate;
mod clock;
mod crash;
mod docker;
mod ending;
mod faults;
mod harvest;
mod ledger;
mod load;
mod lock;
mod measuring;
mod objects;
mod place;
mod probe;
mod process;
mod rollback;
mod server;

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dex::release::Release;
use dex::service::migrate::Genesis;
use executor::live::{Layout, PostgresDatabase, SystemClock, http_client};
use executor::ports::{Database, EvidenceStore, Ports};
use executor::runbook::Runbook;
use executor::{Event, Executor, Observer, Options, WatchOutcome};
use futures::future::{Either, join, select};
use jiff::Timestamp;

pub use self::benchmark::{Benchmark, Pair, Ratio, StepTook, benchmark};
pub use self::calibrate::calibrate;
use self::clock::{DrillClock, sleep};
use self::crash::Trap;
use self::ending::{End, finish, hold, seen_recovered};
use self::faults::{Injector, Site};
use self::ledger::Ledger;
use self::load::Load;
use self::place::Place;
use self::server::Server;
use super::{Performed, Plan, WorldError};
use crate::drill::timeline::Entry;
use crate::evidence::{Evidence, Ms, Outcome, ms};
use crate::scenario::{Anchor, CrashSide, Scenario};
use crate::worlds::common::deployer;
use crate::worlds::common::manifests::NAMESPACE;
use crate::worlds::common::{calls_a_person, told, versions};

/// Port of the gateway's Service on the node.
const NODE_PORT: u16 = 30_080;

/// The scenario's timing, as far as it makes sense in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timing {
    warm_up_ms: Ms,
    deploy_at_ms: Ms,
    /// The drill ends once the hold time has passed since recovery, at the latest then.
    until_ms: Ms,
}

impl Timing {
    fn of(scenario: &Scenario) -> Self {
        let timing = scenario.timing;
        let warm_up_ms = ms(timing.warm_up).min(20_000);
        let pause = ms(timing.deploy_at).saturating_sub(ms(timing.warm_up));
        Self {
            warm_up_ms,
            // The executor's baseline needs a minute of rates at most.
            deploy_at_ms: warm_up_ms + pause.clamp(20_000, 40_000),
            until_ms: ms(timing.duration),
        }
    }
}

/// What is written down while the drill runs.
struct Notes {
    evidence: Evidence,
    timeline: Vec<Entry>,
    /// How many requests the executor had made when its watch ended.
    requests_at_trigger: Option<u64>,
}

/// Where the drill happens.
struct Stage {
    clock: DrillClock,
    client: kube::Client,
    ledger: Ledger,
    /// Counts the executor's requests, and is its death where the scenario wants it.
    trap: Arc<Trap>,
    notes: Mutex<Notes>,
}

/// Why the acts of a drill ended without a report.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// Something of the harness's own failed: a file, a container, a request that it made for itself.
    Harness(String),
    /// The executor ended by itself.
    Executor(Outcome),
}

impl Trouble {
    /// The executor's rollback ended in `error`. Where another host is at work or was before, it was refused, as it
    /// should be.
    fn of(error: &executor::Error) -> Self {
        let why = format!("run: {}", error.chain());
        Self::Executor(if error.kind().gives_way() {
            Outcome::Refused(why)
        } else {
            Outcome::Failed(why)
        })
    }
}

/// What the acts of a drill need.
struct Drill<'a> {
    plan: &'a Plan,
    place: &'a Place,
    stage: &'a Arc<Stage>,
    injector: &'a Arc<Injector>,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, who: &'static str, step: &str, what: impl Into<String>) {
        let at = self.clock.now_ms();
        self.lock().timeline.push(Entry::new(at, who, step, what));
    }

    /// Something of the harness's own failed. The first such failure is told.
    fn harness_failed(&self, why: &str) {
        let mut notes = self.lock();
        let failed = &mut notes.evidence.harness_failed;
        failed.get_or_insert_with(|| why.to_owned());
    }

    /// The executor's work ended like this, before there was a report.
    fn ended(&self, trouble: Trouble) {
        let outcome = match trouble {
            Trouble::Harness(why) => {
                self.harness_failed(&why);
                Outcome::CutShort(why)
            }
            Trouble::Executor(outcome) => outcome,
        };
        self.lock().evidence.executor.outcome = outcome;
    }
}

/// Writes down what the executor says.
struct Watcher(Arc<Stage>, Arc<Injector>);

impl Observer for Watcher {
    fn event(&self, _at: Timestamp, event: &Event) {
        if let Event::StepStarted { name, .. } = event {
            self.1.reached(&Anchor::Step(name.clone()));
        }
        if let Some(why) = calls_a_person(event) {
            let now = self.0.clock.now_ms();
            self.0.lock().evidence.executor.calls(why, now);
        }
        if let Some((step, what)) = told(event) {
            self.0.tell("executor", &step, what);
        }
    }
}

/// A store that is always there: what is put by becomes part of the drill's evidence.
struct ArtifactStore(Arc<Stage>);

#[async_trait]
impl EvidenceStore for ArtifactStore {
    async fn put(&self, name: &str, content: Bytes) -> Result<(), String> {
        let text = String::from_utf8_lossy(&content).into_owned();
        self.0.lock().evidence.files.insert(name.to_owned(), text);
        Ok(())
    }
}

/// Performs a drill on the cluster.
///
/// # Errors
/// [`WorldError::SetUp`] if there is no cluster with the harness's marker, or the exchange does not come up on it.
pub fn perform(plan: &Plan) -> Result<Performed, WorldError> {
    perform_until(plan, End::Held)
}

/// Like [`perform`], but ends soon after recovery: to measure how fast it is, not to judge it.
///
/// # Errors
/// As [`perform`].
pub fn perform_to_recovery(plan: &Plan) -> Result<Performed, WorldError> {
    perform_until(plan, End::Recovered)
}

fn perform_until(plan: &Plan, end: End) -> Result<Performed, WorldError> {
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
        match (performed, cleared) {
            (Ok(mut performed), Err(why)) => {
                let at = performed.evidence.end_ms;
                let what = format!("could not clear the cluster: {why}");
                performed.timeline.push(Entry::new(at, "world", "", what));
                Ok(performed)
            }
            (performed, _) => performed,
        }
    });
    performed.map_err(|why| no_world(&interrupted, why))
}

/// What to call it if there was no world, or none until the end, because of `why`.
fn no_world(interrupted: &AtomicBool, why: String) -> WorldError {
    if interrupted.load(Ordering::Acquire) {
        WorldError::Interrupted
    } else {
        WorldError::SetUp(why)
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, WorldError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| WorldError::SetUp(format!("no runtime: {error}")))
}

/// The flag that Ctrl-C and a polite `kill` set. One for the process: a signal between two drills is for the next.
fn interrupts() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Without it the signal ends the process, and the next drill clears up.
            let _ = signal_hook::flag::register(signal, flag.clone());
        }
        flag
    });
    Arc::clone(flag)
}

/// Completes once the flag is set.
async fn set(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        sleep(Duration::from_millis(100)).await;
    }
}

/// What comes of `work`, or an error once the flag is set.
async fn or_interrupted<T>(
    work: impl Future<Output = Result<T, String>>,
    flag: &AtomicBool,
) -> Result<T, String> {
    match select(Box::pin(work), Box::pin(set(flag))).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err("interrupted".to_owned()),
    }
}

/// Accounts and markets of a scenario's ledger.
fn genesis(scenario: &Scenario) -> Genesis {
    Genesis {
        accounts: scenario.load.accounts,
        markets: u16::try_from(scenario.load.markets).unwrap_or(u16::MAX),
    }
}

/// Everything up to the drill's first instant.
async fn set_up(
    plan: &Plan,
    place: &Place,
    client: &kube::Client,
    server: &Server,
    interrupted: &AtomicBool,
) -> Result<(Arc<Stage>, Load), String> {
    let scenario = &plan.scenario;
    if rollback::in_a_process(scenario) {
        process::Program::find()?;
    }
    let from = release(&scenario.release.from)?;
    let genesis = genesis(scenario);
    let work = async {
        let (cleared, ledger) = join(
            objects::clear(client),
            Ledger::create(server, &from, genesis),
        )
        .await;
        cleared?;
        let ledger = ledger?;
        objects::create(client, &from, &ledger.exchange_url()).await?;
        objects::ready(client).await?;
        Ok::<_, String>(ledger)
    };
    let ledger = or_interrupted(work, interrupted).await?;
    let timing = Timing::of(scenario);
    let mut evidence = Evidence::empty(scenario);
    evidence.warm_up_ms = timing.warm_up_ms;
    evidence.versions_before = versions(&scenario.release.from);
    evidence.versions_deployed = versions(&scenario.release.to);
    let clock = DrillClock::start();
    let load = Load::start(clock, &gateway(place), scenario, plan.seed)?;
    let stage = Stage {
        clock,
        client: client.clone(),
        ledger,
        // Without a crash it is never armed, so either side will do.
        trap: Trap::new(scenario.crash.map_or(CrashSide::Before, |crash| crash.side)),
        notes: Mutex::new(Notes {
            evidence,
            timeline: Vec::new(),
            requests_at_trigger: None,
        }),
    };
    Ok((Arc::new(stage), load))
}

fn release(name: &str) -> Result<Release, String> {
    Release::by_name(name).ok_or_else(|| format!("unknown release {name}"))
}

/// Base URL of the gateway's Service. The node itself, if this host reaches it: a port that Docker forwards accepts
/// connections even if nothing is behind it.
fn gateway(place: &Place) -> String {
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
    plan: &Plan,
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
    let drill = Drill {
        plan,
        place,
        stage: &stage,
        injector: &injector,
    };
    let act = async {
        let whole = async {
            actor(&drill, timing).await;
            hold(&stage, &load, timing).await;
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
            stage.tell("world", "", "the drill's time was over");
            let mut notes = stage.lock();
            let said = &mut notes.evidence.executor;
            if said.trigger.is_some() && said.steps.is_empty() {
                said.outcome = Outcome::StillRunning;
            }
        }
        Ok(())
    };
    let act = async {
        let looking = join(
            probe::keep_looking(&stage),
            probe::count_ready(&stage, &injector),
        );
        let looking = Box::pin(looking);
        let act = Box::pin(or_interrupted(act, interrupted));
        let whole = match select(act, looking).await {
            Either::Left((whole, _)) => whole,
            Either::Right(_) => {
                let why = "whoever looks at the ledger and the pods ended before the drill";
                stage.ended(Trouble::Harness(why.to_owned()));
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
    let notes = stage.lock();
    let mut timeline = notes.timeline.clone();
    timeline.sort_by_key(|entry| entry.at_ms);
    Ok(Performed {
        evidence: notes.evidence.clone(),
        timeline,
        fingerprint: 0,
        executor_requests: notes
            .requests_at_trigger
            .map_or(0, |before| stage.trap.seen().saturating_sub(before)),
        observed: Vec::new(),
    })
}

/// What the executor follows: the plan's runbook, with this world's addresses. There is no Loki here, so the runbook's log
/// check reads the pods' own logs.
fn runbook(plan: &Plan, place: &Place) -> Arc<Runbook> {
    let mut runbook = Runbook::clone(&plan.runbook.runbook);
    runbook.prometheus.clone_from(&place.prometheus);
    runbook.loki = None;
    Arc::new(runbook)
}

async fn executor(drill: &Drill<'_>, identity: &str) -> Result<Executor, String> {
    let (place, stage) = (drill.place, drill.stage);
    let database = PostgresDatabase::from_url(&stage.ledger.executor_url(), Layout::default())
        .map_err(|error| error.to_string())?;
    let database: Arc<dyn Database> = Arc::new(database);
    let ports = Ports {
        kube: place.executor(Some(&stage.trap)).await?,
        http: http_client().map_err(|error| error.to_string())?,
        database,
        clock: Arc::new(SystemClock),
        evidence: Arc::new(ArtifactStore(Arc::clone(stage))),
    };
    let watcher = Watcher(Arc::clone(stage), Arc::clone(drill.injector));
    let options = Options::new(identity).with_observer(Arc::new(watcher));
    Ok(Executor::new(ports, runbook(drill.plan, place), options))
}

/// Deployer and executor, one after the other.
async fn actor(drill: &Drill<'_>, timing: Timing) {
    if let Err(trouble) = acts(drill, timing).await {
        drill.stage.ended(trouble);
    }
}

async fn acts(drill: &Drill<'_>, timing: Timing) -> Result<(), Trouble> {
    let Drill { plan, stage, .. } = drill;
    let release = |name: &str| release(name).map_err(Trouble::Harness);
    let (from, to) = (
        release(&plan.scenario.release.from)?,
        release(&plan.scenario.release.to)?,
    );
    stage.clock.sleep_until(timing.warm_up_ms).await;
    let state = harvest::lasting_state(&stage.client, &stage.ledger).await;
    stage.lock().evidence.state_before = state.map_err(Trouble::Harness)?;
    let executor = executor(drill, "firedrill").await;
    let executor = executor.map_err(Trouble::Harness)?;
    if let Err(error) = executor.prepare().await {
        // As in the simulation: nothing was deployed, so nothing was shown.
        let why = format!("prepare: {}", error.chain());
        stage.lock().evidence.executor.outcome = Outcome::Refused(why);
        return Ok(());
    }
    stage.clock.sleep_until(timing.deploy_at_ms).await;
    let deployed = stage.clock.now_ms();
    stage.lock().evidence.deployed_ms = Some(deployed);
    drill.injector.reached(&Anchor::Deployment);
    let what = format!("deploys {}", plan.scenario.release.to);
    stage.tell("deployer", "", what);
    let migrate = stage.ledger.migrate(&to);
    if let Err(error) = deployer::deploy(&stage.client, &from, &to, migrate).await {
        stage.tell("deployer", "", format!("could not deploy: {error}"));
        // What was not deployed is no drill: the fault never fired.
        stage.lock().evidence.deployed_ms = None;
        return Ok(());
    }
    let event = match executor.watch().await {
        Err(error) => {
            let why = format!("watch: {}", error.chain());
            return Err(Trouble::Executor(Outcome::Failed(why)));
        }
        Ok(WatchOutcome::WindowClosed { .. }) => {
            let said = &mut stage.lock().evidence.executor;
            said.saw_nothing("the validation window closed");
            return Ok(());
        }
        Ok(WatchOutcome::Triggered(event)) => event,
    };
    // The harness's own clock, at the instant at which the watch said so.
    let at_ms = stage.clock.now_ms();
    {
        let mut notes = stage.lock();
        notes.requests_at_trigger = Some(stage.trap.seen());
        notes.evidence.executor.fired(&event.name, at_ms);
    }
    drill.injector.reached(&Anchor::Trigger);
    rollback::roll_back(drill, executor, event).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::{self, BUILT_IN};

    #[test]
    fn real_time_is_shorter_and_in_order() {
        let triggers = LoadedRunbook::built_in().expect("valid").triggers();
        for built_in in BUILT_IN {
            let scenario = Scenario::parse(built_in.file, built_in.text, &triggers).expect("valid");
            let timing = Timing::of(&scenario);
            assert!(timing.warm_up_ms <= ms(scenario.timing.warm_up));
            assert!(timing.deploy_at_ms >= timing.warm_up_ms + 20_000);
            assert!(timing.deploy_at_ms < timing.until_ms);
        }
        assert!(scenario::find("latency-regression").is_some());
    }
}
