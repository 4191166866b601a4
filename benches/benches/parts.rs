//! Parts that a drill's time goes into: matching, the state hash, and the parsing of the runbook.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dex::types::{AccountId, Amount, MarketId, Price, Qty, Seq, Side, Tif};
use dex::{Command, Exchange};
use sim::rng::Rng;

const COMMANDS: u64 = 10_000;

fn matching(c: &mut Criterion) {
    let release = dex::Release::by_name("1.4.2").expect("the stable release is in the catalogue");
    let genesis = Exchange::genesis(
        release.build(dex::Service::Matching),
        1_000,
        4,
        Amount(1_000_000_000_000),
    );
    let mut rng = Rng::derive(1, "bench");
    let commands: Vec<Command> = (0..COMMANDS)
        .map(|_| Command::Place {
            account: AccountId(rng.below(1_000) as u32),
            market: MarketId(rng.below(4) as u16),
            side: if rng.ratio(1, 2) {
                Side::Buy
            } else {
                Side::Sell
            },
            price: Price(rng.between(9_990, 10_010) as i64),
            qty: Qty(rng.between(1, 20) as i64),
            tif: Tif::Gtc,
        })
        .collect();
    let mut group = c.benchmark_group("exchange");
    group.throughput(Throughput::Elements(COMMANDS));
    group.bench_function("apply", |b| {
        let mut events = Vec::with_capacity(64);
        b.iter_batched_ref(
            || genesis.clone(),
            |exchange| {
                for (i, command) in commands.iter().enumerate() {
                    events.clear();
                    black_box(exchange.apply(Seq(i as u64 + 1), command, &mut events));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    c.bench_function("exchange/state-hash", |b| {
        b.iter(|| black_box(genesis.state_hash()))
    });
}

fn runbook(c: &mut Criterion) {
    c.bench_function("runbook/parse", |b| {
        b.iter(|| {
            executor::runbook::Runbook::parse(
                "rollback.md",
                black_box(firedrill::runbooks::BUILT_IN),
            )
            .expect("the built-in runbook loads")
        });
    });
}

criterion_group!(benches, matching, runbook);
criterion_main!(benches);
