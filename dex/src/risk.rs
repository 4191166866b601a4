//! Reconciliation, as the risk service runs it every few seconds.
//!
//! A run is incremental: it reads the trades since the last one and walks the balances once. Open orders are
//! summed up every [`LOCKED_EVERY`] runs, and every [`SHADOW_EVERY`] runs a copy of the state is kept,
//! the log's next stretch is replayed on it under the same build in another process, and the state hashes are compared.
//!
//! It never raises a false alarm: each finding is a proof. It can overlook (an irregular order that
//! was closed again before the run); the oracles in [`crate::invariants`] overlook nothing but cost more.

use crate::command::Trade;
use crate::exchange::Exchange;
use crate::ledger::Balance;
use crate::order_log::{LogEntry, OrderLog, replay};
use crate::types::{Amount, Side, TradeId};

/// Runs from one sum over open orders to the next.
pub const LOCKED_EVERY: u64 = 4;
/// Runs from one shadow replay to the next.
pub const SHADOW_EVERY: u64 = 12;
/// The process in which shadows are computed.
const SHADOW_INSTANCE: u64 = 0x5ad0;

/// What one run found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Anomalies in the balances now; 0 means that the books balance.
    pub anomalies: u64,
    /// Irregularities of matching, new in this run.
    pub irregularities: u64,
    /// Whether the shadow's hash differed, if a shadow was compared.
    pub hash_mismatch: Option<bool>,
}

/// The reconciler's memory between runs, and its metrics.
#[derive(Clone, Debug, Default)]
pub struct Reconciler {
    runs: u64,
    last_trade: TradeId,
    ledger_anomalies: u64,
    locked_anomalies: u64,
    irregularities: u64,
    hash_mismatches: u64,
    shadow: Option<Box<Exchange>>,
}

impl Reconciler {
    /// A reconciler that has read the trades up to `last_trade`.
    #[must_use]
    pub fn starting_after(last_trade: TradeId) -> Self {
        Self {
            last_trade,
            ..Self::default()
        }
    }

    /// The last trade read: pass those behind it to the next run.
    #[must_use]
    pub fn last_trade(&self) -> TradeId {
        self.last_trade
    }

    /// Metric `dex_reconciliation_anomalies`.
    #[must_use]
    pub fn anomalies(&self) -> u64 {
        self.ledger_anomalies + self.locked_anomalies
    }

    /// Metric `dex_reconciliation_runs_total`.
    #[must_use]
    pub fn runs_total(&self) -> u64 {
        self.runs
    }

    /// Metric `dex_matching_irregularities_total`.
    #[must_use]
    pub fn irregularities_total(&self) -> u64 {
        self.irregularities
    }

    /// Metric `dex_state_hash_mismatches_total`.
    #[must_use]
    pub fn hash_mismatches_total(&self) -> u64 {
        self.hash_mismatches
    }

    /// Reconciles `live` with `trades` and the order log.
    ///
    /// `trades`: those behind [`Reconciler::last_trade`] by id, up to `live`'s (earlier ones are passed over).
    /// If `live` has fewer trades than were read before (a restored ledger), reading resumes at its position.
    pub fn run(&mut self, live: &Exchange, trades: &[Trade], log: &OrderLog) -> Findings {
        self.run_entries(live, trades, log.entries())
    }

    /// As [`Reconciler::run`], with the log's entries, ascending, as a slice that reaches back at least two runs.
    pub fn run_entries(
        &mut self,
        live: &Exchange,
        trades: &[Trade],
        entries: &[LogEntry],
    ) -> Findings {
        let irregularities = self.check_matching(live, trades);
        self.irregularities += irregularities;
        self.ledger_anomalies = ledger_anomalies(live);
        if self.runs.is_multiple_of(LOCKED_EVERY) || self.locked_anomalies > 0 {
            self.locked_anomalies = locked_anomalies(live);
        }
        let hash_mismatch = self.compare_shadow(live, entries);
        if hash_mismatch == Some(true) {
            self.hash_mismatches += 1;
        }
        self.runs += 1;
        Findings {
            anomalies: self.anomalies(),
            irregularities,
            hash_mismatch,
        }
    }

    fn check_matching(&mut self, live: &Exchange, trades: &[Trade]) -> u64 {
        self.last_trade = self.last_trade.min(live.trade_id());
        let read = self.last_trade;
        let mut irregular = live.markets().filter(|(_, book)| book.is_crossed()).count() as u64;
        for trade in trades.iter().skip_while(|t| t.id <= read) {
            let in_sequence = trade.id.0 == self.last_trade.0 + 1;
            if !in_sequence || !is_regular(live, trade) {
                irregular += 1;
            }
            self.last_trade = self.last_trade.max(trade.id);
        }
        irregular
    }

    fn compare_shadow(&mut self, live: &Exchange, entries: &[LogEntry]) -> Option<bool> {
        let shadow = self.shadow.take();
        if self.runs.is_multiple_of(SHADOW_EVERY) {
            self.shadow = Some(Box::new(live.clone().under(*live.build(), SHADOW_INSTANCE)));
        }
        // A shadow of another release, or of a state that was restored over, proves nothing.
        let shadow = shadow.filter(|s| s.build() == live.build() && s.seq() <= live.seq())?;
        let from = entries.partition_point(|e| e.seq <= shadow.seq());
        let to = entries.partition_point(|e| e.seq <= live.seq());
        let stretch = &entries[from..to];
        if stretch.len() as u64 != live.seq().0 - shadow.seq().0 {
            return None;
        }
        Some(replay(*shadow, stretch).state_hash() != live.state_hash())
    }
}

/// Whether nothing in the present book contradicts `trade`: an order still open that was there before the
/// maker, at its price, should have been served first; so should one at a better price that was there before the taker.
fn is_regular(live: &Exchange, trade: &Trade) -> bool {
    let Some((spec, book)) = live.market(trade.market) else {
        return false;
    };
    let notional = spec.notional(trade.price, trade.qty);
    if trade.qty.0 <= 0
        || trade.maker_order >= trade.taker_order
        || trade.taker_fee != Amount(spec.taker_fee(notional))
        || trade.maker_fee != Amount(spec.maker_fee(notional))
    {
        return false;
    }
    let side = trade.taker_side.opposite();
    if book
        .front_at(side, trade.price)
        .is_some_and(|o| o.id < trade.maker_order)
    {
        return false;
    }
    book.front(side).map(|slot| book.get(slot)).is_none_or(|o| {
        let better = match side {
            Side::Buy => o.price > trade.price,
            Side::Sell => o.price < trade.price,
        };
        !(better && o.id < trade.taker_order)
    })
}

/// Assets that are not conserved, and balances below zero.
fn ledger_anomalies(live: &Exchange) -> u64 {
    let ledger = live.ledger();
    let unbalanced = ledger.imbalances().iter().filter(|a| a.0 != 0).count();
    if !ledger.has_negative() {
        return unbalanced as u64;
    }
    let negative = |b: &&Balance| b.free.0 < 0 || b.locked.0 < 0;
    (unbalanced + ledger.balances().iter().filter(negative).count()) as u64
}

/// Assets whose locked total is not what open orders reserve.
fn locked_anomalies(live: &Exchange) -> u64 {
    let ledger = live.ledger();
    let assets = usize::from(ledger.assets());
    let mut open = vec![Amount::ZERO; assets];
    for account in ledger.balances().chunks_exact(assets) {
        for (sum, balance) in open.iter_mut().zip(account) {
            *sum += balance.locked;
        }
    }
    for (spec, book) in live.markets() {
        for o in book.unordered() {
            open[usize::from(spec.reserved_asset(o.side).0)] -=
                spec.reservation(o.side, o.price, o.remaining);
        }
    }
    open.iter().filter(|a| a.0 != 0).count() as u64
}

#[cfg(test)]
mod tests;
