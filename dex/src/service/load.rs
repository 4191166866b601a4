//! The ledger as a build loads it: rows, then the order log's tail replayed in memory.
//!
//! Amounts come as text whatever the schema, so a build that was made for another one stumbles in its own parser.

use tokio_postgres::{Client, IsolationLevel, Row, Transaction};

use super::database::Trouble;
use super::log::chain;
use crate::book::Resting;
use crate::command::{Command, Event};
use crate::exchange::Exchange;
use crate::ledger::{Balance, Venue};
use crate::market::MarketSpec;
use crate::order_log::{LogEntry, OrderLog, replay_into, verify};
use crate::release::Build;
use crate::rows::{self, BalanceRow, Column, Rows, VenueRow};
use crate::types::{AccountId, AssetId, MarketId, OrderId, Price, Qty, Seq, Side, TradeId};

/// Why the ledger was not loaded.
#[derive(Clone, Debug)]
pub(super) enum LoadError {
    /// The database did not answer.
    Database(Trouble),
    /// The build cannot read what is there.
    Unreadable(String),
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(Trouble::of(&error))
    }
}

/// The ledger's balances as they stand in the database.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) seq: Seq,
    pub(super) balances: Vec<Balance>,
    pub(super) venue: Vec<Venue>,
}

/// A loaded ledger.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) state: Exchange,
    /// Hash chain of the log's last entry.
    pub(super) chain: u64,
    pub(super) written: Written,
    /// What the replay of the tail made happen, not yet in the rows.
    pub(super) replayed: Vec<Event>,
    /// Entries of the tail that this build refused, though they were accepted once and acknowledged.
    pub(super) refused: Vec<Seq>,
}

/// Loads the ledger for `build`, in process `instance`.
pub(super) async fn load(
    client: &mut Client,
    build: &Build,
    instance: u64,
) -> Result<Loaded, LoadError> {
    let transaction = snapshot(client).await?;
    let rows = read_rows(&transaction).await?;
    let applied = rows.applied_seq;
    let tail = read_log(&transaction, applied, None).await?;
    let head = read_chain(&transaction, applied).await?;
    transaction.commit().await?;
    let head = match head {
        Some(head) => head,
        None if applied == Seq(0) => OrderLog::new().chain(),
        None => {
            return Err(LoadError::Unreadable(format!(
                "order_log has no entry {applied}, which the rows include"
            )));
        }
    };
    verify(applied, head, &tail).map_err(|error| LoadError::Unreadable(chain(&error)))?;
    let mut state =
        rows::decode(build, &rows).map_err(|error| LoadError::Unreadable(chain(&error)))?;
    let written = Written {
        seq: applied,
        balances: state.ledger().balances().to_vec(),
        venue: state.ledger().venue().to_vec(),
    };
    if state.undecodable().is_empty() {
        state = state.under(*build, instance);
    }
    let mut replayed = Vec::with_capacity(tail.len() * 3);
    let (state, refused) = replay_into(state, &tail, &mut replayed);
    Ok(Loaded {
        state,
        chain: tail.last().map_or(head, |entry| entry.chain),
        written,
        replayed,
        refused,
    })
}

/// Begins a transaction that sees one state of the database.
pub(super) async fn snapshot(
    client: &mut Client,
) -> Result<Transaction<'_>, tokio_postgres::Error> {
    client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
}

/// The hash chain at entry `seq`, if that is there.
pub(super) async fn read_chain(
    transaction: &Transaction<'_>,
    seq: Seq,
) -> Result<Option<u64>, tokio_postgres::Error> {
    let row = transaction
        .query_opt(
            "SELECT chain FROM order_log WHERE seq = $1",
            &[&signed(seq.0)],
        )
        .await?;
    Ok(row.map(|row| row.get::<_, i64>(0) as u64))
}

/// The log's entries behind `after`, up to `to`.
pub(super) async fn read_log(
    transaction: &Transaction<'_>,
    after: Seq,
    to: Option<Seq>,
) -> Result<Vec<LogEntry>, LoadError> {
    let to = to.map_or(i64::MAX, |seq| signed(seq.0));
    let found = transaction
        .query(
            "SELECT seq, entry::text, chain FROM order_log WHERE seq > $1 AND seq <= $2 ORDER BY seq",
            &[&signed(after.0), &to],
        )
        .await?;
    found
        .iter()
        .map(|row| {
            let seq = Seq(unsigned(row, 0));
            let command: Command = serde_json::from_str(row.get(1)).map_err(|error| {
                LoadError::Unreadable(format!("order_log.entry {seq}: {error}"))
            })?;
            Ok(LogEntry {
                seq,
                command,
                chain: row.get::<_, i64>(2) as u64,
            })
        })
        .collect()
}

/// The rows, amounts as text.
pub(super) async fn read_rows(transaction: &Transaction<'_>) -> Result<Rows, LoadError> {
    let meta = transaction
        .query_one("SELECT applied_seq, trade_id FROM ledger_meta", &[])
        .await?;
    let markets = transaction
        .query(
            "SELECT market, base_asset, quote_asset, min_price, max_qty, base_per_lot, quote_per_tick_lot,
                    maker_fee_bps, taker_fee_bps
             FROM markets ORDER BY market",
            &[],
        )
        .await?;
    let balances = transaction
        .query(
            "SELECT account, asset, free::text, locked::text FROM balances ORDER BY account, asset",
            &[],
        )
        .await?;
    let venue = transaction
        .query(
            "SELECT asset, fees::text, suspense::text, adjustments::text, deposits::text
             FROM venue_balances ORDER BY asset",
            &[],
        )
        .await?;
    let orders = transaction
        .query(
            "SELECT market, order_id, account, side::text, price, qty, remaining
             FROM orders WHERE remaining > 0",
            &[],
        )
        .await?;
    let rows = Rows {
        applied_seq: Seq(unsigned(&meta, 0)),
        trade_id: TradeId(unsigned(&meta, 1)),
        markets: markets.iter().map(market).collect(),
        balances: balances
            .iter()
            .map(|row| BalanceRow {
                account: AccountId(unsigned(row, 0) as u32),
                asset: AssetId(small(row, 1)),
                free: amount(row, 2),
                locked: amount(row, 3),
            })
            .collect(),
        venue: venue
            .iter()
            .map(|row| VenueRow {
                asset: AssetId(small(row, 0)),
                fees: amount(row, 1),
                suspense: amount(row, 2),
                adjustments: amount(row, 3),
                deposits: amount(row, 4),
            })
            .collect(),
        orders: orders.iter().map(order).collect(),
    };
    check(&rows)?;
    Ok(rows)
}

/// What [`Exchange::from_parts`] insists on, as an error: a database is not this program's own memory.
fn check(rows: &Rows) -> Result<(), LoadError> {
    let numbered = rows
        .markets
        .iter()
        .enumerate()
        .all(|(n, spec)| spec.is_sound() && usize::from(spec.id.0) == n);
    let fitting = rows.orders.iter().all(|(market, order)| {
        rows.markets
            .get(usize::from(market.0))
            .is_some_and(|spec| order.price >= spec.min_price && order.price <= spec.max_price())
    });
    if rows.markets.is_empty() || rows.balances.is_empty() {
        return Err(LoadError::Unreadable(
            "the ledger has no markets or no accounts".to_owned(),
        ));
    }
    if numbered && fitting {
        Ok(())
    } else {
        Err(LoadError::Unreadable(
            "markets are not numbered from 0, not sound, or do not fit the orders".to_owned(),
        ))
    }
}

fn market(row: &Row) -> MarketSpec {
    MarketSpec {
        id: MarketId(small(row, 0)),
        base: AssetId(small(row, 1)),
        quote: AssetId(small(row, 2)),
        min_price: Price(row.get(3)),
        max_qty: Qty(row.get(4)),
        base_per_lot: row.get(5),
        quote_per_tick_lot: row.get(6),
        maker_fee_bps: row.get(7),
        taker_fee_bps: row.get(8),
    }
}

fn order(row: &Row) -> (MarketId, Resting) {
    let resting = Resting {
        id: OrderId(unsigned(row, 1)),
        account: AccountId(unsigned(row, 2) as u32),
        side: side(row.get(3)),
        price: Price(row.get(4)),
        qty: Qty(row.get(5)),
        remaining: Qty(row.get(6)),
    };
    (MarketId(small(row, 0)), resting)
}

/// A side as the tables write it; their check admits only `B` and `S`.
pub(super) fn side(letter: &str) -> Side {
    if letter == "B" { Side::Buy } else { Side::Sell }
}

fn amount(row: &Row, column: usize) -> Column {
    Column::Text(row.get::<_, &str>(column).into())
}

/// A BIGINT that the tables' checks keep at 0 or above.
pub(super) fn unsigned(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or(0)
}

pub(super) fn small(row: &Row, column: usize) -> u16 {
    u16::try_from(row.get::<_, i16>(column)).unwrap_or(0)
}

/// A counter as BIGINT.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
