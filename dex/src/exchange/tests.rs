//! Matching, settlement, and what a rejection must not touch.

use super::*;
use crate::testing::{History, genesis, immediate, matching, place, trades};
use crate::types::Side::{Buy, Sell};

const USD: AssetId = AssetId(0);
const BASE: AssetId = AssetId(1);

fn accepted(order: u64, filled: i64, resting: i64) -> Outcome {
    Outcome::Accepted {
        order_id: OrderId(order),
        filled: Qty(filled),
        resting: Qty(resting),
    }
}

/// Maker order and lots of each trade.
fn meetings(history: &History) -> Vec<(u64, i64)> {
    history
        .trades()
        .iter()
        .map(|t| (t.maker_order.0, t.qty.0))
        .collect()
}

#[test]
fn a_taker_sweeps_levels_by_price_then_time_and_rests() {
    let mut history = History::new(genesis(None, 5));
    history.send(place(0, Sell, 2, 5));
    history.send(place(1, Sell, 1, 5));
    history.send(place(2, Sell, 1, 5));
    history.send(place(3, Sell, 9, 5));
    assert_eq!(history.send(place(4, Buy, 2, 18)), accepted(5, 15, 3));
    assert_eq!(meetings(&history), [(2, 5), (3, 5), (1, 5)]);
    let mid = MarketSpec::standard(0).mid_price().0;
    let prices: Vec<i64> = history.trades().iter().map(|t| t.price.0 - mid).collect();
    assert_eq!(prices, [1, 1, 2], "at the maker's price");
    let (_, rest) = history.exchange.order(OrderId(5)).unwrap();
    assert_eq!((rest.qty, rest.remaining), (Qty(18), Qty(3)));
    assert_eq!(history.exchange.open_orders(), 2);
}

#[test]
fn a_partial_fill_keeps_the_makers_place() {
    let mut history = History::new(genesis(None, 5));
    history.send(place(0, Buy, 0, 10));
    history.send(place(1, Buy, 0, 10));
    history.send(place(2, Sell, 0, 4));
    history.send(place(2, Sell, -3, 8));
    assert_eq!(meetings(&history), [(1, 4), (1, 6), (2, 2)]);
}

#[test]
fn a_cancelled_order_loses_its_place_and_is_gone() {
    let mut history = History::new(genesis(None, 5));
    history.send(place(0, Sell, 0, 5));
    history.send(place(1, Sell, 0, 5));
    let cancel = Command::Cancel {
        account: AccountId(0),
        order: OrderId(1),
    };
    let before = history.exchange.ledger().balance(AccountId(0), BASE);
    assert_eq!(before.locked, Amount(5_000));
    assert_eq!(history.send(cancel), accepted(1, 0, 0));
    let after = history.exchange.ledger().balance(AccountId(0), BASE);
    assert_eq!(
        (after.locked, after.free),
        (Amount(0), before.free + before.locked)
    );
    assert_eq!(
        history.send(cancel),
        Outcome::Rejected(Reject::UnknownOrder)
    );
    history.send(place(2, Buy, 0, 5));
    assert_eq!(meetings(&history), [(2, 5)]);
}

#[test]
fn only_the_owner_cancels() {
    let mut history = History::new(genesis(None, 5));
    history.send(place(0, Sell, 0, 5));
    let cancel = |account| Command::Cancel {
        account: AccountId(account),
        order: OrderId(1),
    };
    assert_eq!(
        history.send(cancel(1)),
        Outcome::Rejected(Reject::UnknownOrder)
    );
    assert_eq!(history.send(cancel(0)), accepted(1, 0, 0));
}

#[test]
fn immediate_or_cancel_never_rests_and_frees_its_reservation() {
    let mut history = History::new(genesis(None, 5));
    history.send(place(0, Sell, 0, 3));
    assert_eq!(history.send(immediate(1, Buy, 4, 10)), accepted(2, 3, 0));
    assert_eq!(history.exchange.open_orders(), 0);
    assert_eq!(
        history.exchange.ledger().balance(AccountId(1), USD).locked,
        Amount::ZERO
    );
    assert!(matches!(
        history.events.last(),
        Some(Event::OrderClosed {
            unfilled: Qty(7),
            reason: CloseReason::Expired,
            ..
        })
    ));
}

#[test]
fn settlement_moves_exact_amounts() {
    let mut history = History::new(genesis(None, 2));
    let start = history.exchange.ledger().clone();
    history.send(place(0, Sell, 0, 7));
    history.send(place(1, Buy, 5, 7));
    let spec = MarketSpec::standard(0);
    let notional = 7 * spec.mid_price().0 * 3;
    let (maker_fee, taker_fee) = (notional * 2 / 10_000, notional * 7 / 10_000);
    assert!(
        maker_fee > 0 && notional * 7 % 10_000 != 0,
        "rounding matters here"
    );
    let ledger = history.exchange.ledger();
    let gained = |account, asset| {
        let (now, then) = (
            ledger.balance(account, asset),
            start.balance(account, asset),
        );
        assert_eq!(now.locked, Amount::ZERO);
        (now.free - then.free).0
    };
    assert_eq!(gained(AccountId(0), USD), notional - maker_fee);
    assert_eq!(gained(AccountId(0), BASE), -7_000);
    assert_eq!(gained(AccountId(1), USD), -notional - taker_fee);
    assert_eq!(gained(AccountId(1), BASE), 7_000);
    assert_eq!(ledger.venue()[0].fees, Amount(maker_fee + taker_fee));
}

#[test]
fn a_rejection_changes_nothing_not_even_the_sequence() {
    let mut history = History::new(Exchange::genesis(matching(None), 2, 2, Amount(50_000_000)));
    history.send(place(0, Sell, 0, 3));
    let hash = history.exchange.state_hash();
    let events = history.events.len();
    let spec = MarketSpec::standard(0);
    let order = |market: u16, price: i64, qty: i64| Command::Place {
        account: AccountId(1),
        market: MarketId(market),
        side: Buy,
        price: Price(price),
        qty: Qty(qty),
        tif: Tif::Gtc,
    };
    let mid = spec.mid_price().0;
    for (command, reject) in [
        (place(2, Buy, 0, 1), Reject::UnknownAccount),
        (order(2, mid, 1), Reject::UnknownMarket),
        (order(0, spec.min_price.0 - 1, 1), Reject::PriceOutOfBand),
        (order(0, spec.max_price().0 + 1, 1), Reject::PriceOutOfBand),
        (order(0, i64::MIN, 1), Reject::PriceOutOfBand),
        (order(0, i64::MAX, 1), Reject::PriceOutOfBand),
        (order(0, mid, 0), Reject::QtyOutOfRange),
        (order(0, mid, -4), Reject::QtyOutOfRange),
        (order(0, mid, spec.max_qty.0 + 1), Reject::QtyOutOfRange),
        (order(0, mid, spec.max_qty.0), Reject::InsufficientFunds),
    ] {
        assert_eq!(
            history.send(command),
            Outcome::Rejected(reject),
            "{command:?}"
        );
    }
    assert_eq!(history.exchange.state_hash(), hash);
    assert_eq!(history.exchange.seq(), Seq(1));
    assert_eq!(history.events.len(), events);
}

#[test]
fn an_account_may_meet_itself() {
    let mut history = History::new(genesis(None, 2));
    history.send(place(0, Sell, 0, 3));
    assert_eq!(history.send(place(0, Buy, 0, 3)), accepted(2, 3, 0));
    assert_eq!(crate::invariants::state(&history.exchange), []);
}

#[test]
fn work_grows_with_fills() {
    let mut history = History::new(genesis(None, 3));
    history.send(place(0, Sell, 0, 3));
    assert_eq!(history.exchange.work(), Work(WORK_PLACE));
    history.send(place(0, Sell, 0, 3));
    history.send(place(1, Buy, 0, 6));
    assert_eq!(history.exchange.work(), Work(WORK_PLACE + 2 * WORK_FILL));
}

#[test]
#[should_panic(expected = "in sequence")]
fn a_gap_in_the_sequence_is_a_broken_caller() {
    genesis(None, 1).apply(Seq(2), &place(0, Buy, 0, 1), &mut Vec::new());
}

#[test]
fn the_hash_ignores_slab_layout_build_and_process_but_no_order() {
    let history = History::new(genesis(None, 10)).drive(2_000, 3);
    let exchange = history.exchange;
    let orders: Vec<_> = exchange
        .markets()
        .flat_map(|(spec, book)| book.orders().map(|(_, o)| (spec.id, *o)))
        .collect();
    assert!(orders.len() > 20);
    let specs: Vec<MarketSpec> = exchange.markets().map(|(spec, _)| *spec).collect();
    let rebuilt = |orders: Vec<(MarketId, Resting)>| {
        Exchange::from_parts(
            matching(None),
            &specs,
            exchange.ledger().clone(),
            orders,
            exchange.seq(),
            exchange.trade_id(),
        )
    };
    assert_eq!(rebuilt(orders.clone()).state_hash(), exchange.state_hash());
    let other = exchange
        .clone()
        .under(matching(Some(Defect::DoubleCredit)), 9);
    assert_eq!(other.state_hash(), exchange.state_hash());
    assert_ne!(
        rebuilt(orders[1..].to_vec()).state_hash(),
        exchange.state_hash()
    );
    let mut altered = orders;
    altered[0].1.remaining.0 += 1;
    assert_ne!(rebuilt(altered).state_hash(), exchange.state_hash());
}

#[test]
fn double_credit_leaves_matching_alone() {
    let good = History::new(genesis(None, 20)).drive(2_000, 5);
    let bad = History::new(genesis(Some(Defect::DoubleCredit), 20)).drive(2_000, 5);
    assert_eq!(trades(&good.events), trades(&bad.events));
    assert_eq!(good.events, bad.events);
    assert_ne!(good.exchange.state_hash(), bad.exchange.state_hash());
}
