//! Faults of the pods: each is seen to hit, and to end.

use dex::release::{Release, Service};
use dex::types::Amount;

use super::Rig;
use crate::database::DbFault;
use crate::{Alarm, ErrorKind, ShownIn};
use sim::application::Application as _;
use sim::time::Micros;

/// The slowest hundredth of what ended in the seconds `from..to`.
fn p99(rig: &mut Rig, from: usize, to: usize) -> Micros {
    let seen = rig.exchange.clients(rig.now).between(from, to);
    seen.latency.quantile(99, 100).unwrap_or_default()
}

#[test]
fn gateways_that_stand_still_answer_late_and_lose_nothing() {
    let mut rig = Rig::small(40);
    rig.until(20);
    let target = Micros::from_millis(100);
    assert!(p99(&mut rig, 15, 20) < target);
    let until = rig.now + Micros::from_millis(800);
    rig.exchange.hold_up_gateways(rig.now, until);
    rig.until(23);
    assert!(p99(&mut rig, 20, 23) > target);
    let held_up = rig.exchange.held_up(rig.now);
    assert!((120..220).contains(&held_up), "{held_up}");
    assert_eq!(rig.errors(), 0);
    rig.until(30);
    assert!(p99(&mut rig, 23, 30) < target, "it is over");
    rig.settle();
}

#[test]
fn while_the_node_stands_still_nothing_happens_in_any_pod() {
    let mut rig = Rig::small(41);
    rig.until(20);
    let seq = |rig: &Rig| rig.exchange.database().ledger().position().log_seq;
    let risk = rig.pods["risk"][0].clone();
    let runs = |text: &str| {
        let line = text
            .lines()
            .find(|l| l.starts_with("dex_reconciliation_runs_total"));
        line.expect("exposed").to_owned()
    };
    rig.exchange.stand_still(rig.now, Micros::from_secs(32));
    let (before, reconciled) = (seq(&rig), runs(&rig.metrics(&risk)));
    rig.until(31);
    assert_eq!(seq(&rig), before, "nothing is matched");
    assert_eq!(runs(&rig.metrics(&risk)), reconciled);
    let record = rig.exchange.clients(rig.now);
    let timeouts = record.errors_by_kind[ErrorKind::Timeout as usize];
    assert!(timeouts > 1_000, "{timeouts} clients gave up");
    let seen = record.between(21, 31);
    assert_eq!(
        (seen.ok, seen.rejected, seen.errors),
        (0, 0, seen.errors),
        "nobody is answered, and nobody is refused by a process that stands still"
    );
    assert_eq!(u64::from(seen.errors), timeouts);
    rig.until(45);
    assert!(seq(&rig) > before && runs(&rig.metrics(&risk)) != reconciled);
    let after = rig.exchange.clients(rig.now).between(36, 45);
    assert_eq!(after.errors, 0, "it goes on as before");
    rig.settle();
}

#[test]
fn an_alarm_is_shown_though_the_books_balance() {
    let mut rig = Rig::small(42);
    rig.until(20);
    let risk = rig.pods["risk"][0].clone();
    let shown = |rig: &mut Rig| {
        let text = rig.metrics(&risk);
        text.contains("dex_reconciliation_anomalies 1\n")
    };
    assert!(!shown(&mut rig));
    rig.exchange.raise_alarm(rig.now, Alarm::Books);
    assert!(shown(&mut rig) && rig.books_balance());
    assert_eq!(
        rig.exchange.clear_alarm(rig.now, Alarm::Books),
        0,
        "nobody scraped it"
    );
    assert!(!shown(&mut rig));
}

#[test]
fn pods_that_are_cut_off_have_no_sessions_until_the_way_is_open_again() {
    let mut rig = Rig::small(43);
    rig.until(20);
    rig.exchange
        .set_database_fault(rig.now, DbFault::CutOff, true);
    assert_eq!(rig.exchange.database().sessions(), 0);
    rig.until(25);
    assert!(rig.errors() > 500, "orders need the ledger");
    assert!(
        rig.db(crate::database::DbOp::Position).is_ok(),
        "others' connections stay"
    );
    let refused = rig
        .exchange
        .set_database_fault(rig.now, DbFault::CutOff, false);
    assert!(refused > 0);
    rig.until(30);
    assert!(rig.exchange.database().sessions() > 0);
    let before = rig.errors();
    rig.until(40);
    assert_eq!(rig.errors(), before);
    rig.settle();
}

/// The number behind the first line of a page that begins with `name`.
fn exposed(rig: &mut Rig, uid: &str, name: &str) -> f64 {
    let text = rig.metrics(uid);
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit(' ').next());
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(f64::NAN)
}

#[test]
fn a_counter_that_cries_wolf_stays_where_it_is() {
    let mut rig = Rig::small(44);
    rig.until(20);
    let risk = rig.pods["risk"][0].clone();
    for (alarm, metric) in [
        (Alarm::StateHash, "dex_state_hash_mismatches_total"),
        (Alarm::Matching, "dex_matching_irregularities_total"),
    ] {
        assert_eq!(exposed(&mut rig, &risk, metric), 0.0);
        rig.exchange.raise_alarm(rig.now, alarm);
        assert_eq!(exposed(&mut rig, &risk, metric), 1.0);
        rig.pass(10_000);
        assert_eq!(exposed(&mut rig, &risk, metric), 1.0);
    }
    assert!(rig.books_balance());
}

#[test]
fn requests_fail_where_the_fault_is_and_show_where_it_says() {
    const FAILED: &str = "dex_requests_total{code=\"500\",maintenance=\"false\"}";
    for (shown_in, counted, written) in [
        (ShownIn::Both, true, true),
        (ShownIn::Metrics, true, false),
        (ShownIn::Logs, false, true),
    ] {
        let mut rig = Rig::small(45);
        rig.until(20);
        rig.exchange.take_logs();
        rig.exchange.fail_requests(rig.now, 100, shown_in, false);
        rig.until(40);
        let hits = rig.exchange.fail_no_requests(rig.now);
        assert!(
            (30..50).contains(&hits),
            "one in a hundred of 4,000: {hits}"
        );
        assert_eq!(rig.errors(), hits);
        let pods = rig.pods["gateway"].clone();
        let counters: f64 = pods.iter().map(|pod| exposed(&mut rig, pod, FAILED)).sum();
        assert_eq!(counters, if counted { hits as f64 } else { 0.0 });
        let lines = rig.exchange.take_logs();
        let errors = lines.iter().filter(|line| line.level == "error").count() as u64;
        assert_eq!(errors, if written { hits } else { 0 });
        rig.until(50);
        assert_eq!(rig.errors(), hits, "it is over");
        rig.settle();
    }
}

#[test]
fn the_last_gateway_alone_can_be_shunned_and_fail() {
    const OK: &str = "dex_requests_total{code=\"200\",maintenance=\"false\"}";
    let mut rig = Rig::small(46);
    rig.until(20);
    let last = rig.pods["gateway"][2].clone();
    let before = exposed(&mut rig, &last, OK);
    let held = rig.exchange.shun_last_gateway(rig.now);
    assert!(held > 5, "{held}");
    let again = rig.exchange.shun_last_gateway(rig.now);
    assert_eq!(
        again, held,
        "one connection is there already, and that is what was asked for"
    );
    rig.exchange.fail_requests(rig.now, 10, ShownIn::Both, true);
    rig.until(60);
    let served = exposed(&mut rig, &last, OK) - before;
    assert!((50.0..400.0).contains(&served), "a few of 8,000: {served}");
    let hits = rig.exchange.fail_no_requests(rig.now);
    assert!(hits > 0 && hits == rig.errors(), "{hits}");
    rig.settle();
}

#[test]
fn pods_can_be_sick_while_they_do_their_work() {
    let mut rig = Rig::small(47);
    rig.until(20);
    let risk = rig.pods["risk"][0].clone();
    rig.exchange.make_sick(Service::Risk);
    assert_eq!(rig.status(&risk, "/health"), 503);
    assert_eq!(rig.status(&risk, "/livez"), 200);
    assert_eq!(rig.exchange.make_well(Service::Risk), 1);
    assert_eq!(rig.status(&risk, "/health"), 200);
}

#[test]
fn a_tag_that_was_moved_starts_another_build() {
    let mut rig = Rig::small(48);
    rig.until(20);
    let other = Release::by_name("1.4.3")
        .expect("known")
        .build(Service::Gateway);
    rig.exchange.move_tag("dex/gateway:1.4.2", other);
    let (uid, _) = rig.start("gateway", "1.4.2");
    rig.pass(3_000);
    assert!(rig.metrics(&uid).contains("version=\"1.4.3\""));
    assert_eq!(rig.exchange.move_tag_back("dex/gateway:1.4.2"), 1);
}

#[test]
fn quiet_clients_leave_out_their_share() {
    let mut rig = Rig::small(49);
    rig.until(20);
    let sent = |rig: &mut Rig| rig.exchange.clients(rig.now).sent;
    let before = sent(&mut rig);
    rig.exchange.quieten_clients(rig.now, 250_000);
    rig.until(40);
    let quiet = sent(&mut rig) - before;
    assert!(
        (2_800..3_200).contains(&quiet),
        "three in four of 4,000: {quiet}"
    );
    rig.exchange.quieten_clients(rig.now, 0);
    rig.until(60);
    let again = sent(&mut rig) - before - quiet;
    assert!((3_800..4_200).contains(&again), "{again}");
    rig.settle();
}

#[test]
fn what_is_booked_without_a_counter_entry_is_found() {
    let mut rig = Rig::small(50);
    rig.until(20);
    assert!(rig.books_balance());
    rig.exchange.book_without_counter_entry(rig.now, Amount(1));
    assert!(!rig.books_balance());
    rig.pass(6_000);
    let risk = rig.pods["risk"][0].clone();
    assert_eq!(
        exposed(&mut rig, &risk, "dex_reconciliation_anomalies"),
        1.0
    );
}

#[test]
fn a_process_that_crashes_by_its_own_defect_exits_a_while_after_it_is_ready() {
    let mut rig = Rig::small(51);
    rig.until(20);
    let (uid, outcome) = rig.start("matching", "1.5.5");
    let sim::workload::StartOutcome::Exits { after, code } = outcome else {
        panic!("it is to exit: {outcome:?}");
    };
    assert_eq!(code, 101);
    assert!(
        (Micros::from_secs(8)..Micros::from_secs(14)).contains(&after),
        "{after:?}"
    );
    rig.pass(5_000);
    assert_eq!(rig.status(&uid, "/health"), 200, "until then it serves");
}
