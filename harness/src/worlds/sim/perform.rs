//! A drill in the simulated world: who carries it out, and in which world.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use sim::time::Micros;
use sim::world::{GoOn, Pace};
use sim::{Application, Limits, World};
use sim_serve::answer::Door;

use super::application::Drilled;
use super::drill::drill;
use super::exchange::Exchange;
use super::outside::{Actor, ByProgram, BySession, Looking, Opening, Played, Reach, Session, Tape};
use super::recorder::Recorder;
use super::stage::{Outside, PortDecorator};
use crate::evidence::Evidence;
use crate::scenario::{Anchor, Scenario, Subject};
use crate::worlds::common::beginning;
use crate::worlds::recording::{self, Recording};
use crate::worlds::{DrillPlan, Performed, Program, Until, WorldError, in_flight};

/// Who carries out the rollback.
enum By<'a> {
    /// Our own executor, in this process.
    Ours,
    Program(&'a Program),
    Session(&'a Arc<Session>),
    Recording(&'a Recording),
}

/// Performs a drill in the simulated world. Our own executor acts through what `decorate` makes of its ports, where the
/// exchange is drilled.
///
/// # Errors
/// [`WorldError::SetUp`] if the world's beginnings failed, or a recording can't be written.
pub fn perform(plan: &DrillPlan, decorate: &PortDecorator) -> Result<Performed, WorldError> {
    match &plan.scenario.application {
        Subject::Exchange => perform_of(&Exchange::default(), plan, decorate),
        Subject::Described(app) => perform_of(app, plan, &|_, ports| ports),
        Subject::InRust(app) => Err(WorldError::SetUp(format!(
            "`{}` is implemented in Rust, and the program that implements it performs its drills (`drill::run_of`)",
            app.name
        ))),
    }
}

/// Performs a drill of `drilled` in the simulated world, as [`perform`] does of the exchange and of an application that
/// the plan's scenario describes.
///
/// # Errors
/// As [`perform`].
pub fn perform_of<D: Drilled>(
    drilled: &D,
    plan: &DrillPlan,
    decorate: &PortDecorator<D::Application>,
) -> Result<Performed, WorldError> {
    let watch_until = plan.scenario.timing.duration;
    let Some(program) = plan.executor.as_deref() else {
        return perform_by(drilled, plan, decorate, &By::Ours, None, watch_until);
    };
    let tape = program.record.as_ref().map(|_| Tape::default());
    let by = By::Program(program);
    let performed = perform_by(drilled, plan, decorate, &by, tape.clone(), watch_until)?;
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
        &Exchange::default(),
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
    perform_by(
        &Exchange::default(),
        &plan,
        &|_, ports| ports,
        &by,
        None,
        watch_until,
    )
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
    let exchange = &Exchange::default();
    let opening = session.opening(exchange.namespace());
    let (_network, mut pace, door, reach) = Reach::open(&opening)?;
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
    let config = config(exchange, scenario);
    let served = sim::world::run_at(&mut pace, config, seed, limits, |world: World<_>| {
        let actor = &actor;
        async move {
            let witness = Looking {
                recorder,
                tape: None,
            };
            let by_hand = async {
                exchange.set_up(&world, scenario).await?;
                world.sleep_until(warm_up).await;
                let served = actor.serve_healthy(&world, &scenario.release.from).await;
                served.map_err(|error| WorldError::SetUp(format!("the evidence: {error}")))
            };
            let store = exchange.operations();
            let serving = sim_serve::serve(world.clone(), door, seed, store, &witness);
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
fn perform_by<D: Drilled>(
    drilled: &D,
    plan: &DrillPlan,
    decorate: &PortDecorator<D::Application>,
    by: &By<'_>,
    tape: Option<Tape>,
    watch_until: Duration,
) -> Result<Performed, WorldError> {
    let plan = DrillPlan {
        until: drilled.ends(plan.until),
        ..plan.clone()
    };
    let plan = &hurried(&plan).unwrap_or(plan);
    let recorder = Recorder::new(beginning(plan, |release| drilled.versions(release)));
    let limits = Limits {
        until: Micros::from(plan.scenario.timing.duration) + Micros::from_secs(60),
        steps: match by {
            // It takes as long as a person takes.
            By::Session(_) => u64::MAX,
            _ => D::EVENTS_MAX,
        },
    };
    let config = || config(drilled, &plan.scenario);
    let whole = |world: World<D::Application>, outside| {
        let clock = world.clone();
        let now = move || Duration::from_millis(clock.now().as_millis());
        let drill = drill(drilled, world, plan, decorate, recorder.clone(), outside);
        in_flight::until_abandoned(&plan.scenario, drill, now)
    };
    let witness = Looking {
        recorder: recorder.clone(),
        tape: tape.clone(),
    };
    let played = tape.clone().unwrap_or_default();
    let served = |pace: &mut dyn Pace, door: Door, actor: Arc<dyn Actor<D::Application>>| {
        recorder.lock().evidence.executor.is_program = true;
        let outside = Outside {
            actor,
            tape,
            watch_until,
        };
        let witness = &witness;
        sim::world::run_at(pace, config(), plan.seed, limits, |world: World<_>| {
            let drill = whole(world.clone(), Some(outside));
            async move {
                let store = drilled.operations();
                let serving = sim_serve::serve(world, door, plan.seed, store, witness);
                match select(Box::pin(drill), Box::pin(serving)).await {
                    Either::Left((ended, _)) => ended,
                    Either::Right(((), _)) => unreachable!("it serves for ever"),
                }
            }
        })
    };
    let performed = match by {
        By::Ours => sim::run(config(), plan.seed, limits, |world| whole(world, None)),
        By::Program(program) => {
            let opening = Opening::to_a_program(program, drilled.namespace());
            let (_network, mut pace, door, reach) = Reach::open(&opening)?;
            let actor = ByProgram {
                reach,
                command: program.command.clone(),
                patience: program.patience,
            };
            served(&mut pace, door, Arc::new(actor))
        }
        By::Session(session) => {
            let (_network, mut pace, door, reach) =
                Reach::open(&session.opening(drilled.namespace()))?;
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

/// A world with `drilled` in it, as `scenario` has it scraped. Its kubelet is set up as that of the cluster on which
/// drills are performed for real.
fn config<D: Drilled>(
    drilled: &D,
    scenario: &Scenario,
) -> sim::WorldConfig<<D::Application as Application>::Config> {
    let mut config = sim::WorldConfig {
        application: drilled.config(scenario),
        fabric: sim::fabric::FabricTimings::default(),
        cluster: sim::cluster::Timings {
            sync_frequency: sim_exchange::SYNC_FREQUENCY,
            ..sim::cluster::Timings::default()
        },
        prometheus: sim::observe::Config::default(),
    };
    let interval = Micros::from(scenario.timing.scrape_interval);
    D::JOB.clone_into(&mut config.prometheus.job);
    config.prometheus.interval = interval;
    config.prometheus.timeout = config.prometheus.timeout.min(interval);
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario;
    use crate::worlds::WorldKind;

    #[test]
    fn pods_are_scraped_under_a_job_of_the_prometheus_that_is_deployed() {
        fn is_a_job<D: Drilled>() -> bool {
            let deployed = include_str!("../../../../deploy/prometheus.yaml");
            let job = format!("- job_name: {}", D::JOB);
            deployed.lines().any(|line| line.trim() == job)
        }
        assert!(is_a_job::<crate::worlds::sim::exchange::Exchange>());
        assert!(is_a_job::<crate::scenario::Described>());
        assert_ne!(
            <crate::worlds::sim::exchange::Exchange as Drilled>::JOB,
            <crate::scenario::Described as Drilled>::JOB
        );
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
