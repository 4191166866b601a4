//! Applications that a file describes: 15 virtual minutes of growing numbers of services, pods and requests, without an
//! executor. The largest is what a drill must perform in less than ten seconds on one core.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use sim::time::Micros;
use sim::{Limits, WorldConfig};
use sim_services::describe::sample;
use sim_services::engine::{Services, ServicesConfig, apply};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a drill is.
const LASTS: Micros = Micros::from_secs(900);

/// Lets a sample run, and says how many requests of its clients were answered.
fn run(services: usize, pods: u32, rate_per_s: u32) -> u64 {
    let app = sample(services, pods, rate_per_s).app();
    let app = Arc::new(app.expect("the sample is right"));
    let config = WorldConfig {
        application: ServicesConfig::new(app.clone()),
        fabric: sim::fabric::FabricTimings::default(),
        cluster: sim::cluster::Timings::default(),
        prometheus: sim::observe::Config::default(),
    };
    let limits = Limits {
        until: LASTS + Micros::from_secs(1),
        ..Limits::default()
    };
    let program = |world: sim::World<Services>| async move {
        world.with(|state| apply(state, &app).expect("each object is valid"));
        world.sleep_until(LASTS).await;
        world.with(|state| {
            let seconds = state.application.seconds(LASTS).iter();
            seconds.map(|second| u64::from(second.answered)).sum()
        })
    };
    sim::run(config, 1, limits, program).expect("it ends")
}

fn services(c: &mut Criterion) {
    let mut group = c.benchmark_group("services");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(3));
    for (services, pods, rate_per_s) in [(5, 10, 200), (50, 10, 200), (50, 10, 2_000)] {
        let name = format!(
            "{services} services, {} pods, {rate_per_s}/s",
            services * pods as usize
        );
        group.throughput(Throughput::Elements(LASTS.0 / 1_000_000));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| black_box(run(services, pods, rate_per_s)));
        });
    }
    group.finish();
}

criterion_group!(benches, services);
criterion_main!(benches);
