//! The deterministic simulation: the real executor and a scripted deployer on one world.
//!
//! ```text
//! setup ─▶ warm-up ─▶ prepare ─▶ deploy ─▶ watch ─▶ run ─▶ hold ─▶ end      (actor)
//!    look ─ look ─ look ─ look ─ look ─ look ─ look ─ look ─ look ─▶ harvest  (prober)
//! ```
//!
//! - `objects`: what is in the cluster before the drill.
//! - `deployer`: deploys the bad release, as people do.
//! - `ports`: what the executor acts through.
//! - `faults`: what else goes wrong.
//! - `watcher`: what the executor says while it acts.
//! - `probe`: looks at the ledger and the pods while the drill runs.
//! - `harvest`: the evidence at the end; `record`: what of it rests on the world's own record.

mod deployer;
mod faults;
mod harvest;
mod objects;
mod ports;
mod probe;
mod record;
mod watcher;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use executor::planner::Observed;
use executor::ports::Ports;
use executor::{Executor, Options, Report, TriggerEvent, WatchOutcome};
use futures::future::{Either, join, select};
use sim::Limits;
use sim::fabric::Side;
use sim::time::Micros;
use sim_exchange::ExchangeConfig;
use sim_exchange::{World, WorldConfig};

use self::faults::Injector;
pub use self::ports::{clock, database, http};
use super::{Performed, Plan, Until, WorldError};
use crate::drill::timeline::Entry;
use crate::evidence::{Evidence, Ms, Outcome, ms};
use crate::oracles::recovery;
use crate::scenario::{Anchor, CrashSide, Scenario};
use crate::worlds::common::manifests::NAMESPACE;
use crate::worlds::common::{carry_on, copy_report, told_by_clients, versions};

/// Events after which a drill is a livelock; a drill of 15 minutes takes some 100,000.
const STEPS_MAX: u64 = 5_000_000;
/// How often it is looked whether what recovered has held, at least.
const RECHECK: Micros = Micros::from_secs(30);
/// So long after the objective, nobody can have recovered in time any more.
const LATE: Micros = Micros::from_secs(30);

/// What actor and prober write down.
struct Notes {
    evidence: Evidence,
    /// How many requests the executor had made when a trigger fired; `None`: none did.
    requests_at_trigger: Option<u64>,
    observed: Vec<Arc<Observed>>,
    timeline: Vec<Entry>,
    /// The ledger when the deployment began.
    deployed: Option<record::Deployed>,
    /// When the drill ends, once that is known to be before its `duration`.
    end: Option<Micros>,
}

#[derive(Clone)]
struct Recorder(Arc<Mutex<Notes>>);

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, at: Micros, who: &'static str, step: &str, what: impl Into<String>) {
        self.lock()
            .timeline
            .push(Entry::new(at.as_millis(), who, step, what));
    }
}

/// What is made of an executor's ports before it gets them.
pub type Refit = dyn Fn(&World, Ports) -> Ports + Sync;

/// Performs a drill in the simulated world.
///
/// # Errors
/// [`WorldError::SetUp`] if the world's beginnings failed.
pub fn perform(plan: &Plan, refit: &Refit) -> Result<Performed, WorldError> {
    let hurried = hurried(plan);
    let plan = hurried.as_ref().unwrap_or(plan);
    let recorder = Recorder(Arc::new(Mutex::new(Notes {
        evidence: beginning(plan),
        requests_at_trigger: None,
        observed: Vec::new(),
        timeline: Vec::new(),
        deployed: None,
        end: None,
    })));
    let limits = Limits {
        until: micros(plan.scenario.timing.duration) + Micros::from_secs(60),
        steps: STEPS_MAX,
    };
    let inside = recorder.clone();
    let (fingerprint, executor_requests) =
        match sim_exchange::run(config(&plan.scenario), plan.seed, limits, |world| {
            drill(world, plan, refit, inside)
        }) {
            Ok(ended) => ended?,
            Err(halt) => {
                let mut notes = recorder.lock();
                notes.evidence.executor.outcome =
                    Outcome::Failed(format!("the world stopped: {halt}"));
                (0, 0)
            }
        };
    let mut notes = recorder.lock();
    let mut timeline = std::mem::take(&mut notes.timeline);
    timeline.sort_by_key(|entry| entry.at_ms);
    Ok(Performed {
        evidence: std::mem::replace(&mut notes.evidence, beginning(plan)),
        timeline,
        fingerprint,
        executor_requests,
        observed: std::mem::take(&mut notes.observed),
    })
}

/// How far the query of a hurried drill's trigger may look back: clients begin 30 s before its deployment.
const LOOKS_BACK_MAX: Duration = Duration::from_secs(30);

/// The plan with a shorter time before the deployment, where the drill ends early too ([`Until::Held`]) and nothing needs that time: no
/// fault counts from the start, and the query of the trigger that must fire does not look further back than to the baseline.
fn hurried(plan: &Plan) -> Option<Plan> {
    let scenario = &plan.scenario;
    let looks_back = |trigger: &executor::runbook::Trigger| {
        Some(&trigger.name) == scenario.expect.trigger.as_ref()
            && trigger.looks_back() > LOOKS_BACK_MAX
    };
    if plan.until == Until::Duration
        || scenario.faults.iter().any(|f| f.when == Anchor::Start)
        || plan.runbook.runbook.triggers.iter().any(looks_back)
    {
        return None;
    }
    let mut scenario = Scenario::clone(scenario);
    scenario.timing = scenario.timing.hurried();
    Some(Plan {
        scenario: Arc::new(scenario),
        ..plan.clone()
    })
}

/// Evidence of a drill that is about to begin.
fn beginning(plan: &Plan) -> Evidence {
    let mut evidence = Evidence::empty(&plan.scenario);
    evidence.versions_before = versions(&plan.scenario.release.from);
    evidence.versions_deployed = versions(&plan.scenario.release.to);
    evidence
}

fn micros(duration: Duration) -> Micros {
    Micros::from(duration)
}

fn config(scenario: &Scenario) -> WorldConfig {
    let mut exchange = ExchangeConfig::default();
    exchange.load.rate_per_s = u64::from(scenario.load.rate_per_s);
    exchange.load.accounts = scenario.load.accounts;
    exchange.load.markets = u16::try_from(scenario.load.markets).unwrap_or(u16::MAX);
    WorldConfig {
        application: exchange,
        ..WorldConfig::default()
    }
}

/// The whole drill; the fingerprint, and how many requests the executor made from the trigger on.
async fn drill(
    world: World,
    plan: &Plan,
    refit: &Refit,
    recorder: Recorder,
) -> Result<(u64, u64), WorldError> {
    objects::create(&world, &plan.scenario).await?;
    let (injector, later) = Injector::new(&world, &recorder, &plan.scenario, plan.seed);
    injector.reached(&Anchor::Start);
    let end = micros(plan.scenario.timing.duration);
    let act = select(
        Box::pin(actor(&world, plan, refit, &recorder, &injector)),
        world.sleep_until(end),
    );
    let act = async {
        if let Either::Right(_) = act.await {
            let mut notes = recorder.lock();
            if notes.evidence.executor.trigger.is_some() {
                notes.evidence.executor.outcome = Outcome::StillRunning;
            } else if notes.evidence.deployed_ms.is_some() {
                let said = &mut notes.evidence.executor;
                said.saw_nothing("no trigger fired until the drill's end");
            }
        }
        world
            .sleep_until(ending(&world, plan, &recorder, end).await)
            .await;
    };
    let act = join(act, probe::keep_looking(&world, plan, &recorder, end));
    // The injector never completes.
    let count = probe::count_ready(&world, &recorder, &injector);
    let inject = join(injector.run(later), count);
    select(Box::pin(act), Box::pin(inject)).await;
    injector.finish();
    let mut notes = recorder.lock();
    let end_ms = notes.end.unwrap_or(end).as_millis();
    let deployed = notes.deployed.take();
    let evidence = &mut notes.evidence;
    harvest::take(&world, plan, evidence, deployed.as_ref(), end_ms);
    let told = told_by_clients(&notes.evidence);
    notes.timeline.extend(told);
    let said = format!("{:?}", notes.evidence.executor);
    Ok(world.with(|state| {
        state.record("executor said", said.as_bytes());
        let requests = state.fabric.requests(ports::ORIGIN);
        (
            state.fingerprint(),
            // What it asks while it prepares and watches is no rollback.
            notes
                .requests_at_trigger
                .map_or(0, |before| requests.saturating_sub(before)),
        )
    }))
}

/// When the drill ends, awaited until that is known: at `end`, or as [`Until::Held`] says.
async fn ending(world: &World, plan: &Plan, recorder: &Recorder, end: Micros) -> Micros {
    if plan.until == Until::Duration {
        return end;
    }
    let hold = micros(plan.scenario.timing.hold);
    loop {
        let now = world.now();
        let mut evidence = recorder.lock().evidence.clone();
        evidence.seconds = harvest::seconds(world, plan, now.as_millis());
        // Nothing to recover from: whether anything fires is what the whole duration is for.
        let Some(trigger) = evidence.executor.trigger.as_ref().map(|t| t.at_ms) else {
            return end;
        };
        let recovered = recovery::recovered_ms(&evidence);
        let late = Micros::from_millis(trigger) + micros(plan.scenario.expect.rto_max) + LATE;
        // Where something is still to go wrong, nothing has been shown yet.
        let pending = evidence.faults.iter().any(|f| f.began_ms.is_none());
        let held = match recovered {
            Some(_) if pending => end,
            Some(at) => Micros::from_millis(at.max(last_fault_ms(&evidence))) + hold,
            None => late,
        };
        if now < held && now < end {
            world.sleep_until(held.min(now + RECHECK).min(end)).await;
            continue;
        }
        // A whole second, and after the look that is already due; by then the seconds that date the recovery have
        // passed beside the hold.
        const { assert!(probe::CALM.as_millis() >= recovery::WINDOW_S as Ms * 1_000) };
        let seconds = (now + probe::CALM).as_millis().div_ceil(1_000);
        let end = Micros::from_secs(seconds).min(end);
        recorder.lock().end = Some(end);
        return end;
    }
}

/// When a fault last began or ended: what comes of it must have its time, too.
fn last_fault_ms(evidence: &Evidence) -> Ms {
    let instants = evidence
        .faults
        .iter()
        .flat_map(|f| [f.began_ms, f.ended_ms]);
    instants.flatten().max().unwrap_or(0)
}

/// Deployer and executor, one after the other.
async fn actor(
    world: &World,
    plan: &Plan,
    refit: &Refit,
    recorder: &Recorder,
    injector: &Injector,
) {
    let timing = plan.scenario.timing;
    world.sleep_until(micros(timing.warm_up)).await;
    recorder.lock().evidence.state_before = harvest::lasting_state(world);
    let host = |n: u32| {
        let observer = watcher::Watcher::new(world.clone(), recorder.clone(), injector.clone());
        let identity = match n {
            1 => "firedrill".to_owned(),
            n => format!("firedrill-{n}"),
        };
        let options = Options::new(identity).with_observer(Arc::new(observer));
        let ports = refit(world, ports::of(world, recorder, &ports::origin(n)));
        Executor::new(ports, Arc::clone(&plan.runbook.runbook), options)
    };
    let executor = host(1);
    if let Err(error) = executor.prepare().await {
        recorder.lock().evidence.executor.outcome = Outcome::Refused(said("prepare", &error));
        return;
    }
    world.sleep_until(micros(timing.deploy_at)).await;
    recorder.lock().evidence.deployed_ms = Some(world.now().as_millis());
    let ledger = world.with(|state| record::Deployed::of(state.application.database().ledger()));
    recorder.lock().deployed = Some(ledger);
    injector.reached(&Anchor::Deployment);
    recorder.tell(
        world.now(),
        "deployer",
        "",
        format!("deploys {}", plan.scenario.release.to),
    );
    if let Err(error) = deployer::deploy(world, &plan.scenario).await {
        recorder.tell(
            world.now(),
            "deployer",
            "",
            format!("could not deploy: {error}"),
        );
        // What was not deployed is no drill: the fault never fired.
        recorder.lock().evidence.deployed_ms = None;
        return;
    }
    let event = match executor.watch().await {
        Err(error) => return failed(recorder, "watch", &error),
        Ok(WatchOutcome::WindowClosed { .. }) => {
            let said = &mut recorder.lock().evidence.executor;
            said.saw_nothing("the validation window closed");
            return;
        }
        Ok(WatchOutcome::Triggered(event)) => event,
    };
    // The harness's own clock, at the instant at which the watch said so.
    let at_ms = world.now().as_millis();
    recorder.lock().evidence.executor.fired(&event.name, at_ms);
    let bad_logs = probe::bad_logs(world, recorder);
    recorder.lock().evidence.bad_logs = bad_logs;
    let requests = world.requests(ports::ORIGIN);
    recorder.lock().requests_at_trigger = Some(requests);
    for n in 1..=injector.hosts_needed() {
        let observer = watcher::Watcher::new(world.clone(), recorder.clone(), injector.clone());
        let options =
            Options::new(format!("firedrill-other-{n}")).with_observer(Arc::new(observer));
        let origin = format!("{}-other-{n}", ports::ORIGIN);
        let ports = refit(world, ports::of(world, recorder, &origin));
        let other = Executor::new(ports, Arc::clone(&plan.runbook.runbook), options);
        injector.add_host(other, event.clone());
    }
    injector.reached(&Anchor::Trigger);
    let ended = roll_back(world, plan, recorder, injector, executor, &host, event).await;
    recorder.lock().evidence.executor.ended_ms = Some(world.now().as_millis());
    match ended {
        Err(error) if error.kind().gives_way() => {
            recorder.lock().evidence.executor.outcome = Outcome::Refused(said("run", &error));
        }
        Err(error) => failed(recorder, "run", &error),
        Ok(report) => {
            copy_report(&report, drill_ms, &mut recorder.lock().evidence.executor);
        }
    }
}

/// Runs the rollback, on one host after the other where the executor is killed.
async fn roll_back(
    world: &World,
    plan: &Plan,
    recorder: &Recorder,
    injector: &Injector,
    executor: Executor,
    host: &impl Fn(u32) -> Executor,
    event: TriggerEvent,
) -> Result<Report, executor::Error> {
    let requests = recorder.lock().requests_at_trigger.unwrap_or(0);
    let mut crash = plan.scenario.crash.map(|crash| {
        let at = world.crash_at(ports::ORIGIN, requests + crash.request, side(crash.side));
        (at, micros(crash.resume_after))
    });
    let mut current = executor;
    let mut hosts = 1;
    loop {
        let run = async {
            if hosts == 1 {
                current.run(event.clone()).await
            } else {
                carry_on(&current, event.clone()).await
            }
        };
        let dies = async {
            let Some((at, resume_after)) = &mut crash else {
                return (false, injector.killed().await);
            };
            match select(at, Box::pin(injector.killed())).await {
                Either::Left(_) => (true, *resume_after),
                Either::Right((resume_after, _)) => (false, resume_after),
            }
        };
        let run = injector.on_host(run);
        let (crashed, resume_after) = match select(Box::pin(dies), Box::pin(run)).await {
            Either::Right((Err(other), _)) if other.kind().gives_way() => {
                // What counts is what came of the rollback, on whichever host.
                let at = world.now();
                recorder.tell(at, "executor", "", other.to_string());
                return injector.taken_over().await.unwrap_or(Err(other));
            }
            Either::Right((ended, _)) => return ended,
            Either::Left((death, _)) => death,
        };
        let at = world.now();
        if crashed {
            crash = None;
            recorder.lock().evidence.crash_ms = Some(Some(at.as_millis()));
        }
        recorder.tell(at, "executor", "", "killed");
        world.sleep(resume_after).await;
        hosts += 1;
        current = host(hosts);
    }
}

fn side(side: CrashSide) -> Side {
    match side {
        CrashSide::Before => Side::Before,
        CrashSide::After => Side::After,
    }
}

fn failed(recorder: &Recorder, phase: &str, error: &dyn std::error::Error) {
    recorder.lock().evidence.executor.outcome = Outcome::Failed(said(phase, error));
}

/// The error with everything that caused it.
fn said(phase: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{phase}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Instants of the executor, which reads the world's clock, as milliseconds of the drill.
fn drill_ms(at: jiff::Timestamp) -> Ms {
    let since = at.as_microsecond() - sim::time::EPOCH_SECOND * 1_000_000;
    u64::try_from(since).unwrap_or(0) / 1_000
}

/// How long the drill lasts, in milliseconds.
fn end_ms(scenario: &Scenario) -> Ms {
    ms(scenario.timing.duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario;
    use crate::worlds::WorldKind;

    #[test]
    fn only_a_drill_that_ends_early_and_misses_nothing_deploys_sooner() {
        let plan = |name: &str, until| {
            let runbook = LoadedRunbook::built_in().expect("valid");
            let scenario = scenario::find(name).expect("built in");
            let scenario = Scenario::parse(scenario.file, scenario.text, &runbook.triggers());
            Plan {
                world: WorldKind::Sim,
                scenario: Arc::new(scenario.expect("valid")),
                runbook,
                seed: 1,
                until,
            }
        };
        let deploys_at = |plan: &Plan| {
            let hurried = hurried(plan)?;
            assert_eq!(hurried.scenario.text, plan.scenario.text);
            let timing = hurried.scenario.timing;
            assert_eq!(timing.duration, plan.scenario.timing.duration);
            Some((timing.warm_up.as_secs(), timing.deploy_at.as_secs()))
        };
        let mut held = plan("latency-regression", Until::Held);
        assert_eq!(deploys_at(&held), Some((30, 40)));
        assert_eq!(
            deploys_at(&plan("latency-regression", Until::Duration)),
            None
        );
        // Its fault counts from the start.
        assert_eq!(deploys_at(&plan("alarm-at-baseline", Until::Held)), None);
        // Five minutes back there would be no load yet.
        let scenario = Arc::make_mut(&mut held.scenario);
        scenario.expect.trigger = Some("sla-throughput".to_owned());
        assert_eq!(deploys_at(&held), None);
    }
}
