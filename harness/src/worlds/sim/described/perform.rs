//! The drill from its beginning to the evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{Either, join, select};
use sim::time::Micros;
use sim::{Limits, World};
use sim_services::describe::version_of;
use sim_services::engine::{Services, ServicesConfig};

use super::deployer;
use super::looks::{keep_looking, take};
use super::stage::AppStage;
use crate::evidence::Evidence;
use crate::scenario::{Anchor, Described};
use crate::worlds::common::acts::act;
use crate::worlds::common::told_by_clients;
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
    if plan.executor.is_some() {
        return Err(WorldError::SetUp(
            "an application of your own is drilled by the built-in executor so far: leave `--executor` out".to_owned(),
        ));
    }
    let scenario = &plan.scenario;
    let recorder = Recorder::new(beginning(plan, app));
    let limits = Limits {
        until: Micros::from(scenario.timing.duration) + Micros::from_secs(60),
        steps: STEPS_MAX,
    };
    let services = ServicesConfig {
        app: app.app(),
        clients_begin: Micros(Micros::from(scenario.timing.warm_up).0 / CLIENTS_BEGIN),
        slow_after: Micros::from(scenario.expect.p99_max),
        rate_per_s: Some(scenario.load.rate_per_s),
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
    Ok(recorder.performed(beginning(plan, app), fingerprint, executor_requests))
}

/// Evidence of a drill that is about to begin.
fn beginning(plan: &DrillPlan, app: &Described) -> Evidence {
    let triggers = &plan.runbook.runbook.triggers;
    let mut evidence = Evidence::empty(&plan.scenario).with_triggers(triggers);
    evidence.versions_before = versions(app, &plan.scenario.release.from);
    evidence.versions_deployed = versions(app, &plan.scenario.release.to);
    evidence
}

/// Versions of a release, by the label of their services' pods.
fn versions(app: &Described, release: &str) -> BTreeMap<String, String> {
    let images = app.images(release).into_iter();
    let services = app.services.iter().zip(images);
    services
        .map(|(service, image)| (service.app.clone(), version_of(image).to_owned()))
        .collect()
}

/// What shows that the release called `release` serves: its images where it changes any, else its configuration.
fn deployed(app: &Described, release: &str) -> Deployed {
    let images = app.services.iter().zip(app.images(release));
    let images = images.zip(app.images(&app.prior));
    let new = images.filter(|((_, image), prior)| image != prior);
    let config = app.releases.get(release).map(|it| &it.config);
    let config = config.into_iter().flatten().flat_map(|(map, pairs)| {
        let pairs = pairs.iter();
        pairs.map(|(key, value)| ((map.clone(), key.clone()), value.clone()))
    });
    Deployed {
        namespace: app.namespace.clone(),
        images: new
            .map(|((service, image), _)| (service.app.clone(), image.to_owned()))
            .collect(),
        config: config.collect(),
    }
}

async fn drill(
    world: World<Services>,
    plan: &DrillPlan,
    app: &Described,
    recorder: Recorder,
) -> Result<(u64, u64), WorldError> {
    deployer::set_up(&world, app, &plan.scenario.release.from).await?;
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
    let deployed = deployed(app, &plan.scenario.release.to);
    // Neither the injector nor the watch ever completes.
    let beside = join(
        Box::pin(injector.run(later)),
        Box::pin(serving::keep_watching(&world, &recorder, &deployed)),
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
