//! Queueing, connections, routes, the halt flag, hand-over.

use super::{Rig, process, small};
use crate::ErrorKind;
use sim::time::Micros;
use sim::workload::{StartOutcome, Workload};

fn p99(rig: &mut Rig, from: usize, to: usize) -> Micros {
    rig.exchange
        .clients(rig.now)
        .between(from, to)
        .latency
        .quantile(99, 100)
        .unwrap()
}

#[test]
fn the_good_release_is_fast_and_trades() {
    let mut rig = Rig::small(1);
    rig.until(70);
    let fast = p99(&mut rig, 10, 70);
    assert!(fast < Micros::from_millis(20), "{fast}");
    let record = rig.exchange.clients(Micros::from_secs(70));
    let all = record.between(10, 70);
    assert!((11_000..13_000).contains(&all.total()), "{}", all.total());
    assert_eq!(all.errors, 0);
    let fills = record.trades.len() as u64 * 100 / all.total();
    assert!((45..90).contains(&fills), "{fills} trades for 100 requests");
    let refused = u64::from(all.rejected) * 1_000 / all.total();
    assert!((5..60).contains(&refused), "{refused} per mille rejected");
    rig.settle();
    assert!(rig.books_balance());
}

#[test]
fn the_slow_path_saturates_its_pods_after_a_while() {
    let mut rig = Rig::small(2);
    rig.until(20);
    rig.deploy("gateway", "1.5.0");
    rig.until(40);
    let soon = p99(&mut rig, 35, 40);
    rig.until(200);
    let later = p99(&mut rig, 180, 200);
    assert!(soon < Micros::from_millis(100), "{soon}");
    assert!(later > Micros::from_millis(100), "{later}");
    // Fresh pods are fast again.
    rig.deploy("gateway", "1.4.2");
    let recovered = (rig.now.0 / 1_000_000) as usize + 3;
    rig.pass(20_000);
    let again = p99(&mut rig, recovered, recovered + 15);
    assert!(again < Micros::from_millis(20), "{again}");
    rig.settle();
}

#[test]
fn a_rolling_update_with_draining_pods_costs_no_request() {
    let mut rig = Rig::small(3);
    rig.until(30);
    for app in ["matching", "risk", "gateway"] {
        rig.deploy(app, "1.4.3");
    }
    rig.until(60);
    assert_eq!(rig.errors(), 0);
    let gateway = rig.pods["gateway"][0].clone();
    assert!(
        rig.metrics(&gateway)
            .contains("dex_build_info{version=\"1.4.3\",revision=")
    );
    rig.settle();
    assert!(rig.books_balance());
}

#[test]
fn a_killed_gateway_costs_the_requests_that_were_there_and_refuses_until_the_route_changes() {
    let mut rig = Rig::small(4);
    rig.until(30);
    let uids = rig.pods["gateway"].clone();
    rig.exchange.gone(rig.now, process(&uids[0]));
    rig.pass(1_500);
    let refused = rig.exchange.clients(rig.now).errors_by_kind[ErrorKind::Refused as usize];
    assert!(refused > 0, "kube-proxy still sends connections there");
    rig.exchange.route(rig.now, "gateway", &uids[1..]);
    let before = rig.errors();
    rig.pass(20_000);
    assert_eq!(rig.errors(), before);
    assert_eq!(rig.status(&uids[0], "/health"), 0, "nothing listens");
    rig.settle();
}

#[test]
fn keep_alive_outlives_the_route_until_the_pod_drains() {
    let mut rig = Rig::small(5);
    rig.until(30);
    let uids = rig.pods["gateway"].clone();
    rig.exchange.route(rig.now, "gateway", &uids[1..]);
    let served = |rig: &mut Rig| {
        let text = rig.metrics(&uids[0]);
        let line = text
            .lines()
            .find(|l| l.starts_with("dex_requests_total{code=\"200\""))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = served(&mut rig);
    rig.pass(10_000);
    let during = served(&mut rig);
    assert!(
        during > before + 300,
        "connections that are open are not cut: {before} to {during}"
    );
    let drain = rig.exchange.terminate(rig.now, process(&uids[0]));
    rig.pass(drain.as_millis() - 500);
    let after = served(&mut rig);
    rig.pass(450);
    assert_eq!(served(&mut rig), after, "every client has moved on");
    rig.exchange
        .gone(rig.now + Micros::from_millis(50), process(&uids[0]));
    rig.pass(1_000);
    assert_eq!(rig.errors(), 0);
    rig.settle();
}

#[test]
fn no_route_is_an_error_for_each_request() {
    let mut rig = Rig::small(6);
    rig.until(20);
    for uid in rig.pods["gateway"].clone() {
        rig.exchange.gone(rig.now, process(&uid));
    }
    rig.exchange.route(rig.now, "gateway", &[]);
    rig.until(25);
    let seen = rig.exchange.clients(rig.now).between(21, 25);
    assert_eq!(u64::from(seen.errors), seen.total());
    assert!(seen.total() > 600);
    rig.settle();
}

#[test]
fn clients_give_up_after_two_seconds() {
    let mut config = small();
    config.service.gateway_unit_ns = 60_000; // 24 ms for a request that a pod gets every 15 ms
    let mut rig = Rig::new(config, 7);
    rig.until(60);
    let timeouts = rig.exchange.clients(rig.now).errors_by_kind[ErrorKind::Timeout as usize];
    assert!(timeouts > 1_000, "{timeouts}");
    let slowest = rig
        .exchange
        .clients(rig.now)
        .between(40, 60)
        .latency
        .quantile(1, 1)
        .unwrap();
    assert!(slowest < Micros::from_millis(2_200), "{slowest}");
    let unknown = rig.exchange.clients(rig.now).unknown;
    assert!(
        unknown > 100,
        "{unknown} orders took effect after their client had given up"
    );
    rig.exchange.stop_clients(rig.now);
    rig.pass(60_000);
    rig.settle();
}

#[test]
fn each_gateway_sees_the_halt_in_its_own_time_and_marks_its_refusals() {
    let mut rig = Rig::small(8);
    rig.until(30);
    rig.halt("maintenance");
    rig.until(41);
    let mixed = rig.exchange.clients(rig.now).between(30, 40);
    assert!(
        mixed.maintenance > 0 && mixed.ok > 0,
        "{} and {}",
        mixed.maintenance,
        mixed.ok
    );
    rig.until(50);
    let halted = rig.exchange.clients(rig.now).between(41, 50);
    assert_eq!(u64::from(halted.maintenance), halted.total());
    let gateway = rig.pods["gateway"][1].clone();
    assert!(
        rig.metrics(&gateway)
            .contains("dex_requests_total{code=\"503\",maintenance=\"true\"}")
    );
    rig.halt("open");
    rig.until(61);
    rig.until(70);
    let open = rig.exchange.clients(rig.now).between(61, 70);
    assert_eq!(open.maintenance, 0);
    assert_eq!(rig.errors(), 0);
    rig.settle();
}

#[test]
fn a_new_leader_loses_nothing_and_a_killed_one_is_replaced() {
    let mut rig = Rig::small(9);
    rig.until(25);
    let old = rig.pods["matching"][0].clone();
    let (new, outcome) = rig.start("matching", "1.4.3");
    assert_eq!(outcome, StartOutcome::Running);
    assert_eq!(rig.status(&new, "/health"), 503, "loading");
    rig.until(30);
    assert_eq!(rig.status(&new, "/health"), 200);
    assert!(
        !rig.metrics(&new).contains("dex_orders_total 0\n"),
        "the new pod leads"
    );
    rig.until(40);
    assert_eq!(rig.errors(), 0);
    // The leader dies; the old pod is still there and takes over.
    rig.exchange.gone(rig.now, process(&new));
    rig.until(50);
    let errors = rig.errors();
    assert!(errors > 0);
    rig.until(60);
    assert_eq!(rig.errors(), errors, "recovered");
    assert_eq!(rig.status(&old, "/health"), 200);
    rig.settle();
    assert!(rig.books_balance());
}

#[test]
fn what_cannot_start_says_why_and_exits() {
    let mut rig = Rig::small(10);
    let (uid, outcome) = rig.start("matching", "2.0.0");
    assert!(matches!(outcome, StartOutcome::Exits { code: 1, .. }));
    assert_eq!(rig.status(&uid, "/livez"), 0);
    let lines = rig
        .exchange
        .logs(rig.now, process(&uid), Micros::ZERO, false);
    assert!(
        lines
            .iter()
            .any(|l| l.text.contains("balances.free: cannot read")),
        "{lines:?}"
    );
    rig.exchange.gone(rig.now, process(&uid));
    let (uid, outcome) = rig.start("gateway", "9.9.9");
    assert!(matches!(outcome, StartOutcome::Exits { .. }));
    assert!(
        rig.exchange
            .logs(rig.now, process(&uid), Micros::ZERO, true)
            .is_empty()
    );
}

#[test]
fn the_prior_gateway_becomes_ready_only_beside_the_prior_engine() {
    let mut rig = Rig::small(5);
    rig.deploy("matching", "1.6.3");
    rig.deploy("gateway", "1.6.3");
    let (prior, _) = rig.start("gateway", "1.4.2");
    rig.pass(30_000);
    assert_eq!(rig.status(&prior, "/health"), 503);
    rig.deploy("matching", "1.4.2");
    assert_eq!(rig.status(&prior, "/health"), 200);
    rig.deploy("gateway", "1.6.3");
    rig.settle();
}
