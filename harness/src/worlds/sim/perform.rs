//! A drill in the simulated world, from its beginning to the evidence.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join, join3, select};
use sim::Limits;
use sim::time::Micros;
use sim::world::{GoOn, Pace};
use sim_exchange::ExchangeConfig;
use sim_exchange::{World, WorldConfig};
use sim_serve::answer::Door;

use super::faults::Injector;
use super::outside::{
    Actor, ByProgram, BySession, Ledger, Looking, Opening, Played, Reach, Session, Tape,
};
use super::recorder::{Recorder, Settling};
use super::serving::Deployed;
use super::stage::{Outside, PortDecorator, SimStage};
use super::{described, harvest, objects, probe, serving};
use crate::evidence::{Evidence, Ms};
use crate::oracles::recovery;
use crate::scenario::{Anchor, Scenario};
use crate::worlds::common::acts::act;
use crate::worlds::common::{beginning, bursts, told_by_clients};
use crate::worlds::recording::{self, Recording};
use crate::worlds::{DrillPlan, Performed, Program, Until, WorldError, in_flight};

/// Events after which a drill is a livelock; a drill of 15 minutes takes some 100,000.
const STEPS_MAX: u64 = 5_000_000;
/// How often it is looked whether what recovered has held, at least.
const RECHECK: Micros = Micros::from_secs(30);
/// So long after the objective, nobody can have recovered in time any more.
const LATE: Micros = Micros::from_secs(30);

/// Who carries out the rollback.
enum By<'a> {
    /// Our own executor, in this process.
    Ours,
    Program(&'a Program),
    Session(&'a Arc<Session>),
    Recording(&'a Recording),
}

/// Performs a drill in the simulated world.
///
/// # Errors
/// [`WorldError::SetUp`] if the world's beginnings failed, or a recording can't be written.
pub fn perform(plan: &DrillPlan, decorate: &PortDecorator) -> Result<Performed, WorldError> {
    if let Some(app) = &plan.scenario.application {
        return described::perform(plan, app);
    }
    let watch_until = plan.scenario.timing.duration;
    let Some(program) = plan.executor.as_deref() else {
        return perform_by(plan, decorate, &By::Ours, None, watch_until);
    };
    let tape = program.record.as_ref().map(|_| Tape::default());
    let by = By::Program(program);
    let performed = perform_by(plan, decorate, &by, tape.clone(), watch_until)?;
    if let (Some(record), Some(tape)) = (&program.record, tape) {
        let recorded = recorded(plan, program, &tape, performed.fingerprint);
        record
            .write(plan, &recorded)
            .map_err(|why| WorldError::SetUp(format!("the recording: {why}")))?;
    }
    Ok(performed)
}

/// What `tape` holds of a drill of `plan` by `program`.
fn recorded(plan: &DrillPlan, program: &Program, tape: &Tape, fingerprint: u64) -> Recording {
    Recording {
        head: recording::Head {
            schema: recording::SCHEMA.to_owned(),
            token: plan.token_of(fingerprint),
            command: program.command.clone(),
            pace: program.pace,
        },
        lines: tape.take(),
        fingerprint,
    }
}

/// Performs a drill with what `recording` holds of its program: the same requests at the same instants, and without
/// the program. The second one is the recording that is made of it, whose difference to the first says whether the
/// world did the same.
///
/// # Errors
/// As [`perform`].
pub fn play(plan: &DrillPlan, recording: &Recording) -> Result<(Performed, Recording), WorldError> {
    let tape = Tape::default();
    let by = By::Recording(recording);
    let watch_until = plan.scenario.timing.duration;
    let performed = perform_by(
        plan,
        &|_, ports| ports,
        &by,
        Some(tape.clone()),
        watch_until,
    )?;
    let played = Recording {
        head: recording.head.clone(),
        lines: tape.take(),
        fingerprint: performed.fingerprint,
    };
    Ok((performed, played))
}

/// Performs a drill in which somebody works by hand, from the trigger on, or where none fires, from the scenario's end
/// on. It goes on until the session is over, and then until what recovered has held.
///
/// # Errors
/// As [`perform`].
pub fn serve(plan: &DrillPlan, session: &Arc<Session>) -> Result<Performed, WorldError> {
    let mut scenario = Scenario::clone(&plan.scenario);
    scenario.timing.duration += session.longest + scenario.expect.rto_max;
    let watch_until = plan.scenario.timing.duration;
    let plan = DrillPlan {
        scenario: Arc::new(scenario),
        until: Until::Held,
        ..plan.clone()
    };
    let by = By::Session(session);
    perform_by(&plan, &|_, ports| ports, &by, None, watch_until)
}

/// Serves the world of `scenario` with its prior release, under its load: nothing is deployed, and nothing is judged.
///
/// # Errors
/// As [`perform`].
pub fn serve_healthy(
    scenario: &Scenario,
    seed: u64,
    session: &Arc<Session>,
) -> Result<(), WorldError> {
    let (_network, mut pace, door, reach) = Reach::open(&session.opening())?;
    let actor = BySession {
        reach,
        session: Arc::clone(session),
    };
    let warm_up = Micros::from(scenario.timing.warm_up);
    let limits = Limits {
        until: warm_up + Micros::from(session.longest) + Micros::from_secs(60),
        steps: u64::MAX,
    };
    let recorder = Recorder::new(Evidence::empty(scenario));
    let served = sim::world::run_at(&mut pace, config(scenario), seed, limits, |world: World| {
        let actor = &actor;
        async move {
            let witness = Looking {
                recorder,
                tape: None,
            };
            let by_hand = async {
                objects::create(&world, scenario).await?;
                world.sleep_until(warm_up).await;
                let served = actor.serve_healthy(&world, &scenario.release.from).await;
                served.map_err(|error| WorldError::SetUp(format!("the evidence: {error}")))
            };
            let serving = sim_serve::serve(world.clone(), door, seed, &Ledger, &witness);
            match select(Box::pin(by_hand), Box::pin(serving)).await {
                Either::Left((ended, _)) => ended,
                Either::Right(((), _)) => unreachable!("it serves for ever"),
            }
        }
    });
    served.map_err(|halt| WorldError::SetUp(format!("the world stopped: {halt}")))?
}

/// The drill, and what goes on `tape` of it. Whoever acts without a trigger begins at `watch_until`, when the drill
/// would have ended.
fn perform_by(
    plan: &DrillPlan,
    decorate: &PortDecorator,
    by: &By<'_>,
    tape: Option<Tape>,
    watch_until: Duration,
) -> Result<Performed, WorldError> {
    let hurried = hurried(plan);
    let plan = hurried.as_ref().unwrap_or(plan);
    let recorder = Recorder::new(beginning(plan));
    let limits = Limits {
        until: Micros::from(plan.scenario.timing.duration) + Micros::from_secs(60),
        steps: match by {
            // It takes as long as a person takes.
            By::Session(_) => u64::MAX,
            _ => STEPS_MAX,
        },
    };
    let whole = |world: World, outside| {
        let clock = world.clone();
        let now = move || Duration::from_millis(clock.now().as_millis());
        let drill = drill(world, plan, decorate, recorder.clone(), outside);
        in_flight::until_abandoned(&plan.scenario, drill, now)
    };
    let witness = Looking {
        recorder: recorder.clone(),
        tape: tape.clone(),
    };
    let played = tape.clone().unwrap_or_default();
    let served = |pace: &mut dyn Pace, door: Door, actor: Arc<dyn Actor>| {
        recorder.lock().evidence.executor.is_program = true;
        let outside = Outside {
            actor,
            tape,
            watch_until,
        };
        let (config, witness) = (config(&plan.scenario), &witness);
        sim::world::run_at(pace, config, plan.seed, limits, |world: World| {
            let drill = whole(world.clone(), Some(outside));
            async move {
                let serving = sim_serve::serve(world, door, plan.seed, &Ledger, witness);
                match select(Box::pin(drill), Box::pin(serving)).await {
                    Either::Left((ended, _)) => ended,
                    Either::Right(((), _)) => unreachable!("it serves for ever"),
                }
            }
        })
    };
    let performed = match by {
        By::Ours => {
            let config = config(&plan.scenario);
            sim_exchange::run(config, plan.seed, limits, |world| whole(world, None))
        }
        By::Program(program) => {
            let opening = Opening::to_a_program(program);
            let (_network, mut pace, door, reach) = Reach::open(&opening)?;
            let actor = ByProgram {
                reach,
                command: program.command.clone(),
                patience: program.patience,
            };
            served(&mut pace, door, Arc::new(actor))
        }
        By::Session(session) => {
            let (_network, mut pace, door, reach) = Reach::open(&session.opening())?;
            let session = Arc::clone(session);
            served(&mut pace, door, Arc::new(BySession { reach, session }))
        }
        By::Recording(recording) => {
            let (actor, door) = Played::new(recording, played);
            served(&mut GoOn, door, actor)
        }
    };
    let (fingerprint, executor_requests) = match performed {
        Ok(ended) => ended?,
        Err(halt) => recorder.world_stopped(halt),
    };
    Ok(recorder.performed(&plan.scenario, fingerprint, executor_requests))
}

/// How far the query of a hurried drill's trigger may look back: clients begin 30 s before its deployment.
const LOOKS_BACK_MAX: Duration = Duration::from_secs(30);

/// The plan with a shorter time before the deployment, where the drill ends early too ([`Until::Held`]) and nothing
/// needs that time: no fault counts from the start, and the query of the trigger that must fire does not look further
/// back than to the baseline.
fn hurried(plan: &DrillPlan) -> Option<DrillPlan> {
    let scenario = &plan.scenario;
    let looks_back = |trigger: &executor::runbook::Trigger| {
        Some(&trigger.name) == scenario.expect.trigger.as_ref()
            && trigger.looks_back() > LOOKS_BACK_MAX
    };
    if plan.until != Until::Held
        || scenario.faults.iter().any(|f| f.when == Anchor::Start)
        || plan.runbook.runbook.triggers.iter().any(looks_back)
    {
        return None;
    }
    let mut scenario = Scenario::clone(scenario);
    scenario.timing = scenario.timing.hurried();
    Some(DrillPlan {
        scenario: Arc::new(scenario),
        ..plan.clone()
    })
}

fn config(scenario: &Scenario) -> WorldConfig {
    let mut exchange = ExchangeConfig::default();
    exchange.load.rate_per_s = u64::from(scenario.load.rate_per_s);
    exchange.load.accounts = scenario.load.accounts;
    exchange.load.markets = u16::try_from(scenario.load.markets).unwrap_or(u16::MAX);
    exchange.load.bursts = bursts(&scenario.load);
    exchange.ledger_base_bytes = u64::from(scenario.ledger.more_mb) * 1_000_000;
    exchange.ledger_base_rows = u64::from(scenario.ledger.more_rows);
    config_of(exchange, scenario)
}

/// A world with `application` in it, as `scenario` has it scraped. Its kubelet is set up as that of the cluster on
/// which drills are performed for real.
pub(super) fn config_of<C>(application: C, scenario: &Scenario) -> sim::WorldConfig<C> {
    let mut config = sim::WorldConfig {
        application,
        fabric: sim::fabric::FabricTimings::default(),
        cluster: sim::cluster::Timings {
            sync_frequency: sim_exchange::SYNC_FREQUENCY,
            ..sim::cluster::Timings::default()
        },
        prometheus: sim::observe::Config::default(),
    };
    let interval = Micros::from(scenario.timing.scrape_interval);
    config.prometheus.interval = interval;
    config.prometheus.timeout = config.prometheus.timeout.min(interval);
    config
}

/// The whole drill; the fingerprint, and how many requests the executor made from the trigger on.
async fn drill(
    world: World,
    plan: &DrillPlan,
    decorate: &PortDecorator,
    recorder: Recorder,
    outside: Option<Outside>,
) -> Result<(u64, u64), WorldError> {
    objects::create(&world, &plan.scenario).await?;
    let (injector, later) = Injector::new(&world, &recorder, &plan.scenario, plan.seed);
    injector.reached(&Anchor::Start);
    let end = Micros::from(plan.scenario.timing.duration);
    let stage = SimStage::new(&world, plan, decorate, &recorder, &injector, outside);
    let act = select(Box::pin(act(&stage)), world.sleep_until(end));
    let act = async {
        let by_themselves = matches!(act.await, Either::Left(_));
        recorder.acts_are_over(by_themselves);
        // Where the looks find out when it ends, the last of them is its end.
        if plan.until != Until::Settled {
            let ends = ending(&world, plan, &recorder, end).await;
            world.sleep_until(ends).await;
        }
    };
    let look_on = probe::keep_looking(&world, plan, &recorder, &injector, end);
    let act = join(act, look_on);
    // The injector never completes.
    let count = probe::count_ready(&world, &recorder, &injector);
    let deployed = Deployed::of(&plan.scenario);
    let deploys = Micros::from(plan.scenario.timing.deploy_at);
    let watch = serving::keep_watching(&world, &recorder, &deployed, deploys);
    let inject = join3(injector.run(later), count, watch);
    select(Box::pin(act), Box::pin(inject)).await;
    injector.finish();
    let mut notes = recorder.lock();
    let end_ms = notes.end.unwrap_or(end).as_millis();
    let deployed = notes.deployed.take();
    if notes.settling != Settling::Settled {
        let evidence = &mut notes.evidence;
        harvest::take(&world, plan, evidence, deployed.as_ref(), end_ms);
    }
    let told = told_by_clients(&notes.evidence);
    notes.timeline.extend(told);
    Ok(notes.sealed(&world))
}

/// When the drill ends, awaited until that is known: at `end`, or as [`Until::Held`] says.
async fn ending(world: &World, plan: &DrillPlan, recorder: &Recorder, end: Micros) -> Micros {
    if plan.until != Until::Held {
        return end;
    }
    let hold = Micros::from(plan.scenario.timing.hold);
    loop {
        let now = world.now();
        let mut evidence = recorder.lock().evidence.clone();
        evidence.seconds = harvest::seconds(world, plan, now.as_millis());
        // Nothing to recover from: whether anything fires is what the whole duration is for.
        let Some(trigger) = evidence.executor.trigger.as_ref().map(|t| t.at_ms) else {
            return end;
        };
        let recovered = recovery::recovered_ms(&evidence);
        let late = Micros::from_millis(trigger) + Micros::from(plan.scenario.expect.rto_max) + LATE;
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

/// When a fault last began, or its effect ended: what comes of it must have its time, too.
pub(super) fn last_fault_ms(evidence: &Evidence) -> Ms {
    let instants = evidence
        .faults
        .iter()
        .flat_map(|f| [f.began_ms, f.effect_ended_ms()]);
    instants.flatten().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario;
    use crate::worlds::WorldKind;

    #[test]
    fn what_a_fault_held_up_is_awaited_after_its_end() {
        let runbook = LoadedRunbook::built_in().expect("valid");
        let text = "name = \"mine\"\n[release]\nto = \"1.5.1-double-credit\"\n\
            [[faults]]\nkind = \"KIND\"\nwhen = \"trigger\"\nLASTSdelay = \"9m\"\n\
            [expect]\ntrigger = \"data-balance-anomaly\"\npath = \"restore\"\n";
        let last = |kind: &str, lasts: &str| {
            let text = text.replace("KIND", kind).replace("LASTS", lasts);
            let scenario = Scenario::parse("mine.toml", &text, &runbook.triggers()).expect("valid");
            let mut evidence = Evidence::empty(&scenario);
            evidence.faults[0].began_ms = Some(100_000);
            let began = last_fault_ms(&evidence);
            evidence.faults[0].ended_ms = Some(130_000);
            (began, last_fault_ms(&evidence))
        };
        let lasts = "lasts = \"30s\"\n";
        assert_eq!(last("flag-missed", lasts), (100_000, 670_000));
        // Its executor says itself when it is done.
        assert_eq!(last("executor-killed", ""), (100_000, 130_000));
    }

    #[test]
    fn only_a_drill_that_ends_early_and_misses_nothing_deploys_sooner() {
        let plan = |name: &str, until| {
            let runbook = LoadedRunbook::built_in().expect("valid");
            let scenario = scenario::find(name).expect("built in");
            let scenario = Scenario::parse(scenario.file, scenario.text, &runbook.triggers());
            DrillPlan {
                world: WorldKind::Sim,
                scenario: Arc::new(scenario.expect("valid")),
                runbook,
                seed: 1,
                until,
                executor: None,
            }
        };
        let deploys_at = |plan: &DrillPlan| {
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
