//! The reconciler finds what each fault promises, and nothing in a good build.

use super::*;
use crate::release::Defect;
use crate::testing::{History, genesis, matching, place};
use crate::types::{AccountId, AssetId, MarketId, OrderId, Price, Qty, Seq};

/// Runs a history of `fault` in stretches of 500 commands with a run after each.
fn watched(fault: Option<Defect>) -> Reconciler {
    let mut history = History::new(genesis(fault, 40));
    let mut reconciler = Reconciler::default();
    for stretch in 0..15 {
        history = history.drive(500, stretch);
        reconciler.run(&history.exchange, &history.trades(), &history.log);
    }
    assert_eq!(reconciler.last_trade(), history.exchange.trade_id());
    assert_eq!(reconciler.runs_total(), 15);
    reconciler
}

/// (anomalies, irregularities, hash mismatches), as whether there are any.
fn trips(fault: Option<Defect>) -> (bool, bool, bool) {
    let r = watched(fault);
    (
        r.anomalies() > 0,
        r.irregularities_total() > 0,
        r.hash_mismatches_total() > 0,
    )
}

#[test]
fn each_fault_trips_exactly_what_it_promises() {
    assert_eq!(trips(None), (false, false, false));
    assert_eq!(trips(Some(Defect::DoubleCredit)), (true, false, false));
    assert_eq!(trips(Some(Defect::PriorityInversion)), (false, true, false));
    assert_eq!(trips(Some(Defect::UnstableHash)), (false, false, true));
    assert_eq!(trips(Some(Defect::SlowPath)), (false, false, false));
    assert_eq!(trips(Some(Defect::DecimalDecode)), (false, false, false));
}

#[test]
fn shadows_are_compared_and_dropped_across_releases() {
    let mut history = History::new(genesis(None, 20)).drive(300, 1);
    let mut reconciler = Reconciler::default();
    let mut run = |h: &History| {
        reconciler
            .run(&h.exchange, &h.trades(), &h.log)
            .hash_mismatch
    };
    assert_eq!(run(&history), None);
    history = history.drive(300, 2);
    assert_eq!(run(&history), Some(false));
    for _ in 2..SHADOW_EVERY {
        assert_eq!(run(&history), None);
    }
    assert_eq!(run(&history), None);
    history.exchange = history
        .exchange
        .under(matching(Some(Defect::DoubleCredit)), 0);
    history = history.drive(300, 3);
    assert_eq!(run(&history), None, "another release runs now");
}

#[test]
fn a_restored_ledger_is_read_from_its_own_position() {
    let history = History::new(genesis(None, 20)).drive(600, 1);
    let trades = history.trades();
    let mut reconciler = Reconciler::default();
    reconciler.run(&history.exchange, &trades, &history.log);
    let early = History::new(genesis(None, 20)).drive(300, 1);
    assert!(early.exchange.trade_id() < history.exchange.trade_id());
    let findings = reconciler.run(&early.exchange, &early.trades(), &early.log);
    assert_eq!(findings.irregularities, 0);
    // The replayed trades come again with the ids they had.
    let findings = reconciler.run(&history.exchange, &trades, &history.log);
    assert_eq!((findings.irregularities, findings.anomalies), (0, 0));
    assert_eq!(reconciler.last_trade(), history.exchange.trade_id());
}

#[test]
fn a_missing_trade_and_a_wrong_fee_are_irregular() {
    let history = History::new(genesis(None, 20)).drive(600, 1);
    let run = |trades: &[Trade]| {
        Reconciler::default()
            .run(&history.exchange, trades, &history.log)
            .irregularities
    };
    let mut trades = history.trades();
    assert_eq!(run(&trades), 0);
    trades[3].taker_fee.0 += 1;
    assert_eq!(run(&trades), 1);
    trades.remove(3);
    assert_eq!(run(&trades), 1);
}

#[test]
fn a_reservation_that_no_order_explains_is_an_anomaly_until_it_is_gone() {
    let mut history = History::new(genesis(None, 20));
    history.send(place(0, Side::Buy, 0, 1));
    history
        .exchange
        .doctor_ledger()
        .reserve(AccountId(3), AssetId(1), Amount(5))
        .unwrap();
    let mut reconciler = Reconciler::default();
    for _ in 0..3 {
        assert_eq!(
            reconciler
                .run(&history.exchange, &[], &history.log)
                .anomalies,
            1
        );
    }
    history
        .exchange
        .doctor_ledger()
        .release(AccountId(3), AssetId(1), Amount(5));
    assert_eq!(
        reconciler
            .run(&history.exchange, &[], &history.log)
            .anomalies,
        0
    );
}

#[test]
fn a_better_price_that_was_there_first_is_an_irregularity() {
    let mut history = History::new(genesis(None, 20));
    history.send(place(0, Side::Sell, 3, 5));
    history.send(place(1, Side::Sell, 1, 5));
    let (spec, _) = history.exchange.market(MarketId(0)).unwrap();
    let price = Price(spec.mid_price().0 + 3);
    let notional = spec.notional(price, Qty(2));
    let irregular = |taker_order| {
        let trade = Trade {
            id: TradeId(1),
            seq: Seq(taker_order),
            market: MarketId(0),
            price,
            qty: Qty(2),
            taker_side: Side::Buy,
            taker_order: OrderId(taker_order),
            taker: AccountId(2),
            maker_order: OrderId(1),
            maker: AccountId(0),
            taker_fee: Amount(spec.taker_fee(notional)),
            maker_fee: Amount(spec.maker_fee(notional)),
        };
        Reconciler::default()
            .run(&history.exchange, &[trade], &history.log)
            .irregularities
    };
    assert_eq!(irregular(3), 1, "order 2 was there, and cheaper");
    assert_eq!(irregular(2), 0, "order 2 came later");
}
