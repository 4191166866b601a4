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
    let scenario = &plan.scenario;
    let recorder = Recorder::new(beginning(plan, app));
    let limits = Limits {
        until: Micros::from(scenario.timing.duration) + Micros::from_secs(60),
        steps: STEPS_MAX,
    };
    let services = ServicesConfig {
        clients_begin: Micros(Micros::from(scenario.timing.warm_up).0 / CLIENTS_BEGIN),
        slow_after: Micros::from(scenario.expect.p99_max),
        rate_per_s: Some(scenario.load.rate_per_s),
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

/// Evidence of a drill that is about to begin.
fn beginning(plan: &DrillPlan, app: &Described) -> Evidence {
    let triggers = &plan.runbook.runbook.triggers;
    let release = &plan.scenario.release;
    let (before, deployed) = (versions(app, &release.from), versions(app, &release.to));
    Evidence::empty(&plan.scenario)
        .with_triggers(triggers)
        .with_versions(before, deployed)
}

/// Versions of a release, by the names of their services, which are those of their workloads.
fn versions(app: &Described, release: &str) -> BTreeMap<String, String> {
    let images = app.images(release).into_iter();
    let services = app.services.iter().zip(images);
    services
        .map(|(service, image)| (service.name.clone(), version_of(image).to_owned()))
        .collect()
}

/// What shows that the release `to` serves where `from` ran before: its images where it changes any, else its
/// configuration.
fn deployed(app: &Described, from: &str, to: &str) -> Deployed {
    let images = app.services.iter().zip(app.images(to));
    let images = images.zip(app.images(from));
    let new = images.filter(|((_, image), before)| image != before);
    let config = app.releases.get(to).map(|it| &it.config);
    let config = config.into_iter().flatten().flat_map(|(map, pairs)| {
        let pairs = pairs.iter();
        pairs.map(|(key, value)| ((map.clone(), key.clone()), value.clone()))
    });
    let new_config = config.filter(|((map, key), value)| {
        configured(app, from, map, key).is_none_or(|before| before != value)
    });
    Deployed {
        namespace: app.namespace.clone(),
        images: new
            .map(|((service, image), _)| (service.app.clone(), image.to_owned()))
            .collect(),
        config: new_config.collect(),
    }
}

/// What a key of a ConfigMap is while `release` is deployed over the manifests.
fn configured<'a>(app: &'a Described, release: &str, map: &str, key: &str) -> Option<&'a str> {
    let own = app.releases.get(release).and_then(|it| it.config.get(map));
    if let Some(value) = own.and_then(|pairs| pairs.get(key)) {
        return Some(value);
    }
    let object = app.manifests.get("ConfigMap", &app.namespace, map)?;
    object.at(&["data", key]).as_str()
}

async fn drill(
    world: World<Services>,
    plan: &DrillPlan,
    app: &Described,
    recorder: Recorder,
) -> Result<(u64, u64), WorldError> {
    deployer::set_up(&world, app, &plan.scenario.release.from).await?;
    for left_out in deployer::left_out(app) {
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

#[cfg(test)]
mod tests {
    use sim_services::describe::{Bundle, File};

    use super::deployed;
    use crate::scenario::Described;

    const MANIFESTS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {mode: calm, size: '1'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: shop}
spec:
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec: {containers: [{name: web, image: 'shop/front:1.0.0'}]}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {app: front}}
";

    const APP: &str = r#"
name = "shop"
manifests = ["k8s"]

[service.front]
request = { median = "5ms", p99 = "40ms" }

[[client]]
name = "browsers"
service = "front"
rate = 50
timeout = "1s"

[release."2.0.0"]
images = { front = "shop/front:2.0.0" }
config = { settings = { mode = "wild" } }

[release."2.0.0-large"]
images = { front = "shop/front:2.0.0" }
config = { settings = { mode = "wild", size = "9" } }
"#;

    fn shop() -> Described {
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let bundle = Bundle {
            app: file("app.toml", APP),
            manifests: vec![file("k8s/all.yaml", MANIFESTS)],
        };
        bundle.app().expect("the description is right").into()
    }

    #[test]
    fn a_release_is_known_by_what_it_changes_of_the_one_before_it() {
        let app = shop();
        let over_the_manifests = deployed(&app, &app.prior, "2.0.0");
        assert_eq!(over_the_manifests.images["front"], "shop/front:2.0.0");
        // The image and the mode were there before: only the size tells the two apart.
        let over_another = deployed(&app, "2.0.0", "2.0.0-large");
        assert!(over_another.images.is_empty(), "{over_another:?}");
        let size = ("settings".to_owned(), "size".to_owned());
        assert_eq!(over_another.config, [(size, "9".to_owned())].into());
        // Back to the manifests, their image is what is new.
        let back = deployed(&app, "2.0.0", &app.prior);
        assert_eq!(back.images["front"], "shop/front:1.0.0");
    }
}
