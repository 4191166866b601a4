//! The exchange's invariants, as functions that return every violation they find.
//!
//! | # | invariant | function |
//! |---|---|---|
//! | 1 | each asset is conserved, no balance is negative | [`conserved`] |
//! | 2 | locked = what open orders reserve, for each account and asset | [`locked_is_reserved`] |
//! | 3 | no book is crossed or locked | [`uncrossed`] |
//! | 4 | a trade is exactly two fills of one size and price | [`two_fills`] |
//! | 5 | filled ≤ ordered, and no empty order rests | [`within_orders`], [`fills_within_orders`] |
//! | 6 | price, then time | [`price_time_priority`] |
//! | 7 | trade ids are unique, nothing is settled twice | [`settled_once`] |
//! | 8 | sequences increase by one | [`gap_free_log`], [`gap_free_trades`] |
//! | 9 | one log, one state | [`deterministic`] |
//! | 10 | snapshot + replay on the old build = state after the rollback | [`recovered`] |
//! | 11 | what was acknowledged is there or reported lost, and nothing ran twice | [`acknowledged`] |
//!
//! They take what they judge from outside. All but 9 and 10 share no code with the matching loop beyond the arithmetic
//! of [`MarketSpec`](crate::market::MarketSpec); those two run the very engine, so they hold one build against another,
//! not the engine against a specification. A drill's looks at the ledger ask 1, 2, 3, 5 and what one state shows of 9
//! ([`state`]); in the simulation they also ask what the state shows of 6 about the latest trades ([`passed_over`]). A
//! drill's end asks 10 by [`reckon`] and counts 11 in a form of its own; tests of the engine ask all.
//!
//! Balance anomaly: 1, 2. Matching irregularity: 3 to 8. State determinism: 9 to 11.

mod violation;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

pub use self::violation::{Acked, Violation};

use crate::command::{Event, EventSink, Fill, Trade};
use crate::exchange::Exchange;
use crate::order_log::{self, LogEntry, replay};
use crate::types::{AccountId, Amount, AssetId, MarketId, OrderId, Price, Qty, Seq, Side, TradeId};

/// 1: for each asset `Σ(free + locked) + fees + suspense + adjustments = net deposits`, and no balance is negative.
#[must_use]
pub fn conserved(exchange: &Exchange) -> Vec<Violation> {
    let ledger = exchange.ledger();
    let mut found: Vec<Violation> = ledger
        .imbalances()
        .into_iter()
        .enumerate()
        .filter(|(_, by)| *by != Amount::ZERO)
        .map(|(n, by)| Violation::NotConserved {
            asset: AssetId(n as u16),
            by,
        })
        .collect();
    if !ledger.has_negative() {
        return found;
    }
    let assets = usize::from(ledger.assets()).max(1);
    found.extend(
        ledger
            .balances()
            .iter()
            .enumerate()
            .filter(|(_, b)| b.free.0 < 0 || b.locked.0 < 0)
            .map(|(n, _)| Violation::Negative {
                account: AccountId((n / assets) as u32),
                asset: AssetId((n % assets) as u16),
            }),
    );
    found
}

/// 2: each account's locked balance is what its open orders reserve.
#[must_use]
pub fn locked_is_reserved(exchange: &Exchange) -> Vec<Violation> {
    let ledger = exchange.ledger();
    let assets = usize::from(ledger.assets()).max(1);
    let mut reserved = vec![Amount::ZERO; ledger.balances().len()];
    for (spec, book) in exchange.markets() {
        for o in book.unordered() {
            let asset = usize::from(spec.reserved_asset(o.side).0);
            reserved[o.account.0 as usize * assets + asset] +=
                spec.reservation(o.side, o.price, o.remaining);
        }
    }
    // As it should be, in one look.
    let both = ledger.balances().iter().zip(&reserved);
    let differing = both.fold(0, |bits, (balance, reserved)| {
        bits | (balance.locked.0 ^ reserved.0)
    });
    if differing == 0 {
        return Vec::new();
    }
    ledger
        .balances()
        .iter()
        .zip(reserved)
        .enumerate()
        .filter(|(_, (balance, reserved))| balance.locked != *reserved)
        .map(|(n, (balance, reserved))| Violation::LockedMismatch {
            account: AccountId((n / assets) as u32),
            asset: AssetId((n % assets) as u16),
            locked: balance.locked,
            reserved,
        })
        .collect()
}

/// 3: in every book the best bid is below the best ask.
#[must_use]
pub fn uncrossed(exchange: &Exchange) -> Vec<Violation> {
    exchange
        .markets()
        .filter(|(_, book)| {
            // Looks at every order, not at the book's own idea of its best price.
            let (mut bid, mut ask): (Option<Price>, Option<Price>) = (None, None);
            for o in book.unordered() {
                match o.side {
                    Side::Buy => bid = bid.max(Some(o.price)),
                    Side::Sell => ask = Some(ask.map_or(o.price, |ask| ask.min(o.price))),
                }
            }
            matches!((bid, ask), (Some(bid), Some(ask)) if bid >= ask)
        })
        .map(|(spec, _)| Violation::Crossed(spec.id))
        .collect()
}

/// 4: each trade is exactly two fills, one on each side, of its size and price; no fill is without its trade.
#[must_use]
pub fn two_fills(trades: &[Trade], fills: &[Fill]) -> Vec<Violation> {
    let mut by_trade: BTreeMap<TradeId, Vec<&Fill>> =
        trades.iter().map(|t| (t.id, Vec::new())).collect();
    for fill in fills {
        by_trade.entry(fill.trade).or_default().push(fill);
    }
    let trades: BTreeMap<TradeId, &Trade> = trades.iter().map(|t| (t.id, t)).collect();
    let mut found = Vec::new();
    for (id, fills) in by_trade {
        let [a, b] = fills[..] else {
            found.push(Violation::NotTwoFills {
                trade: id,
                fills: fills.len(),
            });
            continue;
        };
        let fits = trades.get(&id).is_some_and(|t| {
            let same = |f: &Fill| f.qty == t.qty && f.price == t.price;
            let (taker, maker) = if a.order == t.taker_order {
                (a, b)
            } else {
                (b, a)
            };
            same(a)
                && same(b)
                && taker.side == t.taker_side
                && maker.side == t.taker_side.opposite()
                && (taker.order, taker.account) == (t.taker_order, t.taker)
                && (maker.order, maker.account) == (t.maker_order, t.maker)
        });
        if !fits {
            found.push(Violation::UnequalFills(id));
        }
    }
    found
}

/// 5: every resting order has `1 ≤ remaining ≤ ordered` lots.
#[must_use]
pub fn within_orders(exchange: &Exchange) -> Vec<Violation> {
    let mut found = Vec::new();
    for (_, book) in exchange.markets() {
        for (_, o) in book.orders() {
            if o.remaining.0 == 0 {
                found.push(Violation::EmptyResting(o.id));
            } else if !(1..=o.qty.0).contains(&o.remaining.0) {
                found.push(Violation::Overfilled {
                    order: o.id,
                    ordered: o.qty,
                    filled: Qty(o.qty.0 - o.remaining.0),
                });
            }
        }
    }
    found
}

/// 5, over a history: no order was filled beyond what it asked for.
/// Trades of orders that are not in `events` are not judged.
#[must_use]
pub fn fills_within_orders(events: &[Event]) -> Vec<Violation> {
    let mut orders: BTreeMap<OrderId, (Qty, Qty)> = BTreeMap::new();
    for event in events {
        match event {
            Event::OrderAccepted { order, qty, .. } => {
                orders.entry(*order).or_insert((*qty, Qty(0)));
            }
            Event::Trade(t) => {
                for id in [t.taker_order, t.maker_order] {
                    if let Some((_, filled)) = orders.get_mut(&id) {
                        filled.0 += t.qty.0;
                    }
                }
            }
            Event::OrderClosed { .. } => {}
        }
    }
    orders
        .into_iter()
        .filter(|(_, (ordered, filled))| filled > ordered)
        .map(|(order, (ordered, filled))| Violation::Overfilled {
            order,
            ordered,
            filled,
        })
        .collect()
}

/// Key of a resting order: the smallest one of a side is served first.
type Priority = (i64, OrderId);

fn priority(side: Side, price: Price, order: OrderId) -> Priority {
    match side {
        Side::Buy => (-price.0, order),
        Side::Sell => (price.0, order),
    }
}

#[derive(Clone, Copy)]
struct Seen {
    market: MarketId,
    side: Side,
    price: Price,
    remaining: i64,
}

/// 6: judges what happened from state `from` on against a plain model of the books: each trade is with
/// the order that has the best price and, at that price, came first; at that order's price; within the taker's limit.
#[must_use]
pub fn price_time_priority(from: &Exchange, events: &[Event]) -> Vec<Violation> {
    let mut orders: BTreeMap<OrderId, Seen> = BTreeMap::new();
    let mut queues: BTreeMap<(MarketId, Side), BTreeSet<Priority>> = BTreeMap::new();
    for (spec, book) in from.markets() {
        for (_, o) in book.orders() {
            let seen = Seen {
                market: spec.id,
                side: o.side,
                price: o.price,
                remaining: o.remaining.0,
            };
            orders.insert(o.id, seen);
            queues
                .entry((spec.id, o.side))
                .or_default()
                .insert(priority(o.side, o.price, o.id));
        }
    }
    let mut found = Vec::new();
    for event in events {
        match *event {
            Event::OrderAccepted {
                order,
                market,
                side,
                price,
                qty,
                ..
            } => {
                let seen = Seen {
                    market,
                    side,
                    price,
                    remaining: qty.0,
                };
                orders.insert(order, seen);
                queues
                    .entry((market, side))
                    .or_default()
                    .insert(priority(side, price, order));
            }
            Event::OrderClosed { order, .. } => {
                if let Some(seen) = orders.remove(&order)
                    && let Some(queue) = queues.get_mut(&(seen.market, seen.side))
                {
                    queue.remove(&priority(seen.side, seen.price, order));
                }
            }
            Event::Trade(t) => {
                let side = t.taker_side.opposite();
                let fits = |id: OrderId, side: Side, limit_ok: fn(Price, Price, Side) -> bool| {
                    orders.get(&id).is_some_and(|o| {
                        o.market == t.market
                            && o.side == side
                            && o.remaining >= t.qty.0
                            && t.qty.0 > 0
                            && limit_ok(o.price, t.price, side)
                    })
                };
                if !fits(t.maker_order, side, |own, price, _| own == price) {
                    found.push(Violation::Impossible {
                        trade: t.id,
                        order: t.maker_order,
                    });
                }
                let within = |own: Price, price: Price, side: Side| match side {
                    Side::Buy => price <= own,
                    Side::Sell => price >= own,
                };
                if !fits(t.taker_order, t.taker_side, within) {
                    found.push(Violation::Impossible {
                        trade: t.id,
                        order: t.taker_order,
                    });
                }
                let first = queues.get(&(t.market, side)).and_then(BTreeSet::first);
                if let Some((_, before)) = first.filter(|(_, id)| *id != t.maker_order) {
                    found.push(Violation::PassedOver {
                        trade: t.id,
                        before: *before,
                    });
                }
                for id in [t.maker_order, t.taker_order] {
                    if let Some(o) = orders.get_mut(&id) {
                        o.remaining -= t.qty.0;
                    }
                }
            }
        }
    }
    found
}

/// 6: trades of a moment ago that an order which is still open should have got: it was there before the maker, at its
/// price. It finds no order that was closed meanwhile; [`price_time_priority`] does, from all events.
/// `trades` may end behind the state's last one, as they do where the ledger was restored: those are left out.
#[must_use]
pub fn passed_over(exchange: &Exchange, trades: &[Trade]) -> Vec<Violation> {
    let known = trades.iter().filter(|t| t.id <= exchange.trade_id());
    let violation = |t: &Trade| {
        let (_, book) = exchange.market(t.market)?;
        let first = book.front_at(t.taker_side.opposite(), t.price)?;
        (first.id < t.maker_order).then_some(Violation::PassedOver {
            trade: t.id,
            before: first.id,
        })
    };
    known.filter_map(violation).collect()
}

/// 7: no trade id is used twice, and no two trades are the same execution under two ids
/// (an incoming order meets a resting one at most once).
#[must_use]
pub fn settled_once(trades: &[Trade]) -> Vec<Violation> {
    let mut ids = BTreeSet::new();
    let mut meetings = BTreeSet::new();
    trades
        .iter()
        .filter(|t| {
            let new_id = ids.insert(t.id);
            let new_meeting = meetings.insert((t.taker_order, t.maker_order));
            !(new_id && new_meeting)
        })
        .map(|t| Violation::Twice(t.id))
        .collect()
}

/// 8: the log's entries follow entry `from` (with chain hash `chain`) one by one, and the chain holds.
#[must_use]
pub fn gap_free_log(from: Seq, chain: u64, entries: &[LogEntry]) -> Vec<Violation> {
    order_log::verify(from, chain, entries)
        .err()
        .map(Violation::Log)
        .into_iter()
        .collect()
}

/// 8: trade ids follow `from` one by one.
#[must_use]
pub fn gap_free_trades(from: TradeId, trades: &[Trade]) -> Vec<Violation> {
    let mut last = from;
    let mut found = Vec::new();
    for trade in trades {
        let expected = TradeId(last.0 + 1);
        if trade.id != expected {
            found.push(Violation::TradeGap {
                expected,
                found: trade.id,
            });
        }
        last = trade.id;
    }
    found
}

/// 9: two processes that run `from`'s build replay one log to the same state.
#[must_use]
pub fn deterministic(from: &Exchange, entries: &[LogEntry]) -> Option<Violation> {
    let in_process = |n| replay(from.clone().under(*from.build(), n), entries).state_hash();
    let (first, second) = (in_process(1), in_process(2));
    (first != second).then_some(Violation::NotDeterministic { first, second })
}

/// What the log gives on a snapshot: 10, entry by entry.
#[derive(Clone, Debug)]
pub struct Reckoned {
    /// The state, under the snapshot's build.
    pub state: Exchange,
    /// The trades that the log's entries behind the snapshot make.
    pub trades: Vec<Trade>,
    /// Entries of the log that the build refuses.
    pub refused: Vec<Seq>,
}

/// What `snapshot`'s build makes of it and of `entries`, up to entry `to`.
/// Entries that the snapshot has are passed over.
#[must_use]
pub fn reckon(snapshot: Exchange, entries: &[LogEntry], to: Seq) -> Reckoned {
    let up_to = entries.partition_point(|entry| entry.seq <= to);
    let mut made = Trades::default();
    let (state, refused) = order_log::replay_into(snapshot, &entries[..up_to], &mut made);
    Reckoned {
        state,
        trades: made.0,
        refused,
    }
}

/// Keeps the trades and nothing else.
#[derive(Default)]
struct Trades(Vec<Trade>);

impl EventSink for Trades {
    fn push(&mut self, event: Event) {
        if let Event::Trade(trade) = event {
            self.0.push(trade);
        }
    }
}

/// 10: `actual` is what the log gives on `snapshot`, which runs the old build.
#[must_use]
pub fn recovered(
    snapshot: &Exchange,
    entries: &[LogEntry],
    actual: &Exchange,
) -> Option<Violation> {
    let reckoned = reckon(snapshot.clone(), entries, actual.seq());
    let expected = reckoned.state.state_hash();
    let actual = actual.state_hash();
    (expected != actual).then_some(Violation::NotRecovered { expected, actual })
}

/// 11: everything acknowledged is present exactly once and with the same content, or reported lost; never both.
///
/// `T` is the content: what clients noted and what the tables hold must be equal.
#[must_use]
pub fn acknowledged<T: PartialEq + Debug>(
    acked: &[(Acked, T)],
    present: &[(Acked, T)],
    reported_lost: &BTreeSet<Acked>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut by_id: BTreeMap<Acked, &T> = BTreeMap::new();
    for (id, content) in present {
        if by_id.insert(*id, content).is_some() {
            found.push(Violation::ExecutedTwice(*id));
        }
    }
    for (id, content) in acked {
        match (by_id.get(id), reported_lost.contains(id)) {
            (None, false) => found.push(Violation::LostSilently(*id)),
            (Some(_), true) => found.push(Violation::ReportedLostButPresent(*id)),
            (Some(there), false) if *there != content => found.push(Violation::Altered(*id)),
            (None, true) | (Some(_), false) => {}
        }
    }
    found
}

/// 1, 2, 3, 5 and what of 9 can be seen in one state: everything that a state shows by itself.
#[must_use]
pub fn state(exchange: &Exchange) -> Vec<Violation> {
    let mut found = conserved(exchange);
    found.extend(locked_is_reserved(exchange));
    found.extend(uncrossed(exchange));
    found.extend(within_orders(exchange));
    if !exchange.is_of_no_process() {
        found.push(Violation::OfOneProcess);
    }
    found
}

#[cfg(test)]
mod tests;
