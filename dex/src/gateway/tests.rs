//! Admission, and the arithmetic of the slow path.

use super::*;
use crate::release::Service;
use crate::testing::{immediate, place};
use crate::types::{AccountId, MarketId, Price, Qty, Side, Tif, UNIT_NANOS};

/// Between two requests of one pod: 200 a second over three pods.
const INTERVAL_NANOS: u64 = 15_000_000;

fn pod(fault: Option<Defect>) -> Gateway {
    let build = fault.map_or(Build::stable(Service::Gateway), |f| {
        Build::with_fault(Service::Gateway, f)
    });
    let markets: Vec<MarketSpec> = (0..2).map(MarketSpec::standard).collect();
    Gateway::new(build, 0, GatewayConfig::default(), 100, &markets)
}

fn request(id: u64, command: Command) -> Request {
    Request {
        id,
        at_micros: id * INTERVAL_NANOS / 1_000,
        command,
    }
}

fn nth(id: u64) -> Request {
    request(id, place((id % 100) as u32, Side::Buy, 0, 1))
}

fn decide(gateway: &mut Gateway, request: &Request) -> Decision {
    gateway.admit(request, TradingMode::Open).decision
}

#[test]
fn a_healthy_pod_costs_the_same_at_any_age() {
    let mut gateway = pod(None);
    for id in 1..20_000 {
        let admission = gateway.admit(&nth(id), TradingMode::Open);
        assert_eq!(admission.decision, Decision::Forward);
        let nanos = admission.work.nanos(UNIT_NANOS);
        assert!((300_000..=500_000).contains(&nanos), "{nanos} ns");
    }
}

#[test]
fn a_slow_pod_passes_saturation_within_ninety_seconds_and_stays_near_it() {
    let mut gateway = pod(Some(Defect::SlowPath));
    let per_second = 1_000_000_000 / INTERVAL_NANOS;
    let mut saturated_at = None;
    for id in 1..=per_second * 300 {
        let admission = gateway.admit(&nth(id), TradingMode::Open);
        assert_eq!(admission.decision, Decision::Forward);
        let nanos = admission.work.nanos(UNIT_NANOS);
        assert!(nanos <= 20_000_000, "not dead: {nanos} ns");
        if nanos > INTERVAL_NANOS {
            saturated_at.get_or_insert(id / per_second);
        } else {
            assert_eq!(saturated_at, None, "it does not recover by itself");
        }
    }
    let second = saturated_at.expect("it saturates");
    assert!((30..=90).contains(&second), "after {second} s");
}

#[test]
fn both_builds_recognise_a_request_that_comes_again() {
    for fault in [None, Some(Defect::SlowPath)] {
        let mut gateway = pod(fault);
        for id in 1..=200 {
            assert_eq!(decide(&mut gateway, &nth(id)), Decision::Forward);
            assert_eq!(
                decide(&mut gateway, &nth(id)),
                Decision::Reject(Reject::Duplicate)
            );
        }
        assert_eq!(gateway.admitted(), 200);
    }
}

#[test]
fn maintenance_refuses_everything_cheaply() {
    let mut gateway = pod(Some(Defect::SlowPath));
    for id in 1..=10 {
        let admission = gateway.admit(&nth(id), TradingMode::Maintenance);
        assert_eq!(admission.decision, Decision::Maintenance);
        assert_eq!(admission.work, Work(WORK_RECEIVE));
    }
    assert_eq!(gateway.admitted(), 0);
    assert_eq!(TradingMode::parse("open"), TradingMode::Open);
    for mode in ["maintenance", "", "OPEN", "opne"] {
        assert_eq!(
            TradingMode::parse(mode),
            TradingMode::Maintenance,
            "{mode:?}"
        );
    }
}

#[test]
fn the_rate_limit_is_per_account_and_second() {
    let mut gateway = pod(None);
    gateway.config.rate_limit_per_account = 3;
    let send = |gateway: &mut Gateway, id, account, at_micros| {
        let request = Request {
            id,
            at_micros,
            command: immediate(account, Side::Sell, 0, 1),
        };
        decide(gateway, &request)
    };
    for id in 1..=3 {
        assert_eq!(send(&mut gateway, id, 7, 1_999_997), Decision::Forward);
    }
    assert_eq!(
        send(&mut gateway, 4, 7, 1_999_999),
        Decision::Reject(Reject::RateLimited)
    );
    assert_eq!(send(&mut gateway, 5, 8, 1_999_999), Decision::Forward);
    assert_eq!(send(&mut gateway, 6, 7, 2_000_000), Decision::Forward);
}

#[test]
fn the_pre_check_names_what_is_wrong() {
    let mut gateway = pod(None);
    let spec = MarketSpec::standard(0);
    let order = |market, price, qty| Command::Place {
        account: AccountId(1),
        market: MarketId(market),
        side: Side::Buy,
        price,
        qty: Qty(qty),
        tif: Tif::Gtc,
    };
    let mid = spec.mid_price();
    for (n, (command, reject)) in [
        (place(100, Side::Buy, 0, 1), Reject::UnknownAccount),
        (order(2, mid, 1), Reject::UnknownMarket),
        (
            order(0, Price(spec.min_price.0 - 1), 1),
            Reject::PriceOutOfBand,
        ),
        (order(0, Price(i64::MAX), 1), Reject::PriceOutOfBand),
        (order(0, mid, 0), Reject::QtyOutOfRange),
        (order(0, mid, i64::MAX), Reject::QtyOutOfRange),
    ]
    .into_iter()
    .enumerate()
    {
        let request = request(n as u64 + 1, command);
        assert_eq!(decide(&mut gateway, &request), Decision::Reject(reject));
    }
    gateway.config.max_notional = spec.notional(mid, Qty(10));
    assert_eq!(
        decide(&mut gateway, &request(50, order(0, mid, 10))),
        Decision::Forward
    );
    assert_eq!(
        decide(&mut gateway, &request(51, order(0, mid, 11))),
        Decision::Reject(Reject::OrderTooLarge)
    );
}

#[test]
fn configuration_is_read_or_refused() {
    let env =
        |value: &str| BTreeMap::from([("RATE_LIMIT_PER_ACCOUNT".to_owned(), value.to_owned())]);
    assert_eq!(
        GatewayConfig::from_env(&env("300"))
            .unwrap()
            .rate_limit_per_account,
        300
    );
    assert_eq!(
        GatewayConfig::from_env(&BTreeMap::new()),
        Ok(GatewayConfig::default())
    );
    for bad in ["", "0", "-1", "70000", "many"] {
        assert_eq!(GatewayConfig::from_env(&env(bad)).unwrap_err().value, bad);
    }
}

/// How a pod of the build with `fault` decides on 1,000 sound requests: failed, forgotten.
fn spoilt(fault: Defect, instance: u64) -> (usize, usize) {
    let build = Build::with_fault(Service::Gateway, fault);
    let markets: Vec<MarketSpec> = (0..2).map(MarketSpec::standard).collect();
    let mut gateway = Gateway::new(build, instance, GatewayConfig::default(), 100, &markets);
    let decisions: Vec<Decision> = (1..=1_000)
        .map(|id| decide(&mut gateway, &nth(id)))
        .collect();
    let count = |what: Decision| decisions.iter().filter(|it| **it == what).count();
    (count(Decision::Broken), count(Decision::Lost))
}

#[test]
fn each_defect_of_the_request_path_spoils_its_share() {
    assert_eq!(spoilt(Defect::FailsOneIn(40), 0), (25, 0));
    assert_eq!(spoilt(Defect::LosesOfTen(4), 0), (0, 400));
    assert_eq!(spoilt(Defect::FailsInOnePod(20), 3), (50, 0));
    assert_eq!(spoilt(Defect::FailsInOnePod(20), 4), (0, 0));
    assert_eq!(spoilt(Defect::SlowPath, 0), (0, 0));
}

#[test]
fn a_queue_of_no_request_is_no_configuration() {
    let env = |value: &str| BTreeMap::from([("QUEUE_MAX".to_owned(), value.to_owned())]);
    let queue = |value: &str| GatewayConfig::from_env(&env(value)).map(|config| config.queue_max);
    assert_eq!(queue("1"), Ok(1));
    assert!(queue("0").is_err() && queue("-1").is_err() && queue("many").is_err());
    assert_eq!(GatewayConfig::default().queue_max, 128);
}
