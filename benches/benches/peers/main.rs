//! The same messages on other simulators, side by side with ours: see `benches::pattern` and `benches/README.md`.
//!
//! madsim is simulated only where everything is built with `--cfg madsim`:
//!
//! ```sh
//! RUSTFLAGS="--cfg madsim" cargo bench -p benches --bench peers
//! ```

mod heap;
#[cfg(madsim)]
mod madsim;
mod paused;
mod turmoil;

use std::hint::black_box;
use std::time::Duration;

use benches::pattern::{Made, Pattern, REQUESTS, ours};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 1;

fn peers(c: &mut Criterion) {
    let pattern = Pattern::of(REQUESTS, SEED);
    let requests = pattern.commands.len() as u64;
    println!("{requests} requests, {:?}", pattern.made);
    let mut group = c.benchmark_group("peers");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5))
        .throughput(Throughput::Elements(requests));
    group.bench_function("ours", |b| b.iter(|| black_box(ours(REQUESTS, SEED))));
    let mut peer = |name: &str, run: fn(&Pattern) -> Made| {
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(run(&pattern), pattern.made, "{name}"));
        });
    };
    peer("binary heap", heap::run);
    peer("tokio, paused", paused::run);
    peer("turmoil, ticks of 1 ms", turmoil::run);
    #[cfg(madsim)]
    peer("madsim", madsim::run);
    group.finish();
    if !cfg!(madsim) {
        println!("madsim is left out: it simulates only where RUSTFLAGS has `--cfg madsim`");
    }
}

criterion_group!(benches, peers);
criterion_main!(benches);
