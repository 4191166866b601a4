//! One database of the server: what `CREATE DATABASE … TEMPLATE` copies.

use dex::Exchange as Core;
use dex::command::{Command, Event, Outcome, Trade};
use dex::order_log::OrderLog;
use dex::release::SchemaVersion;
use dex::types::{Seq, Side, StableHash, Tif};

use super::ops::{HistoryRow, LedgerPosition};
use crate::time::Micros;

/// Bytes that one row of each table takes, header, indexes and free space included.
const ORDER_LOG_ROW_BYTES: u64 = 180;
const TRADE_ROW_BYTES: u64 = 220;
const BALANCE_ROW_BYTES: u64 = 110;
const ORDER_ROW_BYTES: u64 = 190;

/// A row of the table `trades`: its id and a stable hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeRow {
    /// Trade id.
    pub id: u64,
    /// Stable hash of everything that the trade says.
    pub content: u64,
}

/// The stable hash of a trade's content.
#[must_use]
pub fn trade_content(trade: &Trade) -> u64 {
    let mut hash = StableHash::from_digest(trade.id.0);
    hash.word(u64::from(trade.market.0) << 1 | u64::from(trade.taker_side == Side::Buy));
    hash.word(trade.price.0 as u64);
    hash.word(trade.qty.0 as u64);
    hash.word(trade.taker_order.0);
    hash.word(trade.maker_order.0);
    hash.word(u64::from(trade.taker.0) << 32 | u64::from(trade.maker.0));
    hash.digest()
}

/// The stable hash of what an order says.
#[must_use]
pub fn order_content(command: &Command) -> u64 {
    let mut hash = StableHash::default();
    match command {
        Command::Place {
            account,
            market,
            side,
            price,
            qty,
            tif,
        } => {
            let terms = u64::from(*side == Side::Buy) << 1 | u64::from(*tif == Tif::Ioc);
            hash.word(u64::from(account.0) << 32 | u64::from(market.0) << 2 | terms);
            hash.word(price.0 as u64);
            hash.word(qty.0 as u64);
        }
        Command::Cancel { account, order } => {
            hash.word(u64::from(account.0));
            hash.word(order.0);
        }
    }
    hash.digest()
}

/// The content of one database.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Flyway's history.
    pub(crate) history: Vec<HistoryRow>,
    /// Layout of the state tables.
    pub(crate) schema: SchemaVersion,
    /// What the state tables hold: the ledger as of `state.seq()`, whose build is of no meaning here.
    pub(crate) state: Core,
    pub(crate) log: OrderLog,
    pub(crate) trades: Vec<TradeRow>,
    /// The sequences' values: highest order and trade id ever handed out.
    pub(crate) order_id_max: u64,
    pub(crate) trade_id_max: u64,
    /// Token of the fence, if it is up.
    pub(crate) fence: Option<u64>,
    /// Highest fencing token ever seen.
    pub(crate) token_max: u64,
    /// Epoch of the leader row.
    pub(crate) epoch: u64,
    /// Set while `orders` has a column `client_ref`: the order log's position when it was added.
    pub(crate) client_refs_since: Option<u64>,
    /// References that were dropped with their column.
    pub(crate) client_refs_lost: u64,
    /// Snapshot that this database was restored from.
    pub(crate) restored_from: Option<String>,
    /// Set for copies: when the copy was complete.
    pub(crate) copied_at: Option<Micros>,
    pub(crate) base_bytes: u64,
    pub(crate) base_rows: u64,
}

impl Ledger {
    /// A ledger as the base schema and the first deposits leave it.
    pub(crate) fn new(state: Core, base_bytes: u64, base_rows: u64) -> Self {
        Self {
            history: super::schema::base_history(),
            schema: SchemaVersion::V1,
            state,
            log: OrderLog::new(),
            trades: Vec::new(),
            order_id_max: 0,
            trade_id_max: 0,
            fence: None,
            token_max: 0,
            epoch: 0,
            client_refs_since: None,
            client_refs_lost: 0,
            restored_from: None,
            copied_at: None,
            base_bytes,
            base_rows,
        }
    }

    /// Makes room for the orders and trades of `requests` requests.
    pub(crate) fn reserve(&mut self, requests: usize) {
        self.log.reserve(requests);
        self.trades.reserve(requests);
    }

    /// Orders whose row carries a client's reference (release 2.0.1 adds the column).
    #[must_use]
    pub fn client_refs(&self) -> u64 {
        self.client_refs_since
            .map_or(0, |since| self.log.last_seq().0 - since)
    }

    /// References that a lossy undo has dropped.
    #[must_use]
    pub fn client_refs_lost(&self) -> u64 {
        self.client_refs_lost
    }

    /// Position of the log, the sequences and the trades table.
    #[must_use]
    pub fn position(&self) -> LedgerPosition {
        let log_seq = self.log.last_seq().0;
        LedgerPosition {
            log_seq,
            order_id_max: self.order_id_max.max(log_seq),
            trade_id_max: self.trade_id_max.max(self.state.trade_id().0),
            trades: self.trades.len() as u64,
        }
    }

    /// The state tables, as the exchange's core.
    #[must_use]
    pub fn state(&self) -> &Core {
        &self.state
    }

    /// The order log.
    #[must_use]
    pub fn log(&self) -> &OrderLog {
        &self.log
    }

    /// The table of trades, by id.
    #[must_use]
    pub fn trades(&self) -> &[TradeRow] {
        &self.trades
    }

    /// Flyway's history, oldest first.
    #[must_use]
    pub fn history(&self) -> &[HistoryRow] {
        &self.history
    }

    /// Layout of the state tables.
    #[must_use]
    pub fn schema(&self) -> SchemaVersion {
        self.schema
    }

    /// Token of the fence, if it is up.
    #[must_use]
    pub fn fence(&self) -> Option<u64> {
        self.fence
    }

    /// Entries of the order log that the state tables lack.
    #[must_use]
    pub fn unapplied(&self) -> u64 {
        self.log.last_seq().0 - self.state.seq().0
    }

    /// Newest successful version in the history.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.history
            .iter()
            .rev()
            .filter(|r| r.success)
            .find_map(|r| r.version.as_deref())
    }

    /// Rows that a migration of the amounts writes anew, those from before the drill included.
    #[must_use]
    pub fn rewritten_rows(&self) -> u64 {
        self.base_rows + self.state.ledger().balances().len() as u64
    }

    /// Size in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.base_bytes
            + self.log.last_seq().0 * ORDER_LOG_ROW_BYTES
            + self.trades.len() as u64 * TRADE_ROW_BYTES
            + self.state.ledger().balances().len() as u64 * BALANCE_ROW_BYTES
            + self.state.open_orders() as u64 * ORDER_ROW_BYTES
    }

    /// One transaction of the leader: applies `command` and writes log entry, trades and state.
    /// What happened is appended to `events`. The state tables must be up to date with the log.
    #[inline]
    pub(crate) fn transact(&mut self, command: &Command, events: &mut Vec<Event>) -> Outcome {
        let seq = Seq(self.state.seq().0 + 1);
        let outcome = self.state.apply(seq, command, events);
        if let Outcome::Accepted { .. } = outcome {
            self.log
                .append(seq, *command)
                .expect("the log and the state tables advance together");
            self.insert_trades(events);
        }
        outcome
    }

    #[inline]
    fn insert_trades(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Trade(trade) = event {
                self.trades.push(TradeRow {
                    id: trade.id.0,
                    content: trade_content(trade),
                });
            }
        }
    }

    /// The leader writes down a state that it computed by replaying the log, with the trades of the replay.
    pub(crate) fn persist(&mut self, state: Core, trades: &[TradeRow]) {
        self.state = state;
        self.trades.extend_from_slice(trades);
    }
}
