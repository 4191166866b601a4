//! Each invariant passes on a good state and fails on a doctored one.

use super::*;
use crate::order_log::LogError;
use crate::release::Defect;
use crate::testing::{History, genesis, immediate, matching, place};
use crate::types::Side::{Buy, Sell};

fn busy(fault: Option<Defect>) -> History {
    History::new(genesis(fault, 20)).drive(3_000, 11)
}

fn fills(trades: &[Trade]) -> Vec<Fill> {
    trades.iter().flat_map(Trade::fills).collect()
}

#[test]
fn a_good_history_breaks_nothing() {
    let history = busy(None);
    let trades = history.trades();
    assert!(trades.len() > 1_000);
    let mut found = state(&history.exchange);
    found.extend(two_fills(&trades, &fills(&trades)));
    found.extend(fills_within_orders(&history.events));
    found.extend(price_time_priority(&history.from, &history.events));
    found.extend(settled_once(&trades));
    found.extend(gap_free_log(
        Seq(0),
        OrderLogHead::empty(),
        history.log.entries(),
    ));
    found.extend(gap_free_trades(TradeId(0), &trades));
    found.extend(deterministic(&history.from, history.log.entries()));
    found.extend(recovered(
        &history.from,
        history.log.entries(),
        &history.exchange,
    ));
    assert_eq!(found, []);
}

struct OrderLogHead;

impl OrderLogHead {
    fn empty() -> u64 {
        crate::order_log::OrderLog::new().chain()
    }
}

#[test]
fn conservation_sees_money_that_appears_and_debts() {
    let mut exchange = busy(None).exchange;
    let (account, asset) = (AccountId(3), AssetId(1));
    exchange.doctor_ledger().doctor(account, asset).free += Amount(1);
    let by = Amount(1);
    assert_eq!(
        conserved(&exchange),
        [Violation::NotConserved { asset, by }]
    );

    let balance = exchange.doctor_ledger().doctor(account, asset);
    let all = balance.free - by;
    balance.free = Amount(-5);
    exchange.doctor_ledger().doctor(AccountId(4), asset).free += all + Amount(5);
    assert_eq!(
        conserved(&exchange),
        [Violation::Negative { account, asset }]
    );
}

#[test]
fn locked_sees_a_reservation_on_the_wrong_account() {
    let mut history = History::new(genesis(None, 3));
    history.send(place(0, Buy, 0, 10));
    assert_eq!(locked_is_reserved(&history.exchange), []);
    let locked = history
        .exchange
        .ledger()
        .balance(AccountId(0), AssetId(0))
        .locked;
    history
        .exchange
        .doctor_ledger()
        .doctor(AccountId(0), AssetId(0))
        .locked = Amount::ZERO;
    history
        .exchange
        .doctor_ledger()
        .doctor(AccountId(2), AssetId(0))
        .locked = locked;
    // The totals agree; only the accounts do not.
    assert_eq!(conserved(&history.exchange), []);
    assert_eq!(locked_is_reserved(&history.exchange).len(), 2);
}

#[test]
fn a_crossed_book_is_seen() {
    let mut history = History::new(genesis(None, 3));
    history.send(place(0, Buy, -1, 10));
    history.send(place(1, Sell, 1, 10));
    assert_eq!(uncrossed(&history.exchange), []);
    let book = history.exchange.doctor_book(MarketId(0));
    let slot = book.front(Buy).unwrap();
    book.doctor(slot).price.0 += 2;
    assert_eq!(
        uncrossed(&history.exchange),
        [Violation::Crossed(MarketId(0))]
    );
}

#[test]
fn a_missing_third_or_unequal_fill_is_seen() {
    let trades = busy(None).trades();
    let good = fills(&trades);
    let trade = trades[0].id;

    let fills = 1;
    assert_eq!(
        two_fills(&trades, &good[1..]),
        [Violation::NotTwoFills { trade, fills }]
    );
    let mut three = good.clone();
    three.push(good[0]);
    assert_eq!(
        two_fills(&trades, &three),
        [Violation::NotTwoFills { trade, fills: 3 }]
    );
    let mut bigger = good.clone();
    bigger[1].qty.0 += 1;
    assert_eq!(
        two_fills(&trades, &bigger),
        [Violation::UnequalFills(trade)]
    );
    let mut both_buy = good.clone();
    both_buy[0].side = both_buy[1].side;
    assert_eq!(
        two_fills(&trades, &both_buy),
        [Violation::UnequalFills(trade)]
    );
    let orphan = two_fills(&trades[1..], &good);
    assert_eq!(orphan, [Violation::UnequalFills(trade)]);
}

#[test]
fn overfilled_and_empty_orders_are_seen() {
    let mut history = History::new(genesis(None, 3));
    history.send(place(0, Buy, 0, 10));
    history.send(place(1, Sell, 0, 4));
    assert_eq!(within_orders(&history.exchange), []);
    assert_eq!(fills_within_orders(&history.events), []);

    let book = history.exchange.doctor_book(MarketId(0));
    let slot = book.front(Buy).unwrap();
    book.doctor(slot).remaining = Qty(0);
    assert_eq!(
        within_orders(&history.exchange),
        [Violation::EmptyResting(OrderId(1))]
    );
    history
        .exchange
        .doctor_book(MarketId(0))
        .doctor(slot)
        .remaining = Qty(11);
    assert!(matches!(
        within_orders(&history.exchange)[..],
        [Violation::Overfilled { .. }]
    ));

    let mut more = history.trades()[0];
    more.qty = Qty(7);
    history.events.push(Event::Trade(more));
    // 4 + 7 lots of an order over 10, and of one over 4.
    assert_eq!(fills_within_orders(&history.events).len(), 2);
}

#[test]
fn being_passed_over_is_seen_by_time_and_by_price() {
    let mut history = History::new(genesis(Some(Defect::PriorityInversion), 4));
    history.send(place(0, Sell, 0, 5));
    history.send(place(1, Sell, 0, 5));
    history.send(place(2, Buy, 0, 5));
    let (trade, before) = (TradeId(1), OrderId(1));
    assert_eq!(
        price_time_priority(&history.from, &history.events),
        [Violation::PassedOver { trade, before }]
    );

    let mut history = History::new(genesis(None, 4));
    history.send(place(0, Sell, 3, 5));
    history.send(place(1, Sell, 1, 5));
    history.send(place(2, Buy, 3, 5));
    assert_eq!(price_time_priority(&history.from, &history.events), []);
    for event in &mut history.events {
        if let Event::Trade(t) = event {
            t.maker_order = OrderId(1);
            t.price.0 += 2;
        }
    }
    let found = price_time_priority(&history.from, &history.events);
    assert_eq!(
        found[0],
        Violation::PassedOver {
            trade,
            before: OrderId(2)
        }
    );
}

#[test]
fn a_price_beyond_the_limit_is_seen_and_a_later_start_is_not() {
    let mut history = History::new(genesis(None, 4));
    history.send(place(0, Sell, 0, 5));
    let middle = history.exchange.clone();
    let seen = history.events.len();
    history.send(immediate(1, Buy, 0, 2));
    history.send(place(1, Buy, 2, 2));
    assert_eq!(price_time_priority(&middle, &history.events[seen..]), []);
    for event in &mut history.events {
        if let Event::Trade(t) = event {
            t.price.0 += 1;
        }
    }
    // Neither maker asked for that price; the first taker did not allow it.
    assert_eq!(
        price_time_priority(&middle, &history.events[seen..]).len(),
        3
    );
}

#[test]
fn a_second_settlement_is_seen_under_either_id() {
    let mut trades = busy(None).trades();
    let again = trades[5];
    trades.push(again);
    assert_eq!(settled_once(&trades), [Violation::Twice(again.id)]);
    let renamed = Trade {
        id: TradeId(999_999),
        ..again
    };
    *trades.last_mut().unwrap() = renamed;
    assert_eq!(settled_once(&trades), [Violation::Twice(renamed.id)]);
}

#[test]
fn gaps_and_alterations_are_seen() {
    let history = busy(None);
    let head = OrderLogHead::empty();
    let mut entries = history.log.entries().to_vec();
    entries.remove(7);
    let gap = LogError::Gap {
        expected: 8,
        found: 9,
    };
    assert_eq!(gap_free_log(Seq(0), head, &entries), [Violation::Log(gap)]);
    let mut entries = history.log.entries().to_vec();
    entries[7].command = entries[8].command;
    assert_eq!(
        gap_free_log(Seq(0), head, &entries),
        [Violation::Log(LogError::Chain(Seq(8)))]
    );

    let mut trades = history.trades();
    trades.remove(2);
    let (expected, found) = (TradeId(3), TradeId(4));
    assert_eq!(
        gap_free_trades(TradeId(0), &trades),
        [Violation::TradeGap { expected, found }]
    );
}

#[test]
fn state_that_depends_on_the_process_is_seen() {
    let history = busy(Some(Defect::UnstableHash));
    assert!(deterministic(&history.from, history.log.entries()).is_some());
}

#[test]
fn a_state_that_the_log_does_not_give_is_seen() {
    let history = busy(Some(Defect::DoubleCredit));
    let old = history.from.clone().under(matching(None), 0);
    assert!(recovered(&old, history.log.entries(), &history.exchange).is_some());
    // A rollback that replays the log on the old build heals it.
    let healed = replay(old.clone(), history.log.entries());
    assert_eq!(recovered(&old, history.log.entries(), &healed), None);
    assert_eq!(state(&healed), []);
    assert_eq!(healed.trade_id(), history.exchange.trade_id());
}

#[test]
fn a_credit_to_the_wrong_account_shows_in_no_sum_but_in_the_log() {
    let history = busy(Some(Defect::Misdirected));
    assert_eq!(state(&history.exchange), []);
    let old = history.from.clone().under(matching(None), 0);
    let entries = history.log.entries();
    assert!(recovered(&old, entries, &history.exchange).is_some());
    let reckoned = reckon(old, entries, history.exchange.seq());
    assert_eq!(reckoned.trades, history.trades());
    assert_eq!(reckoned.refused, []);
    assert_eq!(state(&reckoned.state), []);
}

#[test]
fn what_was_acknowledged_is_there_or_reported() {
    let order = |n| Acked::Order(OrderId(n));
    let acked = [
        (order(1), 'a'),
        (order(2), 'b'),
        (Acked::Trade(TradeId(1)), 'c'),
    ];
    let none = BTreeSet::new();
    assert_eq!(acknowledged(&acked, &acked, &none), []);
    assert_eq!(
        acknowledged(&acked, &acked[1..], &none),
        [Violation::LostSilently(order(1))]
    );
    let reported = BTreeSet::from([order(1)]);
    assert_eq!(acknowledged(&acked, &acked[1..], &reported), []);
    assert_eq!(
        acknowledged(&acked, &acked, &reported),
        [Violation::ReportedLostButPresent(order(1))]
    );
    let twice = [acked[0], acked[1], acked[2], acked[1]];
    assert_eq!(
        acknowledged(&acked, &twice, &none),
        [Violation::ExecutedTwice(order(2))]
    );
    let altered = [acked[0], (order(2), 'x'), acked[2]];
    assert_eq!(
        acknowledged(&acked, &altered, &none),
        [Violation::Altered(order(2))]
    );
}
