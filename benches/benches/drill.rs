//! Whole drills: 15 virtual minutes at 200 requests a second, every request matched and settled; and the same drills
//! ended as soon as nothing can change their judgement.
//!
//! `elements` are the virtual seconds, so criterion's throughput is virtual seconds per wall second on
//! one core; 20 drills a second are 18,000 virtual seconds.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use firedrill::worlds::{DrillPlan, Until};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn whole_drills(c: &mut Criterion) {
    let mut group = c.benchmark_group("drill");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(8))
        .throughput(Throughput::Elements(900));
    for scenario in [
        "latency-regression",
        "balance-anomaly",
        "breaking-migration",
    ] {
        for (word, until) in [("whole", Until::Duration), ("settled", Until::Settled)] {
            let mut seed = 0;
            group.bench_function(BenchmarkId::new(scenario, word), |b| {
                b.iter(|| {
                    seed += 1;
                    let plan = DrillPlan {
                        until,
                        ..benches::plan(scenario, seed)
                    };
                    black_box(firedrill::drill::run(&plan).expect("the simulated world builds"))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, whole_drills);
criterion_main!(benches);
