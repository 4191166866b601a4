//! Requests through the whole world.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ListParams, PostParams};

use crate::application::{Plain, PlainConfig};
use crate::fabric::FabricTimings;
use crate::measured::{Distribution, Measured};
use crate::time::Micros;
use crate::{Limits, World, WorldConfig, run};

const GET: Micros = Micros(2_000);
const LIST: Micros = Micros(3_000);
const POST: Micros = Micros(4_000);

async fn took<T>(world: &World<Plain>, request: impl Future<Output = kube::Result<T>>) -> Micros {
    let begun = world.now();
    request.await.expect("it succeeds");
    world.now() - begun
}

#[test]
fn a_list_takes_longer_by_its_wait_for_the_watch_cache_and_nothing_else_does() {
    let fixed = |us: Micros| Distribution::fixed(us.0);
    let config = WorldConfig {
        fabric: FabricTimings {
            get: fixed(GET),
            list: fixed(LIST),
            post: fixed(POST),
            ..FabricTimings::default()
        },
        ..WorldConfig::<PlainConfig>::default()
    };
    let measured = &Measured::built_in().api;
    let period = Micros(measured.progress.distribution.median());
    let (least, most) = measured.notice.distribution.ends();
    run(
        config,
        1,
        Limits::default(),
        |world: World<Plain>| async move {
            let client = kube::Client::new(world.kube("test"), "default");
            let pods = Api::<Pod>::default_namespaced(client.clone());
            let maps = Api::<ConfigMap>::default_namespaced(client);
            let all = ListParams::default().labels("app=gateway");
            let any = all.clone().match_any();
            for name in ["a", "b"] {
                let mut map = ConfigMap::default();
                map.metadata.name = Some(name.to_owned());
                assert_eq!(
                    took(&world, maps.create(&PostParams::default(), &map)).await,
                    POST
                );
                assert_eq!(took(&world, maps.get(name)).await, GET);
                assert_eq!(took(&world, pods.list(&any)).await, LIST);
                let waited = took(&world, pods.list(&all)).await - LIST;
                // The second time the store was asked before these requests.
                let rest = match name {
                    "a" => Micros::ZERO,
                    _ => period - POST - GET - LIST - LIST,
                };
                assert!(waited <= rest + Micros(most), "{name}: {waited}");
                assert!(
                    waited + Micros(most) >= rest + Micros(least),
                    "{name}: {waited}"
                );
            }
        },
    )
    .expect("it ends");
}
