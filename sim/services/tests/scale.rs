//! An application of many services and pods, in a whole simulated cluster.

use std::sync::Arc;

use sim::cluster::{Kind, NODE_PODS};
use sim::time::Micros;
use sim::{Limits, WorldConfig};
use sim_services::describe::sample;
use sim_services::engine::{Second, Services, ServicesConfig, apply};

/// What the clients of a sample saw second by second up to `until`, and the world's fingerprint.
fn run(services: usize, pods: u32, rate_per_s: u32, until: Micros) -> (Vec<Second>, u64) {
    let app = Arc::new(
        sample(services, pods, rate_per_s)
            .app()
            .expect("it is right"),
    );
    let config = WorldConfig {
        application: ServicesConfig::new(app.clone()),
        fabric: sim::fabric::FabricTimings::default(),
        cluster: sim::cluster::Timings::default(),
        prometheus: sim::observe::Config::default(),
    };
    let limits = Limits {
        until: until + Micros::from_secs(1),
        ..Limits::default()
    };
    let program = |world: sim::World<Services>| async move {
        world.with(|state| apply(state, &app).expect("each object is valid"));
        world.sleep_until(until).await;
        world.with(|state| {
            let all = state.cluster.objects(Kind::Pod, &app.namespace);
            let ready = all.filter(|pod| {
                let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
                let mut conditions = conditions.into_iter();
                conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
            });
            assert_eq!(
                ready.count(),
                services * pods as usize,
                "pods that are ready"
            );
            let seconds = state.application.seconds(until).to_vec();
            (seconds, state.fingerprint())
        })
    };
    sim::run(config, 1, limits, program).expect("it ends")
}

#[test]
fn five_hundred_pods_have_room_become_ready_and_answer_everything() {
    let (seconds, _) = run(50, 10, 2_000, Micros::from_secs(75));
    assert_eq!(seconds.iter().map(|it| it.errors).sum::<u32>(), 0);
    let answered: u32 = seconds.iter().map(|it| it.answered).sum();
    assert!((29_000..31_000).contains(&answered), "{answered}");
}

#[test]
fn pods_on_several_nodes_are_the_same_in_each_run_of_a_seed() {
    let (seconds, fingerprint) = run(12, 12, 50, Micros::from_secs(70));
    assert_eq!(
        run(12, 12, 50, Micros::from_secs(70)),
        (seconds, fingerprint)
    );
}

#[test]
fn there_are_as_many_nodes_as_twice_the_pods_need() {
    let nodes = |services, pods| {
        sample(services, pods, 1)
            .app()
            .expect("it is right")
            .nodes()
    };
    assert_eq!(nodes(1, 1), 1);
    assert_eq!(nodes(1, NODE_PODS / 2), 1);
    assert_eq!(nodes(1, NODE_PODS / 2 + 1), 2);
    assert_eq!(nodes(50, 10), 10);
}
