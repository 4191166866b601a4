//! Faults of the pods: each is seen to hit, and to end.

use super::Rig;
use crate::database::DbFault;
use crate::exchange::ErrorKind;
use crate::time::Micros;

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
    rig.exchange.raise_alarm(rig.now);
    assert!(shown(&mut rig) && rig.books_balance());
    assert_eq!(rig.exchange.clear_alarm(rig.now), 0, "nobody scraped it");
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
