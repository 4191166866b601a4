//! How long one request takes to simulate: `cargo run --release -p sim-exchange --example traffic_speed [SEED]`.

#![expect(
    clippy::disallowed_methods,
    reason = "measures real time; nothing of it gets into the simulated world"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use sim::Application as _;
use sim::time::Micros;
use sim::workload::{ContainerStart, Workload};
use sim_exchange::{ExchangeConfig, SimulatedExchange};

fn main() {
    let seed = std::env::args()
        .nth(1)
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(1);
    for looks_per_s in [0, 10] {
        let begun = Instant::now();
        let mut exchange = SimulatedExchange::new(ExchangeConfig::default(), seed);
        let gateways = ["gateway-0", "gateway-1", "gateway-2"].map(str::to_owned);
        for (app, pod) in gateways
            .iter()
            .map(|pod| ("gateway", pod.as_str()))
            .chain([("matching", "matching-0"), ("risk", "risk-0")])
        {
            exchange.start(
                Micros::ZERO,
                &ContainerStart {
                    namespace: dex::release::NAMESPACE.to_owned(),
                    pod: pod.to_owned(),
                    uid: pod.to_owned(),
                    app: app.to_owned(),
                    container: app.to_owned(),
                    image: format!("dex/{app}:1.4.2"),
                    env: BTreeMap::new(),
                    restart: 0,
                },
            );
        }
        exchange.route(Micros::from_secs(5), "gateway", &gateways);
        let built = begun.elapsed();
        let end = Micros::from_secs(900);
        for look in 1..900 * looks_per_s {
            exchange.advance(Micros(look * 1_000_000 / looks_per_s));
        }
        let record = exchange.clients(end);
        let (sent, trades) = (record.sent, record.trades.len());
        let all = record.between(0, 900);
        let spent = begun.elapsed();
        println!(
            "{looks_per_s} looks/s: {} ms for {sent} requests ({} ns each; {} µs to build), {trades} trades, \
             {} ok, {} rejected, {} errors, p50 {} µs, p99 {} µs, digest {:016x}",
            spent.as_millis(),
            spent.as_nanos() / u128::from(sent.max(1)),
            built.as_micros(),
            all.ok,
            all.rejected,
            all.errors,
            all.latency.quantile(1, 2).map_or(0, |q| q.0),
            all.latency.quantile(99, 100).map_or(0, |q| q.0),
            exchange.digest(),
        );
    }
}
