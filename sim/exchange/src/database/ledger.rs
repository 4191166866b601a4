//! One database of the server: what `CREATE DATABASE … TEMPLATE` copies.

use std::sync::Arc;

use dex::Exchange as Core;
use dex::command::{Command, Event, EventSink, Outcome, Trade};
use dex::order_log::{OrderLog, replay_into};
use dex::release::{Build, SchemaVersion};
use dex::types::{AccountId, AssetId, Seq, Side, StableHash, Tif};

use contract::ledger::{HistoryRow, LedgerPosition};
use sim::time::Micros;

/// Bytes that one row of each table takes, header, indexes and free space included.
const ORDER_LOG_ROW_BYTES: u64 = 180;
const TRADE_ROW_BYTES: u64 = 220;
const BALANCE_ROW_BYTES: u64 = 110;
const ORDER_ROW_BYTES: u64 = 190;

/// What a ledger in use has taken the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// Snapshot that it was copied from.
    pub(crate) from: String,
    /// Name of the ledger that was in use before.
    pub(crate) set_aside: String,
}

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
    hash.words([trade.seq.0, trade.taker_fee.bits(), trade.maker_fee.bits()]);
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

/// A matching engine began to write: what it found in the state tables, and what it made of it and the log's tail.
#[derive(Clone, Debug)]
pub struct Handover {
    /// The engine's build. Whatever it executed afterwards, until the next handover,
    /// follows from `written` and the log.
    pub build: Build,
    /// The state tables as it loaded them.
    pub found: Arc<Core>,
    /// The state tables as it wrote them before its first transaction.
    pub written: Arc<Core>,
}

impl Handover {
    /// Whether it applied entries of the log that the tables lacked.
    #[must_use]
    pub fn replayed(&self) -> bool {
        self.written.seq() != self.found.seq()
    }
}

/// The content of one database.
#[derive(Clone, Debug)]
pub struct LedgerTables {
    /// Flyway's history.
    pub(crate) history: Vec<HistoryRow>,
    /// Layout of the state tables.
    pub(crate) schema: SchemaVersion,
    /// What the state tables hold: the ledger as of `state.seq()`, whose build is of no meaning here.
    pub(crate) state: Core,
    pub(crate) log: OrderLog,
    pub(crate) trades: Vec<TradeRow>,
    /// Which engines have written the state tables, oldest first: the world's own record.
    pub(crate) handovers: Vec<Handover>,
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
    /// What this database is a restored copy of, until the fence is lowered.
    pub(crate) restored: Option<Restored>,
    /// Set for copies: when the copy was complete.
    pub(crate) copied_at: Option<Micros>,
    pub(crate) base_bytes: u64,
    pub(crate) base_rows: u64,
}

impl LedgerTables {
    /// A ledger as the base schema and the first deposits leave it.
    pub(crate) fn new(state: Core, base_bytes: u64, base_rows: u64) -> Self {
        Self {
            history: super::schema::base_history(),
            schema: SchemaVersion::V1,
            state,
            log: OrderLog::new(),
            trades: Vec::new(),
            handovers: Vec::new(),
            fence: None,
            token_max: 0,
            epoch: 0,
            client_refs_since: None,
            client_refs_lost: 0,
            restored: None,
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

    /// What the tables say: the last entry of the log, the newest order and trade, and how many trades there are.
    #[must_use]
    pub fn position(&self) -> LedgerPosition {
        // The table of orders is as old as the state tables are.
        let applied = self.log.entries();
        let applied = &applied[..applied.len().min(self.state.seq().0 as usize)];
        let placed = applied
            .iter()
            .rfind(|entry| matches!(entry.command, Command::Place { .. }));
        let traded = self.trades.last().map_or(0, |trade| trade.id);
        LedgerPosition {
            log_seq: self.log.last_seq().0,
            order_id_max: placed.map_or(0, |entry| entry.seq.0),
            trade_id_max: traded.max(self.state.trade_id().0),
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

    /// Which engines have written the state tables, oldest first.
    #[must_use]
    pub fn handovers(&self) -> &[Handover] {
        &self.handovers
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
    /// `events` is told what happened. The state tables must be up to date with the log.
    #[inline]
    pub(crate) fn transact(&mut self, command: &Command, events: &mut impl EventSink) -> Outcome {
        let seq = Seq(self.state.seq().0 + 1);
        let mut inserts = Inserts {
            trades: &mut self.trades,
            then: events,
        };
        // Only a command that is accepted makes trades.
        let outcome = self.state.apply(seq, command, &mut inserts);
        if let Outcome::Accepted { .. } = outcome {
            self.log
                .append(seq, *command)
                .expect("the log and the state tables advance together");
        }
        outcome
    }

    /// [`Self::transact`], after what the state tables lack of the log: what a session does that has just begun.
    pub(super) fn transact_after_replay(&mut self, command: &Command) -> Outcome {
        let tail = self.log.after(self.state.seq()).to_vec();
        let mut inserts = Inserts {
            trades: &mut self.trades,
            then: &mut (),
        };
        let (state, _) = replay_into(self.state.clone(), &tail, &mut inserts);
        self.state = state;
        self.transact(command, &mut ())
    }

    /// The leader writes down a state that it computed from `loaded` by replaying the log, with the trades of the
    /// replay. Like a real one it writes the balances that the replay changed, so that what somebody booked to any
    /// other one since it loaded them stays.
    pub(crate) fn persist(&mut self, loaded: Arc<Core>, state: Core, trades: &[TradeRow]) {
        let tables = std::mem::replace(&mut self.state, state);
        self.keep_bookings(&loaded, &tables);
        self.handovers.push(Handover {
            build: *self.state.build(),
            found: loaded,
            written: Arc::new(self.state.clone()),
        });
        self.trades.extend_from_slice(trades);
    }

    /// Keeps what was booked in `tables` since they were `loaded`, where the state has the balance as it was loaded.
    fn keep_bookings(&mut self, loaded: &Core, tables: &Core) {
        let assets = usize::from(loaded.ledger().assets()).max(1);
        let balances = [loaded, tables, &self.state].map(|core| core.ledger().balances());
        let [loaded, tables, written] = balances;
        if loaded == tables {
            return;
        }
        let rows = loaded.iter().zip(tables).zip(written).enumerate();
        let booked: Vec<_> = rows
            .filter(|(_, ((loaded, tables), written))| loaded != tables && loaded == written)
            .map(|(n, ((loaded, tables), _))| (n, tables.free - loaded.free))
            .collect();
        for (n, amount) in booked {
            let (account, asset) = (AccountId((n / assets) as u32), AssetId((n % assets) as u16));
            self.state
                .book_without_counter_entry(account, asset, amount);
        }
    }
}

/// Inserts a row for each trade, and tells somebody else of everything.
struct Inserts<'a, S> {
    trades: &'a mut Vec<TradeRow>,
    then: &'a mut S,
}

impl<S: EventSink> EventSink for Inserts<'_, S> {
    #[inline]
    fn push(&mut self, event: Event) {
        if let Event::Trade(trade) = &event {
            self.trades.push(TradeRow {
                id: trade.id.0,
                content: trade_content(trade),
            });
        }
        self.then.push(event);
    }
}
