//! The drill from its beginning to the evidence.

use std::time::Duration;

use futures::future::{Either, join, select};
use sim::time::Micros;
use sim::{Limits, World};
use sim_services::engine::{Services, ServicesConfig};

use super::deployer;
use super::looks::{keep_looking, take};
use super::stage::AppStage;
use crate::scenario::{Anchor, Described};
use crate::worlds::common::acts::act;
use crate::worlds::common::{described, told_by_clients};
use crate::worlds::sim::faults::Injector;
use crate::worlds::sim::perform::config_of;
use crate::worlds::sim::recorder::{Recorder, Settling};
use crate::worlds::sim::serving::{self, Deployed};
use crate::worlds::{DrillPlan, Performed, WorldError, in_flight};

/// Which part of the warm-up passes before the clients begin: until then, pods are pulled and started.
const CLIENTS_BEGIN: u64 = 3;
/// Events after which a drill is a livelock.
const STEPS_MAX: u64 = 50_000_000;

/// Performs a drill of `app`.
pub(in crate::worlds::sim) fn perform(
    plan: &DrillPlan,
    app: &Described,
) -> Result<Performed, WorldError> {
    let scenario = &plan.scenario;
    let recorder = Recorder::new(described::beginning(plan, app));
    let limits = Limits {
        until: Micros::from(scenario.timing.duration) + Micros::from_secs(60),
        steps: STEPS_MAX,
    };
    let services = ServicesConfig {
        clients_begin: Micros(Micros::from(scenario.timing.warm_up).0 / CLIENTS_BEGIN),
        slow_after: Micros::from(scenario.expect.p99_max),
        rate_per_s: described::rate_said(app, scenario),
        ..ServicesConfig::new(app.app())
    };
    let inside = recorder.clone();
    let performed = sim::run(
        config_of(services, scenario),
        plan.seed,
        limits,
        |world: World<Services>| {
            let clock = world.clone();
            let now = move || Duration::from_millis(clock.now().as_millis());
            in_flight::until_abandoned(scenario, drill(world, plan, app, inside), now)
        },
    );
    let (fingerprint, executor_requests) = match performed {
        Ok(ended) => ended?,
        Err(halt) => recorder.world_stopped(halt),
    };
    Ok(recorder.performed(scenario, fingerprint, executor_requests))
}

/// What shows that the release `to` serves where `from` ran before: its images where it changes any, else its
/// configuration.
fn deployed(app: &Described, from: &str, to: &str) -> Deployed {
    let new = described::new(app, from, to);
    Deployed {
        namespace: app.namespace.clone(),
        images: new.images,
        config: new.config,
    }
}

async fn drill(
    world: World<Services>,
    plan: &DrillPlan,
    app: &Described,
    recorder: Recorder,
) -> Result<(u64, u64), WorldError> {
    deployer::set_up(&world, app, &plan.scenario.release.from).await?;
    let told = described::left_out(app);
    for left_out in told.into_iter().chain(deployer::not_applied(app)) {
        recorder.tell(world.now(), "harness", "", left_out);
    }
    if let Some(nothing) = plan.runbook.selects_nothing(app) {
        recorder.tell(world.now(), "harness", "", nothing.to_string());
    }
    let end = Micros::from(plan.scenario.timing.duration);
    let (injector, later) =
        Injector::of_described(&world, &recorder, &plan.scenario, app, plan.seed);
    injector.reached(&Anchor::Start);
    let stage = AppStage::new(&world, plan, app, &recorder, &injector);
    let acts = async {
        let ended = select(Box::pin(act(&stage)), world.sleep_until(end));
        let by_themselves = matches!(ended.await, Either::Left(_));
        recorder.acts_are_over(by_themselves);
    };
    let drilled = join(
        Box::pin(acts),
        Box::pin(keep_looking(&world, plan, app, &recorder, end)),
    );
    let release = &plan.scenario.release;
    let deployed = deployed(app, &release.from, &release.to);
    let deploys = Micros::from(plan.scenario.timing.deploy_at);
    // Neither the injector nor the watch ever completes.
    let beside = join(
        Box::pin(injector.run(later)),
        Box::pin(serving::keep_watching(
            &world, &recorder, &deployed, deploys,
        )),
    );
    select(Box::pin(drilled), Box::pin(beside)).await;
    injector.finish();
    let mut notes = recorder.lock();
    if notes.settling != Settling::Settled {
        let end_ms = world.now().as_millis();
        take(&world, app, &mut notes.evidence, end_ms);
    }
    let told = told_by_clients(&notes.evidence);
    notes.timeline.extend(told);
    Ok(notes.sealed(&world))
}
