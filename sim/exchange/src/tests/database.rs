//! The fence, migrations, restore and replay, as pods and clients live through them.

use dex::command::{Command, Outcome};
use dex::exchange::AMPLE_DEPOSIT;
use dex::migrations::{Kind, Set};
use dex::types::{AccountId, Amount, MarketId, Price, Qty, Side, Tif};

use super::Rig;
use crate::ErrorKind;
use crate::database::{DbOp, DbReply};
use sim::application::Application as _;
use sim::time::Micros;

fn migrate() -> DbOp {
    let file = Set::Decimal
        .files()
        .into_iter()
        .rfind(|f| f.script().kind == Kind::Versioned)
        .unwrap();
    DbOp::Migrate {
        name: file.name.into(),
        sql: file.sql.into(),
    }
}

fn undo() -> DbOp {
    let file = Set::Decimal
        .files()
        .into_iter()
        .rfind(|f| f.script().kind == Kind::Undo)
        .unwrap();
    DbOp::Undo {
        version: "2".into(),
        name: file.name.into(),
        sql: file.sql.into(),
        lock_timeout: Micros::from_secs(5),
        token: 1,
    }
}

fn restore_and_replay(rig: &mut Rig) {
    rig.db(DbOp::Restore {
        snapshot: "before".into(),
        set_aside: "aside".into(),
        token: 1,
    })
    .unwrap();
    rig.db(DbOp::Replay {
        set_aside: "aside".into(),
        token: 1,
    })
    .unwrap();
}

#[test]
fn behind_the_fence_everything_is_refused_as_maintenance() {
    let mut rig = Rig::small(20);
    rig.until(30);
    rig.db(DbOp::Fence { token: 1 }).unwrap();
    rig.until(31);
    let seq = rig.exchange.database().ledger().position().log_seq;
    let errors = rig.errors();
    rig.until(40);
    let seen = rig.exchange.clients(rig.now).between(32, 40);
    // Invalid requests are refused by the gateway itself.
    assert_eq!(u64::from(seen.maintenance + seen.rejected), seen.total());
    assert_eq!(rig.errors(), errors);
    assert_eq!(
        rig.exchange.database().ledger().position().log_seq,
        seq,
        "nothing was written"
    );
    let matching = rig.pods["matching"][0].clone();
    assert_eq!(rig.status(&matching, "/health"), 200, "it can read");
    rig.db(DbOp::Unfence { token: 1 }).unwrap();
    rig.until(45);
    assert!(rig.exchange.clients(rig.now).between(41, 45).ok > 600);
    rig.settle();
}

#[test]
fn a_snapshot_interrupts_trading_as_maintenance() {
    let mut rig = Rig::small(21);
    rig.until(20);
    let Ok(DbReply::Snapshot(snapshot)) = rig.db(DbOp::Snapshot {
        name: "before".into(),
    }) else {
        panic!()
    };
    assert!(snapshot.position.trades > 500);
    rig.until(25);
    let seen = rig.exchange.clients(rig.now).between(20, 25);
    assert!(seen.maintenance > 10, "{}", seen.maintenance);
    assert!(rig.exchange.clients(rig.now).between(22, 25).ok > 400);
    rig.settle();
}

#[test]
fn after_an_undo_the_old_release_carries_on_where_the_new_one_stopped() {
    let mut rig = Rig::small(22);
    rig.until(20);
    rig.halt("maintenance");
    rig.until(31);
    rig.db(migrate()).unwrap();
    for app in ["matching", "risk", "gateway"] {
        rig.deploy(app, "2.0.0");
    }
    rig.halt("open");
    rig.pass(20_000);
    let internal = rig.exchange.clients(rig.now).errors_by_kind[ErrorKind::Internal as usize];
    assert!(
        internal > 50,
        "{internal} requests failed in the new release"
    );
    rig.db(DbOp::Fence { token: 1 }).unwrap();
    rig.db(undo()).unwrap();
    for app in ["matching", "risk", "gateway"] {
        rig.deploy(app, "1.4.2");
    }
    rig.db(DbOp::Unfence { token: 1 }).unwrap();
    rig.pass(1_000);
    let errors = rig.errors();
    rig.pass(20_000);
    assert_eq!(rig.errors(), errors);
    rig.settle();
    assert!(rig.books_balance());
    assert_eq!(rig.exchange.database().ledger().version(), Some("1"));
}

#[test]
fn the_old_release_cannot_work_on_migrated_rows() {
    let mut rig = Rig::small(23);
    rig.until(20);
    rig.db(migrate()).unwrap();
    rig.pass(3_000);
    let matching = rig.pods["matching"][0].clone();
    assert_eq!(
        (
            rig.status(&matching, "/health"),
            rig.status(&matching, "/livez")
        ),
        (503, 500)
    );
    let logs = rig.exchange.take_logs();
    assert!(
        logs.iter()
            .any(|l| l.app == "matching" && l.level == "error" && l.text.contains("as an integer"))
    );
    let gateway_lines = logs
        .iter()
        .filter(|l| l.app == "gateway" && l.text.contains("500 internal error"))
        .count();
    assert!(
        (20..=240).contains(&gateway_lines),
        "{gateway_lines} lines: one for each error, but not too many"
    );
}

#[test]
fn a_double_credit_is_found_and_replay_by_the_good_build_undoes_it_without_losing_a_trade() {
    let mut rig = Rig::small(24);
    rig.until(20);
    rig.db(DbOp::Snapshot {
        name: "before".into(),
    })
    .unwrap();
    rig.deploy("matching", "1.5.1");
    rig.pass(20_000);
    let risk = rig.pods["risk"][0].clone();
    let anomalies = |rig: &mut Rig| {
        !rig.metrics(&risk)
            .contains("dex_reconciliation_anomalies 0\n")
    };
    assert!(anomalies(&mut rig), "reconciliation finds it");
    assert!(!rig.books_balance());
    rig.db(DbOp::Fence { token: 1 }).unwrap();
    restore_and_replay(&mut rig);
    rig.deploy("matching", "1.4.2");
    let acknowledged = rig.exchange.clients(rig.now).trades.len();
    rig.db(DbOp::Unfence { token: 1 }).unwrap();
    let missing = rig.exchange.missing(rig.now);
    assert_eq!(
        (missing.orders.len(), missing.trades.len()),
        (0, 0),
        "same ids, same content"
    );
    assert!(acknowledged > 2_000);
    rig.pass(20_000);
    assert!(rig.books_balance());
    assert!(!anomalies(&mut rig));
    assert!(
        rig.metrics(&risk)
            .contains("dex_matching_irregularities_total 0\n"),
        "no false alarm"
    );
    assert!(
        rig.metrics(&risk)
            .contains("dex_state_hash_mismatches_total 0\n"),
        "no false alarm"
    );
    rig.settle();
}

#[test]
fn without_replay_the_trades_after_the_snapshot_are_missing() {
    let mut rig = Rig::small(25);
    rig.until(20);
    rig.db(DbOp::Snapshot {
        name: "before".into(),
    })
    .unwrap();
    rig.pass(10_000);
    rig.db(DbOp::Fence { token: 1 }).unwrap();
    rig.db(DbOp::Restore {
        snapshot: "before".into(),
        set_aside: "aside".into(),
        token: 1,
    })
    .unwrap();
    let missing = rig.exchange.missing(rig.now);
    assert!(missing.orders.len() > 1_000 && missing.trades.len() > 500);
    rig.db(DbOp::Replay {
        set_aside: "aside".into(),
        token: 1,
    })
    .unwrap();
    assert!(rig.exchange.missing(rig.now).orders.is_empty());
}

#[test]
fn a_migration_stalls_writers_until_it_is_done() {
    let mut rig = Rig::small(26);
    rig.until(20);
    let now = rig.now;
    rig.exchange
        .database_mut(now)
        .hold_locks(now + Micros::from_millis(500));
    let duration = rig.exchange.begin(now, &migrate()).unwrap();
    assert!(duration > Micros::from_millis(500));
    let written = rig.exchange.database().ledger().position();
    rig.pass(duration.as_millis());
    assert_eq!(rig.exchange.database().ledger().position(), written);
    assert!(
        rig.exchange.in_flight(rig.now) > 100,
        "requests wait for the lock"
    );
    assert_eq!(rig.errors(), 0);
}

#[test]
fn what_a_replay_refuses_is_told_as_an_anomaly_of_the_books() {
    let mut rig = Rig::small(27);
    rig.until(20);
    rig.db(DbOp::Snapshot {
        name: "before".into(),
    })
    .unwrap();
    // Money that the snapshot does not have pays for orders.
    let amount = Amount(2 * AMPLE_DEPOSIT.0);
    rig.exchange.book_without_counter_entry(rig.now, amount);
    let order = Command::Place {
        account: AccountId(0),
        market: MarketId(0),
        side: Side::Buy,
        price: Price(8_000),
        qty: Qty(1_000_000),
        tif: Tif::Gtc,
    };
    for _ in 0..120 {
        let outcome = rig
            .exchange
            .db
            .ledger_mut()
            .transact(&order, &mut Vec::new());
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    let shown = |rig: &mut Rig| {
        let matching = rig.pods["matching"][0].clone();
        let text = rig.metrics(&matching);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("dex_reconciliation_anomalies "));
        line.and_then(|value| value.parse::<u64>().ok())
    };
    assert_eq!(shown(&mut rig), None, "there is nothing to tell");
    rig.db(DbOp::Fence { token: 1 }).unwrap();
    restore_and_replay(&mut rig);
    rig.exchange.take_logs();
    rig.deploy("matching", "1.4.2");
    let refused = shown(&mut rig).expect("an anomaly");
    assert!((1..120).contains(&refused), "{refused}");
    let said = format!("the replay refused {refused} acknowledged entries");
    let logs = rig.exchange.take_logs();
    assert!(
        logs.iter()
            .any(|l| l.app == "matching" && l.level == "error" && l.text.contains(&said))
    );
}
