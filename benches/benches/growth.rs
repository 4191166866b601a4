//! How the cost grows with requests, pods, services and faults. Criterion's throughput is how many of them a second:
//! it must stay about the same from line to line, or rise where a fixed cost is spread over more.

use std::hint::black_box;
use std::time::Duration;

use benches::growth::Direction;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn growth(c: &mut Criterion) {
    let counts: [(Direction, &[u64]); 5] = [
        (
            Direction::Requests,
            &[10_000, 100_000, 1_000_000, 10_000_000],
        ),
        (Direction::RequestsOfADrill, &[9_000, 90_000, 900_000]),
        (Direction::Pods, &[10, 100, 1_000]),
        (Direction::Services, &[3, 30, 300]),
        (Direction::Faults, &[1, 10, 100]),
    ];
    for (direction, counts) in counts {
        let mut group = c.benchmark_group(direction.as_str());
        group
            .sample_size(10)
            .sampling_mode(SamplingMode::Flat)
            .warm_up_time(Duration::from_millis(1))
            .measurement_time(Duration::from_secs(3));
        for &count in counts {
            group.throughput(Throughput::Elements(count));
            group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, &count| {
                b.iter(|| black_box(direction.work(count)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, growth);
criterion_main!(benches);
